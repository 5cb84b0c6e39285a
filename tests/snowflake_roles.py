"""The roles of docs/snowflake_setup.sql on a Snowflake stand-in: the file as it stands, or without a statement."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.snowflake.server import split_statements

SETUP = Path(__file__).parents[1] / "docs" / "snowflake_setup.sql"
DATABASE = "ANALYTICS"
_WAREHOUSES = {"LOADER": "LOADING", "TRANSFORMER": "TRANSFORMING", "REPORTER": "REPORTING"}


def statements() -> list[str]:
    """The file's statements."""
    return split_statements(SETUP.read_text(encoding="utf-8"))


def grants() -> list[str]:
    """The privileges that the file gives, each a statement."""
    return [sql for sql in map(_bare, statements()) if sql.startswith("GRANT ") and not sql.startswith("GRANT ROLE")]


def apply(standin: SnowflakeStandIn, *, but: str = "") -> None:
    """Set the account up by the file, leaving out the statement `but`."""
    with snowflake.connector.connect(**standin.connection_parameters(role="ACCOUNTADMIN")) as session:
        for sql in statements():
            if _bare(sql) != but:
                session.cursor().execute(sql)


def output(standin: SnowflakeStandIn, role: str, **changes: Any) -> dict[str, Any]:
    """A profile output in which the role's service user signs in with a key pair."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    found = standin.dbt_output(
        user=f"EL_{role}",
        role=role,
        warehouse=_WAREHOUSES[role],
        database=DATABASE,
        private_key=key.decode(),
        **changes,
    )
    return {name: value for name, value in found.items() if name != "password"}


def _bare(sql: str) -> str:
    """A statement without comments, in one line."""
    return " ".join(re.sub(r"--[^\n]*", "", sql).split())
