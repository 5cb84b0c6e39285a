"""A workspace on a T-SQL server: one database of a test's own, a DuckDB warehouse, and what raw makes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from el.cli.app import main
from el.connectors.sqlserver import SqlServer
from tests.engines import connected, least_privileged, statement
from tests.steps import once_at


@dataclass(frozen=True)
class TsqlShop:
    """el.yml's `tables` are given; `source` is a profile output. Runs happen in this process."""

    path: Path
    output: dict[str, Any]
    capsys: pytest.CaptureFixture[str]

    def create(self, tables: str, *setup: str, defaults: str = "{workers: 2, retries: 0}") -> TsqlShop:
        self.tables(tables, defaults)
        self.sql(*setup)
        self.sign_in(self.output)
        if (
            os.environ.get("EL_TEST_SQLSERVER_LEAST")
            or os.environ.get("EL_TEST_SQLSERVER_LANGUAGE", "us_english") != "us_english"
        ):
            self.sign_in(least_privileged(self.output, self.schemas()))
        return self

    def schemas(self) -> list[str]:
        """The schemas in which there is a table or a view."""
        sql = "SELECT DISTINCT SCHEMA_NAME(schema_id) FROM sys.objects WHERE type IN ('U', 'V') AND is_ms_shipped = 0"
        return [str(row[0]) for row in self.rows(sql)]

    def sign_in(self, output: dict[str, Any]) -> None:
        """Runs of el sign in so from now on."""
        profiles = {
            "shop": {"target": "it", "outputs": {"it": output}},
            "warehouse": {
                "target": "it",
                "outputs": {"it": {"type": "duckdb", "path": str(self.path / "warehouse.duckdb")}},
            },
        }
        (self.path / "profiles.yml").write_text(yaml.safe_dump(profiles))

    def tables(self, tables: str, defaults: str = "{workers: 2, retries: 0}") -> None:
        (self.path / "el.yml").write_text(
            f"version: 1\nsource: shop\ndestination: warehouse\ndefaults: {defaults}\ntables:\n{tables}\n"
        )

    @contextmanager
    def server(self) -> Iterator[SqlServer]:
        with connected(self.output) as server:
            yield server

    def sql(self, *statements: str) -> None:
        with self.server() as server:
            for sql in statements:
                server.driver.execute(statement(sql))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.server() as server:
            return [tuple(row) for row in server.fetch(statement(sql))]

    def el(self, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """`python -m el run`; the report of each table by its name."""
        found = main(["run", "--json", *arguments])
        said = self.capsys.readouterr()
        assert found == code, said
        return (
            {table["table"]: table for table in json.loads(said.out)["tables"]} if said.out else {"": {"e": said.err}}
        )

    def meanwhile(self, *statements: str, step: str = "planned") -> list[bool]:
        """Run these once, when the next run has come to a step of its own; what is returned holds True from then on."""
        return once_at(step, lambda: self.sql(*statements))

    def raw(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    def complete(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of complete loads of a raw table of the schema shop_dbo, in the order of loads and positions."""
        return self.raw(
            f"SELECT {columns} FROM shop_dbo.{table} WHERE _dlt_load_id IN "
            "(SELECT load_id FROM shop_dbo._dlt_loads WHERE status = 0) ORDER BY _dlt_load_id, _el_position"
        )

    def complete_counts(self, table: str) -> tuple[int, int]:
        """Rows of complete loads of a raw table: all, and those of the last load."""
        found = self.raw(
            f"SELECT count(*), count(*) FILTER (_dlt_load_id = (SELECT max(_dlt_load_id) FROM shop_dbo.{table})) "
            f"FROM shop_dbo.{table} WHERE _dlt_load_id IN (SELECT load_id FROM shop_dbo._dlt_loads WHERE status = 0)"
        )
        return found[0][0], found[0][1]

    def state(self, table: str, key: str, columns: str) -> list[tuple[Any, ...]]:
        """Current state from raw: see `state_from_raw`."""
        return state_from_raw(self.raw, "shop_dbo", table, key, columns)

    def ledger(self, columns: str, table: str = "t") -> list[tuple[Any, ...]]:
        return self.raw(
            f"SELECT {columns} FROM shop_dbo._el_ledger WHERE table_name = '{table}' AND _dlt_load_id IN "
            "(SELECT load_id FROM shop_dbo._dlt_loads WHERE status = 0) ORDER BY _dlt_load_id"
        )


def state_from_raw(
    raw: Callable[[str], list[tuple[Any, ...]]], schema: str, table: str, key: str, columns: str
) -> list[tuple[Any, ...]]:
    """Current state from raw: since the last complete snapshot, the last row of each key, deletes dropped.

    The rule is that of the dbt project's macro `el_current_state`, said once more in one query, which is quick;
    planning/strategies/test_random_histories.py compares the two.
    """
    held = [row[0] for row in raw(f"SELECT column_name FROM (DESCRIBE {schema}.{table})")]
    key = "_el_key" if "_el_key" in held else key
    complete, name = f"SELECT load_id FROM {schema}._dlt_loads WHERE status = 0", table.strip('"')
    return raw(
        f"SELECT {columns} FROM (SELECT * FROM {schema}.{table} WHERE _dlt_load_id IN ({complete}) "
        "AND _el_op <> 'B' AND _dlt_load_id >= "
        f"(SELECT max(_dlt_load_id) FROM {schema}._el_ledger WHERE table_name = '{name}' AND "
        f"kind = 'snapshot' AND _dlt_load_id IN ({complete})) QUALIFY row_number() OVER (PARTITION BY {key} "
        "ORDER BY _dlt_load_id DESC, _el_position DESC NULLS LAST, _el_op = 'D') = 1) "
        "WHERE _el_op <> 'D' ORDER BY ALL"
    )
