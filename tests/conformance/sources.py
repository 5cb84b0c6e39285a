"""Who takes part in the suite for sources, and how a test fills each of them."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from el.connectors.base import Source
from el.connectors.registry import open_connector
from el.connectors.sql.select import Statement
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
    def widen(self, name: str, column: str, declared: str) -> None:
        """Give the column a wider type."""


@dataclass(frozen=True)
class SourceFacts:
    """A source as the suite needs to know it. whole: its type for ids. wide: a type, and a wider one of that kind."""

    name: str
    whole: str
    held: tuple[Held, ...]
    opened: Callable[[Callable[[Facts], Output]], Any]
    wide: tuple[str, str] = ("DECIMAL(5,2)", "DECIMAL(12,2)")

    def __str__(self) -> str:
        return self.name


# -- SQL -----------------------------------------------------------------------------------------------------------


@dataclass
class SqlStock(Stock):
    place: Place
    altered: str
    declared: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.output, self.connector, self.schema = self.place.output, self.place.connector, self.place.schema

    def make(self, name: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        table = self.place.create(name, {"id": f"{columns['id']} NOT NULL PRIMARY KEY", "v": columns["v"]})
        self.place.write(table, rows)

    def add(self, name: str, rows: pa.Table) -> None:
        self.place.write(self.place.table(name), rows)

    def widen(self, name: str, column: str, declared: str) -> None:
        table = self.place.table(name)
        self.place.run(self.altered.format(table=table, column=column, declared=declared))


def _sql(facts: Facts, altered: str) -> SourceFacts:
    @contextmanager
    def opened(outputs: Callable[[Facts], Output]) -> Iterator[Stock]:
        output = outputs(facts)
        with open_connector(output) as connector:
            schema = f"s_{uuid.uuid4().hex[:12]}"
            connector.execute(Statement(f"CREATE SCHEMA {connector.dialect.quote(schema)}"))
            yield SqlStock(Place(facts, output, connector, schema), altered)

    return SourceFacts(facts.name, facts.whole, facts.held, opened)


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
)


_ALTERED = {
    "duckdb": "ALTER TABLE {table} ALTER COLUMN {column} TYPE {declared}",
    "sqlserver": "ALTER TABLE {table} ALTER COLUMN {column} {declared}",
}
# Of one database's drivers one takes part: what a driver does with values is said by the other suites.
_FACTS = {facts.scheme: facts for facts in reversed(ALL)}
SOURCES = (JSONLINES, *(_sql(_FACTS[scheme], altered) for scheme, altered in _ALTERED.items()))
