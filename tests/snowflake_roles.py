"""The roles of `python -m el grants` on a Snowflake stand-in: its scripts as printed, or without a statement."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from el.cli.app import main
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.snowflake.server import split_statements

DATABASE, WAREHOUSE = "ANALYTICS", "LOADING"
ROLES = {"owner": "EL_OWNER", "engineer": "EL_ENGINEER", "staging": "EL_STAGING"}
_KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def script(role: str, *more: str) -> list[str]:
    """The statements that `grants` prints for the warehouse of the workspace in which the test runs."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(["grants", "--role", role, "--for", "warehouse", *more]) == 0
    return [bare for sql in split_statements(printed.getvalue()) if (bare := _bare(sql))]


def apply(standin: SnowflakeStandIn, statements: Iterable[str]) -> None:
    """Run them as an administrator."""
    with administrator(standin) as run:
        run(statements)


@contextmanager
def administrator(standin: SnowflakeStandIn) -> Iterator[Callable[[Iterable[str]], None]]:
    """Runs statements as an administrator, in one session."""
    with snowflake.connector.connect(**standin.connection_parameters(role="ACCOUNTADMIN")) as session:

        def run(statements: Iterable[str]) -> None:
            for sql in statements:
                session.cursor().execute(sql)

        yield run


def taken_back(grant: str) -> str:
    """The statement that takes back what this one gave. OWNERSHIP of what is there goes to another role."""
    if " OWNERSHIP " in grant and " FUTURE " not in grant:
        return re.sub(r" TO ROLE \w+", " TO ROLE ACCOUNTADMIN", grant)
    return grant.replace("GRANT ", "REVOKE ", 1).replace(" TO ", " FROM ", 1)


def output(standin: SnowflakeStandIn, role: str, **changes: Any) -> dict[str, Any]:
    """A profile output in which the role's service user signs in with a key pair."""
    found = standin.dbt_output(
        user=ROLES[role],
        role=ROLES[role],
        warehouse=WAREHOUSE,
        database=DATABASE,
        private_key=_KEY.decode(),
        access=role,
        staging_data=["STAGING"],
        **changes,
    )
    return {name: value for name, value in found.items() if name != "password"}


def _bare(sql: str) -> str:
    """A statement without comments, in one line."""
    return " ".join(re.sub(r"--[^\n]*", "", sql).split())
