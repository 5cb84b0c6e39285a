"""Each type over its range, taken by `el run`: what stands in raw is what PostgreSQL holds, or the table stops."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from el.connectors.catalog import SourceType
from el.connectors.postgres.types import RULES
from el.reporting import types_page
from el.types.rule import TypeKind, facts_of
from tests.connectors.postgres.conftest import PostgresShop

NINES = "9" * 60
# Declared, literals, what stands in raw.
EXACT: tuple[tuple[str, tuple[str, ...], tuple[Any, ...]], ...] = (
    ("boolean", ("true", "false"), (True, False)),
    ("smallint", ("-32768", "32767"), (-(2**15), 2**15 - 1)),
    ("integer", ("-2147483648",), (-(2**31),)),
    ("bigint", ("-9223372036854775808", "9223372036854775807"), (-(2**63), 2**63 - 1)),
    # Read as a signed number it is -1.
    ("oid", ("4294967295",), (2**32 - 1,)),
    ("numeric", (NINES + ".000", "'NaN'", "'-Infinity'", "1.50"), (NINES + ".000", "NaN", "-Infinity", "1.50")),
    ("numeric(38,10)", ("9" * 28 + "." + "9" * 10,), (Decimal("9" * 28 + "." + "9" * 10),)),
    ("numeric(20,15)", ("0.123456789012345",), (Decimal("0.123456789012345"),)),
    ("numeric(50,20)", ("9" * 30 + ".00000000000000000001",), ("9" * 30 + ".00000000000000000001",)),
    ("numeric(38,38)", ("0." + "0" * 37 + "1",), ("0." + "0" * 37 + "1",)),
    # A bare number of cents.
    ("money", ("'-92233720368547758.08'", "12.34"), (Decimal("-92233720368547758.08"), Decimal("12.34"))),
    ("real", ("16777216", "0.1", "'NaN'"), (16777216.0, 0.10000000149011612, float("nan"))),
    ("double precision", ("5e-324", "'-Infinity'", "'-0'"), (5e-324, float("-inf"), -0.0)),
    ("date", ("'0001-01-01'", "'9999-12-31'"), (date(1, 1, 1), date(9999, 12, 31))),
    ("timestamp", ("'9999-12-31 23:59:59.999999'",), (datetime(9999, 12, 31, 23, 59, 59, 999999),)),
    # The server's own zone is another one, and so is the literal's.
    ("timestamptz(3)", ("'2038-01-19 03:14:07.999+05:30'",), (datetime(2038, 1, 18, 21, 44, 7, 999000, tzinfo=UTC),)),
    ("time(6)", ("'23:59:59.999999'",), ("23:59:59.999999",)),
    ("timetz", ("'12:00:00.5-15:59:59'",), ("12:00:00.5-15:59:59",)),
    (
        "interval",
        ("'1 year 2 mons -3 days 04:05:06.000007'", "'178000000 years'", "'-00:00:00.000001'"),
        ("P1Y2M-3DT4H5M6.000007S", "P178000000Y", "PT-0.000001S"),
    ),
    ("text", ("repeat('ä', 200000)", "E'\\\\N'", "''"), ("ä" * 200000, "\\N", "")),
    ("varchar(20)", ("'日本語 😀'",), ("日本語 😀",)),
    ("char(5)", ("'ab'",), ("ab   ",)),
    ('"char"', ("'z'",), ("z",)),
    ("name", ("'Zoë'",), ("Zoë",)),
    ("bytea", ("'\\x00ff0a'", "''"), (b"\x00\xff\n", b"")),
    ("uuid", ("'0ED93FF9-eaf1-11f1-ad16-02fc00000001'",), ("0ed93ff9-eaf1-11f1-ad16-02fc00000001",)),
    # Keys twice, and a number with its zero.
    ("json", ('\'{"a":1,  "a":2, "n":1.10}\'',), ('{"a":1,  "a":2, "n":1.10}',)),
    ("jsonb", ("'{\"b\":123456789012345678901234567890.10}'",), ('{"b": 123456789012345678901234567890.10}',)),
    ("bit(3)", ("B'101'",), ("101",)),
    ("varbit", ("B'0001'", "B''"), ("0001", "")),
    ("integer[]", ("'{1,NULL,3}'", "'[0:1]={1,2}'", "'{}'"), ("{1,NULL,3}", "[0:1]={1,2}", "{}")),
    # Read as it comes it is flat: 1, 2, 3, 4.
    ("integer[][]", ("'{{1,2},{3,4}}'",), ("{{1,2},{3,4}}",)),
    ("text[]", ("ARRAY['a,b', 'NULL', '', 'q\"']",), ('{"a,b","NULL","","q\\""}',)),
    ("timestamptz[]", ("ARRAY[timestamptz '2024-01-01 00:00+05:30']",), ('{"2023-12-31 18:30:00+00"}',)),
    ("numrange", ("'(1.10,)'", "'empty'"), ("(1.10,)", "empty")),
    ("daterange", ("'[2024-01-01,2024-01-31]'",), ("[2024-01-01,2024-02-01)",)),
    ("{schema}.mood", ("'日'", "'b'"), ("日", "b")),
    ("{schema}.pair", ("ROW(1, 'x, y')", "ROW(NULL, '')"), ('(1,"x, y")', '(,"")')),
    ("{schema}.euros", ("12.34",), (Decimal("12.34"),)),
    ("citext", ("'ÄbC '",), ("ÄbC ",)),
    ("hstore", ("'a=>\"1\", b=>NULL'",), ('"a"=>"1", "b"=>NULL',)),
    ("inet", ("'10.0.0.1'", "'::1/64'"), ("10.0.0.1/32", "::1/64")),
    ("macaddr", ("'08:00:2b:01:02:03'",), ("08:00:2b:01:02:03",)),
    ("point", ("'(0.1,1e-300)'",), ("(0.1,1e-300)",)),
    ("tsvector", ("'a:1 b:2'",), ("'a':1 'b':2",)),
    ("pg_lsn", ("'16/B374D848'",), ("16/B374D848",)),
    ("xid8", ("'18446744073709551615'",), ("18446744073709551615",)),
)


def test_every_type_arrives_as_it_is_over_its_range(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public",
        "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public",
        "CREATE TYPE {schema}.mood AS ENUM ('b', 'a', '日')",
        "CREATE TYPE {schema}.pair AS (a int, b text)",
        "CREATE DOMAIN {schema}.euros AS numeric(12,2) CHECK (VALUE >= 0)",
    )
    for number, (declared, literals, _) in enumerate(EXACT):
        rows = ", ".join(f"({index}, {literal})" for index, literal in enumerate((*literals, "NULL")))
        shop.sql(
            f"CREATE TABLE {{schema}}.t{number} (id int PRIMARY KEY, v {declared} NULL)",
            f"INSERT INTO {{schema}}.t{number} VALUES {rows}",
        )
    shop.run(*(f"t{number}" for number in range(len(EXACT))))
    wrong = {}
    for number, (declared, _, wanted) in enumerate(EXACT):
        found = [row[0] for row in shop.raw(f"SELECT v FROM {{raw}}.t{number} ORDER BY id")]
        if [str(value) for value in found] != [str(value) for value in (*wanted, None)]:
            wrong[declared] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("declared", "odd", "plain"),
    [
        ("date", "infinity", "2024-02-29"),
        ("date", "-infinity", "2024-02-29"),
        ("timestamp", "infinity", "2024-02-29 12:00:00"),
        ("timestamptz", "-infinity", "2024-02-29 12:00:00+00"),
        ("time", "24:00:00", "12:00:00"),
        ("numeric(10,2)", "NaN", "1.50"),
    ],
)
def test_a_value_that_no_target_has_stops_its_table_alone_and_is_null_or_text_if_asked_for(
    shop: PostgresShop, declared: str, odd: str, plain: str
) -> None:
    """The driver's own numbers for infinity are those of other days, without a word."""
    shop.sql(
        f"CREATE TABLE {{schema}}.odd (id int PRIMARY KEY, v {declared} NULL)",
        f"INSERT INTO {{schema}}.odd VALUES (1, '{odd}'), (2, '{plain}'), (3, NULL)",
        "CREATE TABLE {schema}.plain (id int PRIMARY KEY)",
        "INSERT INTO {schema}.plain VALUES (1)",
    )
    taken = {t["table"].partition(".")[2]: t for t in shop.run("odd", "plain", says=1)["tables"]}
    assert taken["plain"]["status"] == "loaded"
    assert taken["odd"]["status"] == "failed"
    assert f"'v' has {'infinity' if 'infinity' in odd else ''}" in taken["odd"]["error"]
    assert "lossy: true" in taken["odd"]["error"]
    shop.run("odd, columns: {v: {lossy: true}}")
    found = shop.raw("SELECT v IS NULL FROM {raw}.odd ORDER BY id")
    assert found == [(True,), (False,), (True,)]
    shop.run("odd, columns: {v: {cast: text, rename: told}}")
    told = shop.raw("SELECT told FROM {raw}.odd WHERE told IS NOT NULL ORDER BY id")
    assert told == [(odd,), (plain,)]


def test_days_before_christ_are_days(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.old (id int PRIMARY KEY, d date, t timestamp)",
        "INSERT INTO {schema}.old VALUES (1, '0044-03-15 BC', '4713-01-01 00:00:00 BC'), "
        "(2, '5874897-12-31', '290000-01-01 00:00:00')",
    )
    shop.run("old")
    found = shop.raw("SELECT d::VARCHAR, t::VARCHAR FROM {raw}.old ORDER BY id")
    assert found == [
        ("0044-03-15 (BC)", "4713-01-01 (BC) 00:00:00"),
        ("5874897-12-31", "290000-01-01 00:00:00"),
    ]


def test_arrays_and_records_are_json_for_who_asks_for_it(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.g (id int PRIMARY KEY, v int[], w text[])",
        "INSERT INTO {schema}.g VALUES (1, '{{1,2},{3,NULL}}', ARRAY['a\"b'])",
    )
    shop.run("g", defaults=", types: lossy")
    assert shop.raw("SELECT v, w FROM {raw}.g") == [("[[1,2],[3,null]]", '["a\\"b"]')]


def test_a_query_of_ones_own_reads_its_columns_as_exactly_as_a_table(shop: PostgresShop) -> None:
    """Also one with an operator that looks like a parameter."""
    shop.sql(
        "CREATE TABLE {schema}.f (id oid PRIMARY KEY, v numeric(10,2), b int[][], j jsonb)",
        "INSERT INTO {schema}.f VALUES (4294967295, 1.5, '{{1},{2}}', '{\"k\": 1}')",
    )
    query = f"SELECT id, v, b, j ? ''k'' AS has, 1.50 AS d, NULL AS n FROM {shop.schema}.f"
    shop.run(f"own, query: '{query}', key: [id], filters: [{{column: id, op: \">\", value: 0}}]")
    found = shop.raw("SELECT id, v, b, has, d, n FROM {raw}.own")
    assert found == [(2**32 - 1, Decimal("1.50"), "{{1},{2}}", True, "1.50", None)]


CURSORS = {
    *("smallint", "int2", "integer", "int", "int4", "bigint", "int8", "oid", "numeric", "decimal", "money"),
    *("real", "float4", "double precision", "float8", "date", "timestamp", "timestamptz"),
    *("text", "varchar", "name", "citext", "char", "bpchar", "character"),
}


def test_which_types_can_be_a_cursor_and_why_others_cannot() -> None:
    found = {name: facts_of(RULES, SourceType(name)) for rule in RULES for name in rule.names}
    assert {name for name, facts in found.items() if facts.no_cursor is None} == CURSORS
    assert found["interval"].no_cursor == "is a length of time, and does not grow"
    assert found["timestamptz"].kind is TypeKind.INSTANT
    assert (found["timestamp"].scale, facts_of(RULES, SourceType("timestamp", scale=3)).scale) == (6, 3)
    assert found["real"].single


def test_the_documentation_has_the_table_of_these_rules() -> None:
    page = (Path(__file__).parents[3] / "docs" / "postgres.md").read_text(encoding="utf-8")
    assert types_page.rendered(page, "postgres") == page, "python -m el.reporting.types_page docs/postgres.md postgres"
