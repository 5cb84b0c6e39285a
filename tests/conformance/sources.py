"""Who takes part in the suite for sources, and how a test fills each of them."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from el.connectors.base import Source
from el.connectors.registry import open_connector
from el.connectors.sql.select import Statement
from el.errors import ElError
from el.types.rule import TypeKind
from tests.conformance.conftest import Place
from tests.conformance.facts import (
    ALL,
    BYTES,
    COMMON,
    FLOATS,
    INSTANTS,
    INT64,
    MOMENTS,
    TEXTS,
    Facts,
    Held,
    Output,
)
from tests.guests import installed, on_path


class Stock(ABC):
    """An open source, and a schema that nobody else uses, to be filled with tables."""

    output: Output
    connector: Source
    schema: str

    @abstractmethod
    def make(self, name: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        """A table of this name, its columns as the database declares them; `id` is its key."""

    @abstractmethod
    def add(self, name: str, rows: pa.Table) -> None: ...

    @abstractmethod
    def put(self, name: str, id_: int, value: int) -> None:
        """Insert a row, or update it where there is one of this key."""

    @abstractmethod
    def move(self, name: str, id_: int, to: int) -> None:
        """Give a row another key, by one update."""

    @abstractmethod
    def remove(self, name: str, id_: int) -> None: ...

    @abstractmethod
    def follow(self, name: str, feed: str) -> None:
        """Let the source keep the changes of this table from now on, in this feed."""

    @abstractmethod
    def forget(self, name: str, feed: str) -> None:
        """Let the feed lose the changes that it has up to now."""

    def gather(self, name: str) -> None:  # noqa: B027
        """Let the source note how the values of `v` lie, if it can."""

    @abstractmethod
    def widen(self, name: str, column: str, declared: str) -> None:
        """Give the column a wider type."""


_SPACED = frozenset({TypeKind.WHOLE, TypeKind.DECIMAL, TypeKind.DATE, TypeKind.MOMENT})


@dataclass(frozen=True)
class SourceFacts:
    """A source as the suite needs to know it."""

    name: str
    whole: str  # its type for ids
    held: tuple[Held, ...]
    opened: Callable[[Callable[[Facts], Output]], Any]
    wide: tuple[str, str] = ("DECIMAL(5,2)", "DECIMAL(12,2)")  # a type, and a wider one of that kind
    divided: str = "partition_by: v, partitions: 4"  # how el.yml says that a table is read in four parts
    feeds: tuple[str, ...] = ()  # those by which the suite follows its tables
    divides: frozenset[TypeKind] = frozenset()  # columns of which kinds the suite's tables are divided by

    def __str__(self) -> str:
        return self.name


# -- SQL -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SqlFeed:
    """What turns a feed on, for the database and for a table, and what makes it forget."""

    database: tuple[str, ...]
    table: str
    forget: str


@dataclass
class SqlStock(Stock):
    place: Place
    altered: str
    feeds: Mapping[str, SqlFeed]
    declared: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.output, self.connector, self.schema = self.place.output, self.place.connector, self.place.schema

    def make(self, name: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        table = self.place.create(name, {"id": f"{columns['id']} NOT NULL PRIMARY KEY", "v": columns["v"]})
        self.place.write(table, rows)

    def add(self, name: str, rows: pa.Table) -> None:
        self.place.write(self.place.table(name), rows)

    def put(self, name: str, id_: int, value: int) -> None:
        table = self.place.table(name)
        if self.connector.execute(Statement(f"UPDATE {table} SET v = {value} WHERE id = {id_}")) == 0:
            self.place.run(f"INSERT INTO {table} (id, v) VALUES ({id_}, {value})")

    def move(self, name: str, id_: int, to: int) -> None:
        self.place.run(f"UPDATE {self.place.table(name)} SET id = {to} WHERE id = {id_}")

    def remove(self, name: str, id_: int) -> None:
        self.place.run(f"DELETE FROM {self.place.table(name)} WHERE id = {id_}")

    def follow(self, name: str, feed: str) -> None:
        for statement in self.feeds[feed].database:
            with suppress(ElError):  # The database of all tests may have it on.
                self.place.run(statement)
        self.place.run(self.feeds[feed].table.format(schema=self.schema, table=name))

    def forget(self, name: str, feed: str) -> None:
        self.place.run(self.feeds[feed].forget.format(schema=self.schema, table=name))

    def gather(self, name: str) -> None:
        self.place.run(_GATHERED[self.output["type"]].format(table=self.place.table(name)))

    def widen(self, name: str, column: str, declared: str) -> None:
        table = self.place.table(name)
        self.place.run(self.altered.format(table=table, column=column, declared=declared))


def _sql(facts: Facts, altered: str, feeds: Mapping[str, SqlFeed]) -> SourceFacts:
    @contextmanager
    def opened(outputs: Callable[[Facts], Output]) -> Iterator[Stock]:
        output = outputs(facts)
        with open_connector(output) as connector:
            schema = f"s_{uuid.uuid4().hex[:12]}"
            connector.execute(Statement(f"CREATE SCHEMA {connector.dialect.quote(schema)}"))
            yield SqlStock(Place(facts, output, connector, schema), altered, feeds)

    # MySQL tells nothing of texts; and the stand-in of SQL Server nothing of one table where another has numbers of 38
    # digits, so that of its texts connectors/sqlserver/test_statistics.py tells.
    known = frozenset({TypeKind.TEXT, TypeKind.BYTES} if facts.scheme in ("duckdb", "postgres") else ())
    divides = _SPACED | known
    return SourceFacts(facts.name, facts.whole, facts.held, opened, feeds=tuple(feeds), divides=divides)


# -- JSON lines ----------------------------------------------------------------------------------------------------


@dataclass
class JsonStock(Stock):
    output: Output
    connector: Source
    schema: str
    folder: Path

    def make(self, name: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        self._file(name).parent.mkdir(parents=True, exist_ok=True)
        said = {"columns": {**columns, "id": f"{columns['id']} not null"}, "key": ["id"]}
        self._file(name).with_suffix(".json").write_text(json.dumps(said))
        self.add(name, rows)

    def add(self, name: str, rows: pa.Table) -> None:
        with self._file(name).open("a", encoding="utf-8") as file:
            for row in rows.to_pylist():
                file.write(json.dumps(row, default=_json) + "\n")

    def put(self, name: str, id_: int, value: int) -> None:
        self._change(name, {**self._rows(name), id_: value}, ("U", {"id": id_, "v": value}))

    def move(self, name: str, id_: int, to: int) -> None:
        rows = self._rows(name)
        value = rows.pop(id_)
        self._change(name, {**rows, to: value}, ("D", {"id": id_}), ("U", {"id": to, "v": value}))

    def remove(self, name: str, id_: int) -> None:
        rows = self._rows(name)
        del rows[id_]
        self._change(name, rows, ("D", {"id": id_}))

    def _rows(self, name: str) -> dict[int, int]:
        lines = self._file(name).read_text().splitlines()
        return {row["id"]: row["v"] for row in map(json.loads, lines)}

    def _change(self, name: str, rows: dict[int, int], *changes: tuple[str, dict[str, int]]) -> None:
        self._file(name).write_text("".join(f"{json.dumps({'id': id_, 'v': v})}\n" for id_, v in rows.items()))
        with self._file(name).with_suffix(".log").open("a") as log:
            log.writelines(f"{json.dumps({'op': op, 'row': row})}\n" for op, row in changes)

    def follow(self, name: str, feed: str) -> None:
        self._file(name).with_suffix(".log").write_text(f"{json.dumps({'first': 1})}\n")

    def forget(self, name: str, feed: str) -> None:
        log = self._file(name).with_suffix(".log")
        first, *changes = log.read_text().splitlines()
        log.write_text(f"{json.dumps({'first': json.loads(first)['first'] + len(changes)})}\n")

    def widen(self, name: str, column: str, declared: str) -> None:
        path = self._file(name).with_suffix(".json")
        said = json.loads(path.read_text())
        said["columns"][column] = declared
        path.write_text(json.dumps(said))

    def _file(self, name: str) -> Path:
        return self.folder / self.schema / f"{name}.jsonl"


def _json(value: Any) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return str(value.isoformat())


@contextmanager
def _jsonlines(_: Callable[[Facts], Output]) -> Iterator[Stock]:
    # A mutant takes the guest's place, to see that the suite finds its fault.
    found = os.environ.get("EL_TEST_JSONLINES", "el_jsonlines:JsonLines")
    with tempfile.TemporaryDirectory() as name:
        folders = installed(Path(name) / "site", "el_jsonlines", f"jsonlines = {found}")
        output = {"type": "jsonlines", "folder": str(Path(name) / "store")}
        (Path(name) / "store").mkdir()
        with on_path(folders), open_connector(output) as connector:
            assert isinstance(connector, Source)
            yield JsonStock(output, connector, "things", Path(name) / "store")


JSONLINES = SourceFacts(
    name="jsonlines",
    whole="whole",
    held=(
        *(Held(held.declared.lower().replace("date", "day"), held.arrow, held.values) for held in COMMON),
        Held("whole", pa.int64(), INT64),
        Held("double", pa.float64(), FLOATS),
        Held("flag", pa.bool_(), (True, False)),
        Held("string", pa.string(), TEXTS),
        Held("bytes", pa.binary(), BYTES),
        Held("moment", pa.timestamp("us"), MOMENTS),
        Held("second", pa.timestamp("us"), (datetime(1, 1, 1), datetime(2024, 2, 29, 12, 0, 1))),
        Held("instant", pa.timestamp("us", "UTC"), INSTANTS),
    ),
    opened=_jsonlines,
    wide=("decimal(5,2)", "decimal(12,2)"),
    divided="partitions: 4",
    feeds=("log",),
)


_GATHERED = {
    "duckdb": "SELECT 0",
    "mysql": "ANALYZE TABLE {table}",
    "postgres": "ANALYZE {table}",
    "sqlserver": "SELECT 0",
}
_ALTERED = {
    "duckdb": "ALTER TABLE {table} ALTER COLUMN {column} TYPE {declared}",
    "mysql": "ALTER TABLE {table} MODIFY {column} {declared}",
    "postgres": "ALTER TABLE {table} ALTER COLUMN {column} TYPE {declared}",
    "sqlserver": "ALTER TABLE {table} ALTER COLUMN {column} {declared}",
}
_FEEDS = {
    # A server's log has the changes of all tables.
    # Of the slots of all tests, those that are at hand: a reader has one of his own.
    "postgres": {
        "logical_replication": SqlFeed(
            # Of all tables, it would keep other tests from changing those without a key.
            ("CREATE PUBLICATION el",),
            "DO $$ BEGIN ALTER TABLE {schema}.{table} REPLICA IDENTITY FULL; "
            "ALTER PUBLICATION el ADD TABLE {schema}.{table}; END $$",
            "DO $$ BEGIN PERFORM pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            "WHERE database = current_database() AND NOT active; END $$",
        )
    },
    "mysql": {"binlog": SqlFeed((), "DO 0", "RESET MASTER")},
    "sqlserver": {
        "change_tracking": SqlFeed(
            ("ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)",),
            "ALTER TABLE {schema}.{table} ENABLE CHANGE_TRACKING",
            "EXEC sys.sp_flush_CT_internal_table_on_demand '{schema}.{table}'",
        ),
        "cdc": SqlFeed(
            ("EXEC sys.sp_cdc_enable_db",),
            "EXEC sys.sp_cdc_enable_table @source_schema = N'{schema}', @source_name = N'{table}', @role_name = NULL",
            "DECLARE @low BINARY(10) = sys.fn_cdc_increment_lsn(sys.fn_cdc_get_max_lsn()); EXEC "
            "sys.sp_cdc_cleanup_change_table @capture_instance = N'{schema}_{table}', @low_water_mark = @low, "
            "@threshold = 1",
        ),
    },
}
# Of one database's drivers one takes part: what a driver does with values is said by the other suites.
_FACTS = {facts.scheme: facts for facts in reversed(ALL)}
SOURCES = (JSONLINES, *(_sql(_FACTS[scheme], altered, _FEEDS.get(scheme, {})) for scheme, altered in _ALTERED.items()))
