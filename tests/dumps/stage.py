"""Files below an external stage of the Snowflake stand-in, and el over them."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.extraction.slice import STEP
from tests.dumps.workspace import Dumps
from tests.standins.snowflake import SnowflakeStandIn

EL_YML = """\
version: 1
source: old
destination: warehouse
defaults: {{workers: 2, retries: 0}}
dumps:
  - {{name: sales.orders, files: "{files}", format: {format}, {more}}}
"""


# What the way leaves alone: names and times of loads, and what only the client knows of a file.
COMPARED = (
    ("orders", "* EXCLUDE (_dlt_load_id, _el_extracted_at)"),
    ("_el_columns", "* EXCLUDE (_dlt_load_id)"),
    (
        "_el_files",
        "* EXCLUDE (_dlt_load_id, sha256, route, seen_at, run_id)",
    ),
    ("_el_ledger", "table_name, source_table, kind, strategy, row_count, deleted_count, partitions, source"),
    ("_dlt_loads", "schema_name, status, schema_version_hash"),
)


class Shop:
    """A database of its own, with a stage over the folder of files."""

    def __init__(self, dumps: Dumps, standin: SnowflakeStandIn) -> None:
        self.dumps, self.standin = dumps, standin
        self.files = dumps.path / "files"
        self.database = f"D_{uuid.uuid4().hex[:8].upper()}"
        self.output = {**standin.dbt_output(), "database": self.database}
        self.other = standin.dbt_output()
        self.ask(f"CREATE DATABASE {self.database}", self.other)
        self.ask(f"CREATE STAGE {self.database}.PUBLIC.DUMPS URL = '{self.files.as_uri()}/'")
        self.entry()

    def entry(
        self,
        more: str = "express: require",
        files: str = "*.parquet",
        *,
        stage: bool = True,
        format_: str = "parquet",
    ) -> None:
        (self.dumps.path / "el.yml").write_text(EL_YML.format(files=files, more=more, format=format_))
        url = {"type": "files", "url": str(self.files)}
        told = {**url, "stage": f"{self.database}.PUBLIC.DUMPS"} if stage else url
        profiles = {"old": told, "warehouse": self.output}
        text = yaml.safe_dump({name: {"target": "it", "outputs": {"it": found}} for name, found in profiles.items()})
        (self.dumps.path / "profiles.yml").write_text(text)

    def file(self, name: str, table: pa.Table | str | bytes, *, age: float = 60, **options: Any) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(table, pa.Table):
            pq.write_table(table, path, **options)
        else:
            path.write_bytes(table.encode() if isinstance(table, str) else table)
        moment = 1_700_000_000 - age
        os.utime(path, (moment, moment))
        return path

    def ask(self, sql: str, output: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        connector = open_connector(output or self.output)
        assert isinstance(connector, SqlConnector)
        with connector:
            return [tuple(row) for row in connector.fetch(Statement(sql))]

    def rows(self, columns: str = "*", table: str = "orders") -> list[tuple[Any, ...]]:
        loads = "SELECT load_id FROM old_sales._dlt_loads WHERE status = 0"
        return sorted(self.ask(f"SELECT {columns} FROM old_sales.{table} WHERE _dlt_load_id IN ({loads})"), key=repr)

    def run(self) -> int:
        return self.dumps.run()

    def took(self, word: str) -> bool:
        """Whether the server was told this since the database was made."""
        return any(word in query.sql for query in self.standin.queries if not query.error)

    def both_ways(self, files: str, format_: str = "parquet", more: str = "") -> list[dict[str, list[tuple[Any, ...]]]]:
        """What raw has of the same files by the express way alone, and by the client alone."""
        found = []
        for express in ("require", "'off'"):
            self.entry(f"express: {express}, {more}", files, format_=format_)
            assert self.run() == 0, self.dumps.out
            raw = {table: self.rows(columns, table) for table, columns in COMPARED if table != "_dlt_loads"}
            raw["_dlt_loads"] = self.ask(f"SELECT {COMPARED[-1][1]} FROM old_sales._dlt_loads")
            assert {row[0] for row in self.rows("route", "_el_files")} == {"client" if "off" in express else "express"}
            self.ask("DROP SCHEMA old_sales CASCADE")
            found.append(raw)
        return found


def at(step: str, do: Callable[[], object]) -> None:
    """Do this once when the run comes to a step."""
    waiting = [do]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if waiting and event == STEP and arguments[0] == step:
            waiting.pop()()

    sys.addaudithook(hook)
