"""A workspace on a real PostgreSQL: a database of a test's own, a DuckDB warehouse, and what raw makes of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
import yaml

from el.cli.app import main
from el.connectors.abilities import Followed
from el.connectors.catalog import SourceType, TableName
from el.connectors.postgres import Postgres
from el.connectors.postgres.changes import LogicalReplication
from el.connectors.request import OP_READ, POSITION_READ, ColumnRead, Position, ReadRequest
from el.connectors.type_rules import map_type
from el.errors import PlanError, PositionLost
from tests.steps import once_at
from tests.tsql_shop import state_from_raw


def session(output: dict[str, Any], database: str | None = None) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=output["host"],
        port=output["port"],
        user=output["user"],
        password=output["password"],
        dbname=database or output["dbname"],
        autocommit=True,
        # What is committed is on disk, and so in the log that is read.
        options="-c synchronous_commit=on -c search_path=public "
        "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres "
        "-c default_transaction_isolation=read\\ committed -c extra_float_digits=1 -c bytea_output=hex",
    )


@contextmanager
def database(output: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A database of its own on this server; its profile output. Its slots go with it."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    with session(output) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield {**output, "dbname": name}
        finally:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            slots = server.execute("SELECT slot_name FROM pg_replication_slots WHERE database = %s", (name,)).fetchall()
            for (slot,) in slots:
                with suppress(psycopg.Error):
                    server.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class PostgresShop:
    """el.yml's `tables` are given; `output` is that of the database. Runs happen in this process."""

    path: Path
    output: dict[str, Any]
    capsys: pytest.CaptureFixture[str] | None = None

    def create(self, tables: str, *setup: str) -> PostgresShop:
        self.tables(tables)
        self.sql(*setup)
        self.profile()
        return self

    def profile(self, **settings: Any) -> None:
        outputs = {
            "shop": {**self.output, **settings},
            "warehouse": {"type": "duckdb", "path": str(self.path / "warehouse.duckdb")},
        }
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in outputs.items()}
        (self.path / "profiles.yml").write_text(yaml.safe_dump(profiles, allow_unicode=True), encoding="utf-8")

    def tables(self, tables: str, defaults: str = "{workers: 2, retries: 0}") -> None:
        (self.path / "el.yml").write_text(
            f"version: 1\nsource: shop\ndestination: warehouse\ndefaults: {defaults}\ntables:\n{tables}\n"
        )

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        with session(self.output) as found:
            yield found

    def sql(self, *statements: str) -> None:
        with self.session() as server:
            for statement in statements:
                server.execute(statement.encode())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.session() as server:
            return server.execute(sql.encode()).fetchall()

    def el(self, *arguments: str, code: int | None = 0) -> dict[str, dict[str, Any]]:
        """`python -m el run`; the report of each table by its name."""
        assert self.capsys is not None
        found = main(["run", "--json", *arguments])
        said = self.capsys.readouterr()
        assert code in (found, None), said
        return (
            {table["table"]: table for table in json.loads(said.out)["tables"]} if said.out else {"": {"e": said.err}}
        )

    def plan(self, code: int = 0) -> str:
        """`python -m el plan`; what it says, in one line."""
        assert self.capsys is not None
        found = main(["plan", "--why"])
        said = self.capsys.readouterr()
        assert found == code, said
        return " ".join((said.out + said.err).split())

    def meanwhile(self, *statements: str, step: str = "planned") -> list[bool]:
        """Run these once, when the next run has come to a step of its own; what is returned holds True from then on."""
        return once_at(step, lambda: self.sql(*statements))

    def raw(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    def changes(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """What deltas brought of a table, in the order of loads and positions."""
        return self.raw(
            f"SELECT {columns} FROM shop_public.{table} WHERE _el_op <> 'S' ORDER BY _dlt_load_id, _el_position"
        )

    def state(self, table: str, key: str, columns: str) -> list[tuple[Any, ...]]:
        """Current state from raw."""
        return state_from_raw(self.raw, "shop_public", table, key, columns)

    def slots(self) -> Sequence[tuple[Any, ...]]:
        return self.rows(
            "SELECT slot_name, temporary FROM pg_replication_slots WHERE database = current_database() ORDER BY 1"
        )


class Follower:
    """What strategy `changes` does with a table from load to load, without a warehouse: quick."""

    def __init__(self, shop: PostgresShop, table: str = "t", **asked: Any) -> None:
        self.shop, self.table, self.asked = shop, TableName("public", table), asked
        self.position: Position | None = None
        self.begun: Position | None = None  # what is read now goes up to here
        self.notes: tuple[str, ...] = ()
        self.last: pa.Table | None = None

    def load(self, between: str = "") -> list[tuple[Any, ...]]:
        """The rows of the next load, the operation behind each; the source is told that they are loaded.

        between: run once the load is planned. Raises as a run would stop the table.
        """
        config = Postgres.config_type.model_validate(self.shop.output)
        with Postgres(config) as source:
            request = self._planned(source)
            if between:
                self.shop.sql(between)
            with source.read_buffer(request) as buffer:
                self.last = found = buffer.to_arrow()
                if self.begun is not None and buffer.reached is not None:
                    self.begun = Position(buffer.reached.text, self.begun.log)
            self.position = self.begun
            assert self.position is not None
            source.loaded(LogicalReplication.name, {self.table: self.position})
        op = found.column(OP_READ).to_pylist() if OP_READ in found.column_names else ["S"] * found.num_rows
        names = [name for name in found.column_names if name not in (OP_READ, POSITION_READ)]
        rows = list(zip(*(found.column(name).to_pylist() for name in names), op, strict=True))
        if POSITION_READ in found.column_names:
            order = found.column(POSITION_READ).to_pylist()
            assert sorted(set(order)) == order
        return rows

    def types(self) -> list[SourceType]:
        """Those of the table's columns."""
        return self._types

    def _planned(self, source: Postgres) -> ReadRequest:
        catalog = source.describe(["public"], brief=True)
        table = catalog.table(self.table)
        assert table is not None
        asked = {"key": table.primary_key.columns if table.primary_key else (), "reader": "test", **self.asked}
        left_out = asked.pop("without", ())
        taken = tuple(column for column in table.columns if column.name not in left_out)
        feed = LogicalReplication(source, Followed(table, catalog, taken, **asked))
        if (wrong := feed.obstacle()) is not None:
            raise PlanError(wrong)
        self._types = [column.type for column in taken]
        mapped = [(column, map_type("postgres", column.type)) for column in taken]
        reads = tuple(ColumnRead(c.name, c.name, m.read_as, None if m.parts else m.arrow) for c, m in mapped)
        changes = None
        if self.position is not None:
            lost = feed.alive(self.position)
            if lost is not None and not feed.begins_anew:
                raise PositionLost(lost)
            if lost is None:
                self.begun = feed.now(self.position)
                (changes,) = feed.read(self.position, self.begun)
        if changes is None:
            self.begun = feed.now()
            changes = feed.snapshot()
        self.notes = feed.notes()
        return ReadRequest(table=self.table, columns=reads, changes=changes)
