"""Writing into PostgreSQL where it would help itself: another value, another number, a text that is cut off."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.errors import WriteError
from tests.connectors.postgres.conftest import PostgresShop
from tests.servers.postgres import version_of_tests


def write(shop: PostgresShop, data: pa.Table, table: str = "t", **options: Any) -> None:
    options.setdefault("run_id", "one")
    shop.server.write_buffer(TableName(shop.schema, table), data, **options)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("varchar(3)", "four"),
        ("char(3)", "four"),
        ("smallint", 40_000),
        ("integer", 1.5),
        ("numeric(5,2)", Decimal("1.005")),
        ("numeric(5,2)", 1.005),
        ("real", 0.1),
        ("date", datetime(2024, 1, 1, 12)),
        ("timestamp(0)", datetime(2024, 1, 1, 0, 0, 0, 500000)),
        ("time(0)", time(12, 0, 0, 500000)),
        ("bit(3)", "10"),
        ("jsonb", '{"a": 1, "a": 2}'),
        ("text", "a\x00b"),
        ("money", Decimal("1.005")),
    ],
)
def test_a_value_that_a_column_would_change_is_refused(shop: PostgresShop, declared: str, value: Any) -> None:
    """An assignment rounds, and a cast to a type with a length cuts off, both without a word."""
    shop.sql(f"CREATE TABLE {{schema}}.t (v {declared} NULL)")
    with pytest.raises(WriteError):
        write(shop, pa.table({"v": [value]}))
    assert shop.fetch("SELECT count(*)::int FROM {schema}.t") == [(0,)]


def test_values_of_other_types_are_written_where_the_column_holds_them(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TYPE {schema}.mood AS ENUM ('a', 'b')",
        "CREATE TABLE {schema}.t (a integer, b numeric, c numeric(30,20), d uuid, e {schema}.mood, f int[], g inet, "
        "h integer, i timestamptz, j json, k smallint)",
    )
    data = {
        "a": pa.array([7], pa.int64()),
        "b": pa.array([1 / 3], pa.float64()),
        "c": pa.array([Decimal("1.00000000000000000001")], pa.decimal128(30, 20)),
        "d": ["0ED93FF9-eaf1-11f1-ad16-02fc00000001"],
        "e": ["b"],
        "f": ["{1,NULL}"],
        "g": ["10.0.0.1/32"],
        "h": [True],
        "i": pa.array([0], pa.timestamp("ms", "Asia/Tokyo")),
        "j": ['{"b":1,  "a":2}'],
        "k": pa.array([255], pa.uint8()),
    }
    write(shop, pa.table(data))
    found = shop.fetch("SELECT a, b::text, c::text, d::text, e::text, f::text, h, i::text, j::text, k FROM {schema}.t")
    texts = ("0.3333333333333333", "1.00000000000000000001", "0ed93ff9-eaf1-11f1-ad16-02fc00000001", "b", "{1,NULL}")
    assert found == [(7, *texts, 1, "1970-01-01 00:00:00+00", '{"b":1,  "a":2}', 255)]


def test_a_column_that_draws_its_own_numbers_keeps_those_that_it_is_given(shop: PostgresShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int)")
    write(shop, pa.table({"id": pa.array([0, -5], pa.int32()), "v": pa.array([1, 2], pa.int32())}))
    one = pa.table({"id": pa.array([-5, 7], pa.int32()), "v": pa.array([20, 3], pa.int32())})
    write(shop, one, mode=WriteMode.MERGE, key=("id",), run_id="two")
    assert shop.fetch("SELECT id, v FROM {schema}.t ORDER BY id") == [(-5, 20), (0, 1), (7, 3)]


def test_keys_that_the_database_takes_for_one_are_refused_as_twice_the_same(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public", "CREATE TABLE {schema}.t (k citext PRIMARY KEY, v int)"
    )
    twice = pa.table({"k": ["a", "A"], "v": pa.array([1, 2], pa.int32())})
    with pytest.raises(WriteError, match="more than once"):
        write(shop, twice, mode=WriteMode.MERGE, key=("k",))
    write(shop, twice.slice(0, 1), mode=WriteMode.MERGE, key=("k",), run_id="two")
    write(shop, twice.slice(1), mode=WriteMode.MERGE, key=("k",), run_id="three")
    assert shop.fetch("SELECT v FROM {schema}.t") == [(2,)]


def test_what_another_constraint_refuses_leaves_the_table_as_it_was_and_tells_no_row(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, u text UNIQUE, g text GENERATED ALWAYS AS (u || '!') STORED)",
        "INSERT INTO {schema}.t (id, u) VALUES (1, 'one'), (2, 'secret')",
    )
    data = pa.table({"id": pa.array([1, 3], pa.int32()), "u": ["other", "secret"]})
    with pytest.raises(WriteError, match="duplicate key value violates unique constraint") as failed:
        write(shop, data, mode=WriteMode.MERGE, key=("id",))
    assert "secret" not in str(failed.value)
    assert shop.fetch("SELECT id, u, g FROM {schema}.t ORDER BY id") == [(1, "one", "one!"), (2, "secret", "secret!")]
    with pytest.raises(WriteError, match="has no column 'g' to write to"):
        write(shop, pa.table({"id": pa.array([9], pa.int32()), "g": ["9"]}))


def test_a_document_is_written_whatever_the_order_of_its_keys(shop: PostgresShop) -> None:
    """jsonb orders them by their length; a key that is there twice it loses, and that is refused."""
    shop.sql("CREATE TABLE {schema}.t (id int PRIMARY KEY, j jsonb, k jsonb)", "INSERT INTO {schema}.t VALUES (1, '1')")
    sent = ['{"bb": 1.10,  "a": {"z": [1, {"y": null, "x": 2}]}}', None]
    data = pa.table({"id": pa.array([1, 2], pa.int32()), "j": pa.array(sent, pa.string())})
    if version_of_tests() < 16:
        # It cannot tell a key that is there twice: what is not in jsonb's own form is refused.
        with pytest.raises(WriteError, match=r"t\.j is jsonb: 1 values of the data would be changed"):
            write(shop, data, mode=WriteMode.MERGE, key=("id",))
        return
    write(shop, data, mode=WriteMode.MERGE, key=("id",))
    found = shop.fetch("SELECT j::text FROM {schema}.t ORDER BY id")
    assert found == [('{"a": {"z": [1, {"x": 2, "y": null}]}, "bb": 1.10}',), (None,)]
    twice = pa.table({"id": pa.array([3], pa.int32()), "j": ['{"a": {"b": 1, "b": 2}}']})
    with pytest.raises(WriteError, match=r"t\.j: 1 documents have a key twice"):
        write(shop, twice, run_id="two")
    with pytest.raises(WriteError, match="invalid input syntax for type json"):
        write(shop, pa.table({"id": pa.array([3], pa.int32()), "j": ["{"]}), run_id="three")
