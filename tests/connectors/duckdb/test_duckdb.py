"""What DuckDB has of its own as a source."""

from __future__ import annotations

import pytest

from el.connectors.catalog import TableName
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.request import Condition, Op, ReadRequest, Value
from el.errors import ReadError

TABLE = TableName("main", "t")


def test_a_filter_finds_the_labels_of_an_enumeration_as_they_were_declared() -> None:
    with DuckDb(DuckDbConfig()) as source:
        source.connection.execute("CREATE TYPE mood AS ENUM ('Open', 'closed', 'It''s (Late)')")
        source.connection.execute("CREATE TABLE t (id INTEGER, m mood)")
        source.connection.execute("INSERT INTO t VALUES (1, 'Open'), (2, 'closed'), (3, 'It''s (Late)')")
        table = source.describe().table(TABLE)
        column = table.column("m") if table else None
        assert column is not None

        def found(op: Op, label: str) -> list[int]:
            where = (Condition("m", op, Value(label, column.type)),)
            return [row["id"] for row in source.read_buffer(ReadRequest(TABLE, where=where)).to_arrow().to_pylist()]

        assert [found(Op.EQ, label) for label in ("Open", "closed", "It's (Late)")] == [[1], [2], [3]]
        assert found(Op.GT, "Open") == [2, 3], "in the order of the enumeration"
        with pytest.raises(ReadError, match="'nope'"):
            found(Op.EQ, "nope")
