"""The statements of `grants` are SQL of their vendor: sqlglot reads them, or they are as the vendor's page has them."""

from __future__ import annotations

import logging
import re

import pytest
import sqlglot
from sqlglot import exp

from el.connectors.catalog import TableName
from el.connectors.rights import SourceNeeds, TableNeed, WarehouseNeeds
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.rights import script as snowflake_script
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.rights import Capture, Seen
from el.connectors.sqlserver.rights import script as sqlserver_script
from tests.engines import batches
from tests.standins.snowflake.server import split_statements

ROLES = ("owner", "engineer", "staging")
ODD = "Od'd ]\"Name"
_B, _Q = r"\[(?:[^\]]|\]\])+\]", r'"(?:[^"]|"")+"'
_T = r"N'(?:[^']|'')*'"
_UNLESS = rf"IF DATABASE_PRINCIPAL_ID\({_T}\) IS NULL"
# Pages of Microsoft Learn, and what they say of the statement, as far as `grants` uses it.
TSQL = {
    "USE": rf"USE {_B}",
    "CREATE LOGIN": rf"IF SUSER_ID\({_T}\) IS NULL CREATE LOGIN {_B} (WITH PASSWORD = {_T}|FROM WINDOWS)",
    "CREATE USER": rf"{_UNLESS} CREATE USER {_B} (FOR LOGIN {_B}|FROM EXTERNAL PROVIDER|WITH PASSWORD = {_T})",
    "CREATE ROLE": rf"{_UNLESS} CREATE ROLE {_B}",
    "ALTER ROLE": rf"(IF IS_ROLEMEMBER\({_T}, {_T}\) = 0 )?ALTER ROLE {_B} ADD MEMBER {_B}",
    "GRANT Schema Permissions": rf"GRANT [A-Z ]+ ON SCHEMA::{_B} TO {_B}",
    "GRANT Object Permissions": rf"GRANT [A-Z ]+ ON OBJECT::{_B}\.{_B}( \({_B}(, {_B})*\))? TO {_B}",
    "GRANT Database Permissions": rf"GRANT (CREATE TABLE|VIEW DATABASE STATE) TO {_B}",
    "GRANT Server Permissions": rf"USE \[master\]; GRANT VIEW SERVER STATE TO {_B}",
    "Enable and Disable Change Tracking": rf"IF NOT EXISTS \(.+\) (ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON "
    rf"\(CHANGE_RETENTION = \d+ DAYS, AUTO_CLEANUP = ON\)|ALTER TABLE {_B}\.{_B} ENABLE CHANGE_TRACKING)",
    "sys.sp_cdc_enable_db": r"IF NOT EXISTS \(.+\) EXEC sys\.sp_cdc_enable_db",
    "sys.sp_cdc_enable_table": rf"IF NOT EXISTS \(.+\) EXEC sys\.sp_cdc_enable_table @source_schema = {_T}, "
    rf"@source_name = {_T}, @role_name = {_T}",
}
_ALL = r"(ALL|FUTURE) (TABLES|VIEWS|STAGES) IN SCHEMA"
_TO = rf"TO (ROLE \w+|DATABASE ROLE {_Q}\.{_Q})"
_PRIVILEGES = r"[A-Z]+(?: [A-Z]+)?(?:, [A-Z]+(?: [A-Z]+)?)*"
# Pages of Snowflake's documentation.
SNOWFLAKE = {
    "USE ROLE": r"USE ROLE \w+",
    "CREATE WAREHOUSE": rf"CREATE WAREHOUSE IF NOT EXISTS {_Q}( [A-Z_]+ = \w+)+",
    "CREATE DATABASE": rf"CREATE DATABASE IF NOT EXISTS {_Q}",
    "CREATE SCHEMA": rf"CREATE (TRANSIENT )?SCHEMA IF NOT EXISTS {_Q}\.{_Q} WITH MANAGED ACCESS",
    "ALTER SCHEMA": rf"ALTER SCHEMA {_Q}\.{_Q} ENABLE MANAGED ACCESS",
    "CREATE ROLE": r"CREATE ROLE IF NOT EXISTS \w+",
    "CREATE DATABASE ROLE": rf"CREATE DATABASE ROLE IF NOT EXISTS {_Q}\.{_Q}",
    "GRANT DATABASE ROLE": rf"GRANT DATABASE ROLE {_Q}\.{_Q} TO ROLE \w+",
    "GRANT ROLE": rf"GRANT ROLE \w+ TO (ROLE \w+|USER {_Q})",
    "GRANT <privileges>": rf"GRANT (?!OWNERSHIP){_PRIVILEGES} ON (WAREHOUSE|DATABASE|SCHEMA|STAGE) {_Q}(\.{_Q})* {_TO}",
    "GRANT <privileges>, bulk and future": rf"GRANT (?!OWNERSHIP){_PRIVILEGES} ON {_ALL} {_Q}\.{_Q} {_TO}",
    "GRANT OWNERSHIP": rf"GRANT OWNERSHIP ON (SCHEMA|{_ALL}) {_Q}\.{_Q} TO ROLE \w+( COPY CURRENT GRANTS)?",
    "CREATE USER": rf"CREATE USER IF NOT EXISTS {_Q} TYPE = SERVICE DEFAULT_ROLE = \w+ (DEFAULT_WAREHOUSE = {_Q} )?"
    r"DEFAULT_SECONDARY_ROLES = \(\)",
}


def of_sqlserver(role: str) -> list[str]:
    config = SqlServerConfig.model_validate({"host": "db01", "database": ODD, "user": ODD, "password": "x"})
    name = TableName(ODD, ODD)
    tables = (
        TableNeed(name, columns=(ODD, "id"), left_out=("email",), follow="change_tracking"),
        TableNeed(TableName("sales", "t"), follow="cdc"),
    )
    seen = Seen((Capture(TableName("sales", "t"), "sales_t", ODD), Capture(TableName("sales", "u"), "sales_u", None)))
    needs = SourceNeeds(role, tables, ("whole",), limits=True, writes=("scores",))
    return [sql.rstrip(";") for sql in batches(sqlserver_script(config, needs, seen), "x")]


def of_snowflake(role: str) -> list[str]:
    given = {"account": "a", "database": "analytics", "warehouse": "loading", "user": "u", "private_key": "x"}
    config = SnowflakeConfig.model_validate(given)
    needs = WarehouseNeeds(role, (ODD,), ("staging",), ("sales",), ("other.public.exports",), writes=("scores",))
    said = (re.sub(r"--[^\n]*", "", sql) for sql in split_statements(snowflake_script(config, needs)))
    return [bare for sql in said if (bare := " ".join(sql.split()))]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("statements", "grammar", "dialect"),
    [
        pytest.param(of_sqlserver, TSQL, "tsql", id="tsql"),
        pytest.param(of_snowflake, SNOWFLAKE, "snowflake", id="snowflake"),
    ],
)
def test_each_statement_is_as_its_vendor_documents_it(
    role: str, statements: object, grammar: dict[str, str], dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="sqlglot")
    assert callable(statements)
    every = statements(role)
    assert every or (dialect, role) == ("tsql", "staging")
    for sql in every:
        assert [page for page, form in grammar.items() if re.fullmatch(form, sql)], sql
        if " EXEC sys.sp_" not in sql:  # sqlglot knows no named arguments of EXEC.
            assert all(isinstance(parsed, exp.Expression) for parsed in sqlglot.parse(sql, read=dialect))


def test_between_them_the_roles_use_each_page() -> None:
    for statements, grammar in ((of_sqlserver, TSQL), (of_snowflake, SNOWFLAKE)):
        every = [sql for role in ROLES for sql in statements(role)]
        assert not [page for page, form in grammar.items() if not any(re.fullmatch(form, sql) for sql in every)]


def test_in_azure_a_user_is_the_databases_own_and_there_is_no_state_of_a_server() -> None:
    config = SqlServerConfig.model_validate({"host": "db01", "database": "shop", "user": "el", "password": "x"})
    script = sqlserver_script(config, SourceNeeds("engineer", schemas=("sales",)), Seen(azure=True))
    said = batches(script, "x")
    assert "IF DATABASE_PRINCIPAL_ID(N'el') IS NULL CREATE USER [el] WITH PASSWORD = N'x';" in said
    assert not [sql for sql in said if sql.startswith("USE ") or "LOGIN" in sql]
    assert "SERVER STATE" not in script


@pytest.mark.parametrize(
    ("way", "made"),
    [
        ({"windows_login": True, "user": "CORP\\el"}, "CREATE LOGIN [CORP\\el] FROM WINDOWS"),
        ({"authentication": "ActiveDirectoryMsi", "user": "el"}, "CREATE USER [el] FROM EXTERNAL PROVIDER"),
    ],
)
def test_a_login_is_made_as_the_profile_signs_in(way: dict[str, object], made: str) -> None:
    config = SqlServerConfig.model_validate({"host": "db01", "database": "shop", **way})
    script = sqlserver_script(config, SourceNeeds("engineer", schemas=("sales",)))
    assert made in script
    assert "PASSWORD" not in script
