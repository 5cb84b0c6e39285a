"""docs/rights.md shows scripts as `grants` prints them."""

from __future__ import annotations

import re
from pathlib import Path

from el.connectors.catalog import TableName
from el.connectors.mysql.rights import script as mysql_script
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.rights import script as postgres_script
from el.connectors.rights import ENGINEER, SourceNeeds, TableNeed, WarehouseNeeds
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.rights import script as snowflake_script
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.rights import script as sqlserver_script

PAGE = Path(__file__).parents[2] / "docs" / "rights.md"


def of_sqlserver() -> str:
    config = SqlServerConfig.model_validate({"host": "db01", "database": "shop", "user": "el_reader", "password": "x"})
    tables = (
        TableNeed(TableName("crm", "people"), columns=("id", "name"), left_out=("email",)),
        TableNeed(TableName("sales", "orders"), feeds=("change_tracking",)),
    )
    return sqlserver_script(config, SourceNeeds(ENGINEER, tables, ("sales",)))


def some_tables() -> SourceNeeds:
    people = TableNeed(TableName("crm", "people"), columns=("id", "name"), left_out=("email",))
    return SourceNeeds(ENGINEER, (people, TableNeed(TableName("sales", "orders"))), ("sales",))


def of_postgres() -> str:
    given = {"host": "db01", "dbname": "shop", "user": "el_reader", "password": "x"}
    return postgres_script(PostgresConfig.model_validate(given), some_tables(), [("sales", "shop_owner")])


def of_snowflake() -> str:
    given = {"account": "a", "database": "analytics", "warehouse": "loading", "user": "el_loader", "private_key": "x"}
    needs = WarehouseNeeds(ENGINEER, ("SHOP_SALES",), ("staging",), ("sales",))
    return snowflake_script(SnowflakeConfig.model_validate(given), needs)


def test_the_scripts_on_the_page_are_those_that_grants_prints() -> None:
    shown = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert shown == [of_sqlserver(), mysql_script(some_tables(), None), of_postgres(), of_snowflake()]
