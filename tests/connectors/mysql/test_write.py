"""Writing into MySQL where it would help itself: another value, another number, another time, half of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.errors import WriteError
from tests.conformance.facts import MYSQL
from tests.connectors.mysql.conftest import MySqlShop


@pytest.fixture(params=["LOAD DATA LOCAL", "INSERT"])
def loading(request: pytest.FixtureRequest, shop: MySqlShop) -> Iterator[str]:
    """Either way in which rows come in; the second is that of a server that forbids the first, as MySQL 8 does."""
    if request.param == "INSERT":
        shop.sql("SET GLOBAL local_infile = 0")
    yield str(request.param)
    shop.sql("SET GLOBAL local_infile = 1")


def write(shop: MySqlShop, data: pa.Table, table: str = "t", **options: Any) -> None:
    options.setdefault("run_id", "one")
    shop.server.write_buffer(TableName(shop.schema, table), data, **options)


def test_edge_values_of_every_type_are_written_either_way(shop: MySqlShop, loading: str) -> None:
    columns = {f"c{number}": held for number, held in enumerate(MYSQL.held)}
    listed = ", ".join(f"{name} {held.declared} NULL" for name, held in columns.items())
    shop.sql(f"CREATE TABLE {{schema}}.t (id INT PRIMARY KEY, {listed})")
    most = max(len(held.values) for held in columns.values())
    made = {n: pa.array([*h.values, *[None] * (most - len(h.values))], h.arrow) for n, h in columns.items()}
    data = pa.table({"id": pa.array(range(most), pa.int32()), **made})
    write(shop, data)
    # What was staged is compared by the write itself; a table that is read again shows that it is what stands there.
    found = shop.server.read_buffer(ReadRequest(table=TableName(shop.schema, "t"), order_by=("id",))).to_arrow()
    for name, held in columns.items():
        assert [str(v) for v in found.column(name).cast(held.arrow).to_pylist()] == [
            str(v) for v in data.column(name).to_pylist()
        ], held


def test_rows_beyond_one_statement_and_one_packet_are_all_there(shop: MySqlShop, loading: str) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT PRIMARY KEY, v LONGTEXT)")
    rows = 20_000
    write(shop, pa.table({"id": pa.array(range(rows), pa.int32()), "v": pa.array(["'\\\t\n" * 200] * rows)}))
    assert shop.fetch("SELECT COUNT(*), MIN(LENGTH(v)), MAX(id) FROM {schema}.t") == [(rows, 800, rows - 1)]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("VARCHAR(3)", "four"),
        ("VARCHAR(9) CHARACTER SET utf8mb3", "😀"),
        ("VARCHAR(9) CHARACTER SET latin1", "日本"),
        ("TINYINT", 128),
        ("INT UNSIGNED", -1),
        ("DECIMAL(5,2)", Decimal("1.005")),
        ("ENUM('a')", "A"),
        ("DATETIME", 1.5),
        ("DOUBLE", float("nan")),
        ("DOUBLE", -0.0),
        ("BINARY(4)", b"\x01"),
        ("TIMESTAMP", "1900-01-01"),
    ],
)
def test_a_value_that_a_column_would_change_is_refused_either_way(
    shop: MySqlShop, loading: str, declared: str, value: Any
) -> None:
    """LOAD DATA LOCAL makes warnings of all errors: a text is cut, a number is another one, and the load is done."""
    shop.sql(f"CREATE TABLE {{schema}}.t (v {declared} NULL)")
    with pytest.raises(WriteError, match=r"(?s)\.v is .*cast the data"):
        write(shop, pa.table({"v": [value]}))
    assert shop.fetch("SELECT COUNT(*) FROM {schema}.t") == [(0,)]


def test_a_numbered_column_keeps_the_numbers_that_it_is_given_zero_too(shop: MySqlShop, loading: str) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
    write(shop, pa.table({"id": pa.array([0, -5, 7], pa.int32()), "v": pa.array([1, 2, 3], pa.int32())}))
    assert shop.fetch("SELECT id, v FROM {schema}.t ORDER BY id") == [(-5, 2), (0, 1), (7, 3)]
    write(shop, pa.table({"v": pa.array([4], pa.int32())}), run_id="two")
    assert shop.fetch("SELECT id FROM {schema}.t WHERE v = 4") == [(8,)]


@pytest.mark.parametrize(
    "declared", ["INT AUTO_INCREMENT PRIMARY KEY", "TIMESTAMP NOT NULL DEFAULT NOW()", "INT NOT NULL"]
)
def test_null_is_no_request_for_a_value_of_the_servers_own(shop: MySqlShop, loading: str, declared: str) -> None:
    shop.sql(f"CREATE TABLE {{schema}}.t (v {declared}, w INT)")
    with pytest.raises(WriteError, match=r"t\.v is NOT NULL, and 1 rows of the data have no value"):
        write(shop, pa.table({"v": pa.nulls(1, pa.int32()), "w": pa.array([1], pa.int32())}))
    assert shop.fetch("SELECT COUNT(*) FROM {schema}.t") == [(0,)]


def test_a_table_without_transactions_is_refused(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT) ENGINE = MyISAM")
    with pytest.raises(WriteError, match="is MyISAM, which has no transactions"):
        write(shop, pa.table({"id": pa.array([1], pa.int32())}))


def test_keys_that_the_database_takes_for_one_are_refused_as_twice_the_same(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (k VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)")
    with pytest.raises(WriteError, match="more than once"):
        write(shop, pa.table({"k": ["a", "A"], "v": pa.array([1, 2], pa.int32())}), mode=WriteMode.MERGE, key=("k",))
    write(shop, pa.table({"k": ["a"], "v": pa.array([1], pa.int32())}), mode=WriteMode.MERGE, key=("k",), run_id="two")
    write(
        shop, pa.table({"k": ["A"], "v": pa.array([2], pa.int32())}), mode=WriteMode.MERGE, key=("k",), run_id="three"
    )
    assert shop.fetch("SELECT v FROM {schema}.t") == [(2,)]


def test_what_another_constraint_refuses_leaves_the_table_as_it_was(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, u INT UNIQUE, g INT AS (u + 1))",
        "INSERT INTO {schema}.t (id, u) VALUES (1, 1), (2, 2)",
    )
    data = pa.table({"id": pa.array([1, 3], pa.int32()), "u": pa.array([5, 2], pa.int32())})
    with pytest.raises(WriteError, match="Duplicate entry '2'"):
        write(shop, data, mode=WriteMode.MERGE, key=("id",))
    assert shop.fetch("SELECT id, u, g FROM {schema}.t ORDER BY id") == [(1, 1, 2), (2, 2, 3)]
    with pytest.raises(WriteError, match="has no column 'g' to write to"):
        write(shop, pa.table({"id": pa.array([9], pa.int32()), "g": pa.array([9], pa.int32())}))


@pytest.mark.parametrize("collation", ["utf8mb4_unicode_ci", "latin1_swedish_ci", "utf8mb3_czech_ci"])
def test_writes_are_noted_in_the_audit_whatever_the_databases_collation_is(shop: MySqlShop, collation: str) -> None:
    shop.sql(f"ALTER SCHEMA {{schema}} COLLATE {collation}", "CREATE TABLE {schema}.t (id INT)")
    for run in ("one", "two"):
        write(shop, pa.table({"id": pa.array([1], pa.int32())}), run_id=run)
    assert shop.fetch("SELECT run_id FROM {schema}._el_audit ORDER BY 1") == [("one",), ("two",)]
