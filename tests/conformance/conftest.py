"""Every test of this folder, once for each connector, in a schema of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.base import ArrowStream, Target, WriteMode, WriteResult
from el.connectors.catalog import SourceType, TableName
from el.connectors.registry import connector_class, open_connector
from el.connectors.request import ColumnRead, ReadRequest
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from el.connectors.type_rules import map_type
from tests.conformance.facts import ALL, Facts
from tests.conformance.line import Line, line_to


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "held" in metafunc.fixturenames:
        pairs = [(facts, held) for facts in ALL for held in facts.held]
        metafunc.parametrize(("facts", "held"), pairs, ids=[f"{f}-{h}" for f, h in pairs], scope="session")
    elif "facts" in metafunc.fixturenames:
        # What a role may is asked in front of all drivers: one of each database will do.
        one_each = tuple({facts.scheme: facts for facts in reversed(ALL)}.values())
        found = one_each if "role" in metafunc.fixturenames else ALL
        metafunc.parametrize("facts", found, ids=str, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        facts = getattr(item, "callspec", None) and item.callspec.params.get("facts")  # type: ignore[attr-defined]
        if not isinstance(facts, Facts):
            continue
        test = item.originalname  # type: ignore[attr-defined]
        for place in (test, item.name):
            if reason := facts.never.get(place) or facts.gaps.get(place):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    # All tests of one connector follow each other, so that its server is started once.
    order = {facts.name: number for number, facts in enumerate(ALL)}

    def place(item: pytest.Item) -> int:
        callspec = getattr(item, "callspec", None)
        facts = callspec.params.get("facts") if callspec else None
        return order[facts.name] if isinstance(facts, Facts) else -1

    items.sort(key=place)


@pytest.fixture(scope="session")
def outputs() -> Iterator[Callable[[Facts], dict[str, Any]]]:
    """The profile output of a connector's server, started when it is first asked for."""
    started: dict[Any, dict[str, Any]] = {}
    with ExitStack() as stack:

        def output(facts: Facts) -> dict[str, Any]:
            if facts.server not in started:
                started[facts.server] = stack.enter_context(facts.server())
            return {**started[facts.server], **facts.options}

        yield output


@dataclass
class Place:
    """An open connector, and a schema that nobody else uses. What was written is read by another session."""

    facts: Facts
    output: dict[str, Any]
    connector: SqlConnector
    schema: str
    _reader: SqlConnector | None = None

    def another(self) -> SqlTarget:
        found = open_connector(self.output)
        assert isinstance(found, SqlTarget)
        return found

    @property
    def reader(self) -> SqlConnector:
        if self._reader is None:
            self._reader = self.another()
            self._reader.connect()
        return self._reader

    def close(self) -> None:
        """Every session is closed; what is asked next opens new ones."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.connector.close()

    def run(self, sql: str) -> None:
        self.connector.execute(Statement(sql))

    def create(self, name: str, columns: dict[str, str]) -> TableName:
        table = TableName(self.schema, name)
        quote = self.connector.dialect.quote
        listed = ", ".join(f"{quote(column)} {type_}" for column, type_ in columns.items())
        self.run(f"CREATE TABLE {self.connector.dialect.quote_table(table)} ({listed})")
        return table

    def table(self, name: str) -> TableName:
        return TableName(self.schema, name)

    def plain(self, name: str = "plain") -> TableName:
        return self.create(name, {"id": f"{self.facts.whole} NOT NULL", "note": self.facts.text})

    def write(
        self, table: TableName, data: ArrowStream, mode: WriteMode = WriteMode.APPEND, **options: Any
    ) -> WriteResult:
        options.setdefault("run_id", uuid.uuid4().hex)
        assert isinstance(self.connector, Target)
        return self.connector.write_buffer(table, data, mode, **options)

    def rows(self, table: TableName) -> list[tuple[Any, ...]]:
        """All rows that are committed, sorted by their first column."""
        read = self.reader.read_buffer(ReadRequest(table=table)).to_arrow()
        return sorted(tuple(row.values()) for row in read.to_pylist())

    def type_of(self, declared: str) -> SourceType:
        return self.connector.parse_type(declared)

    def read_as(self, column: str, type_: SourceType) -> ColumnRead:
        expression = map_type(self.facts.scheme, type_).read_as if connector_class(self.facts.scheme).rules else None
        return ColumnRead(column, column, expression)


@pytest.fixture
def place(facts: Facts, outputs: Callable[[Facts], dict[str, Any]]) -> Iterator[Place]:
    output = outputs(facts)
    with open_connector(output) as connector:
        assert isinstance(connector, SqlConnector)
        schema = f"s_{uuid.uuid4().hex[:12]}"
        connector.execute(Statement(f"CREATE SCHEMA {connector.dialect.quote(schema)}"))
        place = Place(facts, output, connector, schema)
        yield place
        place.close()


@pytest.fixture
def over_a_line(place: Place) -> Iterator[tuple[SqlTarget, Line]]:
    """A connector of its own, and the line to its server, which can be cut."""
    if not place.facts.line:
        pytest.skip("no line lies between")
    with line_to(str(place.output["host"]), int(place.output["port"])) as line:
        connector = open_connector({**place.output, "host": "127.0.0.1", "port": line.port})
        assert isinstance(connector, SqlTarget)
        with connector:
            yield connector, line


def numbered(*ids: int, note: str = "note") -> pa.Table:
    """Rows for `Place.plain`."""
    return pa.table({"id": pa.array(ids, pa.int64()), "note": pa.array([f"{note} {n}" for n in ids], pa.string())})
