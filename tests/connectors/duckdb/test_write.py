"""Writing into DuckDB: what is only true there. The rest is the conformance suite's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.errors import WriteError

TABLE = TableName("main", "t")


@pytest.fixture
def db() -> Iterator[DuckDb]:
    with DuckDb(DuckDbConfig()) as connector:
        yield connector


def write(db: DuckDb, data: pa.Table, mode: WriteMode = WriteMode.APPEND, *key: str) -> list[Any]:
    db.write_buffer(TABLE, data, mode, key=key, run_id=uuid.uuid4().hex)
    return db.connection.execute("FROM t ORDER BY ALL").fetchall()


def test_keys_are_compared_as_the_target_compares_them(db: DuckDb) -> None:
    db.connection.execute("CREATE TABLE t (k VARCHAR, v INT)")
    db.connection.execute("INSERT INTO t VALUES ('01', 0), ('abc', 0)")
    assert write(db, pa.table({"k": [1], "v": [9]}), WriteMode.MERGE, "k") == [("01", 0), ("1", 9), ("abc", 0)]


def test_keys_that_the_targets_collation_takes_for_one_are_one(db: DuckDb) -> None:
    db.connection.execute("CREATE TABLE t (k VARCHAR COLLATE NOCASE, v INT)")
    db.connection.execute("INSERT INTO t VALUES ('a', 0)")
    assert write(db, pa.table({"k": ["A"], "v": [1]}), WriteMode.MERGE, "k") == [("a", 1)]
    with pytest.raises(WriteError, match=r"key k=.* more than once"):
        write(db, pa.table({"k": ["b", "B"], "v": [1, 2]}), WriteMode.MERGE, "k")


def test_a_uuid_is_the_same_in_either_case(db: DuckDb) -> None:
    db.connection.execute("CREATE TABLE t (u UUID)")
    told = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
    assert [str(u) for (u,) in write(db, pa.table({"u": [told]}))] == [told.lower()]
    with pytest.raises(WriteError, match="would be changed"):
        write(db, pa.table({"u": ["{" + told + "}"]}))
