"""The servers that tests run on: real ones, named by environment variables, or the stand-ins."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from el.config.profiles import find_profiles, load_output
from el.connectors.catalog import TableName
from el.connectors.rights import ENGINEER, SourceNeeds, TableNeed
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.rights import script
from tests.standins.sqlserver.process import StandInProcess

DATABASES = Path(__file__).parent / "databases"
DIGITS = "(SELECT 0 AS d " + " ".join(f"UNION ALL SELECT {d}" for d in range(1, 10)) + ")"


def real_sqlserver() -> dict[str, Any] | None:
    """EL_TEST_SQLSERVER ("host=...,port=...,user=...,password=...,trust_cert=true") as a profile output, or None."""
    text = os.environ.get("EL_TEST_SQLSERVER")
    if not text:
        return None
    found: dict[str, Any] = dict(part.split("=", 1) for part in text.split(","))
    if "port" in found:
        found["port"] = int(found["port"])
    found["trust_cert"] = str(found.get("trust_cert", "")).lower() == "true"
    return {"type": "sqlserver", **found}


@contextmanager
def sqlserver_engine() -> Iterator[dict[str, Any]]:
    """The SQL Server that EL_TEST_SQLSERVER names, or a stand-in started for the purpose, as a profile output."""
    real = real_sqlserver()
    if real is not None:
        yield real
        return
    with StandInProcess() as server:
        yield server.output()


@contextmanager
def own_database(output: dict[str, Any], script: str | None = None) -> Iterator[dict[str, Any]]:
    """A database that nobody else has, dropped at the end where the server lets it go."""
    name = f"el_test_{uuid.uuid4().hex[:12]}"
    with database(output, name, script) as found:
        yield found
    with suppress(Exception), connected({**output, "database": "master"}) as server:
        server.driver.execute(statement(f"DROP DATABASE {name}"))


@contextmanager
def database(output: dict[str, Any], name: str, script: str | None = None) -> Iterator[dict[str, Any]]:
    """A database of this name on the server of `output`, made anew and filled by a script; the output that names it."""
    with connected({**output, "database": "master"}) as server:
        if server.fetch(statement(f"SELECT 1 FROM sys.databases WHERE name = '{name}'")):
            server.driver.execute(statement(f"DROP DATABASE {name}"))
        server.driver.execute(statement(f"CREATE DATABASE {name}"))
        if os.environ.get("EL_TEST_SQLSERVER_ADR"):
            server.driver.execute(statement(f"ALTER DATABASE {name} SET ACCELERATED_DATABASE_RECOVERY = ON"))
    found = {**output, "database": name}
    if script is not None:
        run_script(found, DATABASES / script)
    yield found


@contextmanager
def connected(output: dict[str, Any]) -> Iterator[SqlServer]:
    with SqlServer(SqlServerConfig.model_validate(output)) as server:
        yield server


def run_script(output: dict[str, Any], path: Path) -> None:
    """Run a script's batches, which end with GO."""
    with connected(output) as server:
        for batch in path.read_text(encoding="utf-8").replace("{digits}", DIGITS).split("\nGO\n"):
            if text := "\n".join(line for line in batch.splitlines() if not line.startswith("--")).strip():
                server.driver.execute(statement(text))


def least_privileged(output: dict[str, Any], schemas: Sequence[str], *, but: str = "") -> dict[str, Any]:
    """The output of a login of its own in this database, with what `grants` gives an engineer who takes these schemas.

    but: what stands in a statement that is left out; the role may have it from an earlier call, and loses it.
    """
    name, password = f"el_{uuid.uuid4().hex[:12]}", f"Aa1-{uuid.uuid4().hex}"
    tables = tuple(TableNeed(TableName(schema, "*"), seen=False) for schema in schemas)
    needs = SourceNeeds(ENGINEER, tables, tuple(schemas), user=name)
    with connected(output) as server:
        for sql in batches(script(server.config, needs), password):
            left_out = bool(but) and but in sql
            server.driver.execute(statement(taken_back(sql) if left_out else sql))
        if language := os.environ.get("EL_TEST_SQLSERVER_LANGUAGE"):
            server.driver.execute(statement(f"ALTER LOGIN {name} WITH DEFAULT_LANGUAGE = [{language}]"))
    return {**output, "user": name, "password": password}


def taken_back(grant: str) -> str:
    """The statement that takes back what this one gave."""
    if grant.startswith("ALTER ROLE"):
        return grant.replace(" ADD MEMBER ", " DROP MEMBER ")
    return grant.replace("GRANT ", "REVOKE ", 1).replace(" TO ", " FROM ", 1)


def batches(script: str, password: str) -> list[str]:
    """What stands between two GO of a script of `grants`, without comments."""
    parts = [re.sub(r"(?m)^--.*$", "", part).strip() for part in re.split(r"(?m)^GO$", script)]
    return [part.replace("$(el_password)", password) for part in parts if part]


def statement(sql: str) -> Any:
    from el.connectors.sql.select import Statement

    return Statement(sql)


def real_snowflake() -> dict[str, Any] | None:
    """EL_TEST_SNOWFLAKE ("profile" or "profile.target" of profiles.yml) as a profile output, or None."""
    named = os.environ.get("EL_TEST_SNOWFLAKE")
    if not named:
        return None
    profile, _, target = named.partition(".")
    return load_output(find_profiles(), profile, target or None).settings
