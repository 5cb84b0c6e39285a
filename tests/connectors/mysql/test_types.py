"""Each type over its range, taken by `el run`: what stands in raw is what MySQL holds, or the table stops."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from el.connectors.catalog import SourceType
from el.connectors.mysql.types import RULES
from el.reporting import types_page
from el.types.rule import TypeKind, facts_of
from tests.connectors.mysql.conftest import MySqlShop

# Declared, literals, what stands in raw.
EXACT: tuple[tuple[str, tuple[str, ...], tuple[Any, ...]], ...] = (
    ("BIGINT UNSIGNED", ("18446744073709551615", "9223372036854775808"), (2**64 - 1, 2**63)),
    ("BIGINT", ("-9223372036854775808",), (-(2**63),)),
    ("INT(5) ZEROFILL", ("42",), (42,)),
    ("TINYINT(1)", ("2", "-128", "1"), (2, -128, 1)),
    ("MEDIUMINT UNSIGNED", ("16777215",), (2**24 - 1,)),
    ("YEAR", ("0", "1901", "2155"), (0, 1901, 2155)),
    (
        "DECIMAL(65,30)",
        ("-" + "9" * 35 + "." + "9" * 30, "0.000000000000000000000000000001"),
        ("-" + "9" * 35 + "." + "9" * 30, "0.000000000000000000000000000001"),
    ),
    ("DECIMAL(20,15)", ("0.123456789012345",), (Decimal("0.123456789012345"),)),
    # The server's own text of a FLOAT has six digits: 16777200.
    ("FLOAT", ("16777216", "0.1", "3.4028234663852886e38"), (16777216.0, 0.10000000149011612, 3.4028234663852886e38)),
    ("DOUBLE", ("5e-324", "1.7976931348623157e308"), (5e-324, 1.7976931348623157e308)),
    ("BIT(1)", ("b'1'", "b'0'"), (True, False)),
    ("BIT(64)", ("18446744073709551615", "b'101'"), (2**64 - 1, 5)),
    (
        "TIME(6)",
        ("'-838:59:59.000001'", "'838:59:59'", "'25:00'"),
        ("-838:59:59.000001", "838:59:59.000000", "25:00:00.000000"),
    ),
    ("DATE", ("'1000-01-01'", "'9999-12-31'", "'0001-01-01'"), (date(1000, 1, 1), date(9999, 12, 31), date(1, 1, 1))),
    ("DATETIME(6)", ("'9999-12-31 23:59:59.999999'",), (datetime(9999, 12, 31, 23, 59, 59, 999999),)),
    # Given in the zone of the session; the server's own is another one.
    ("TIMESTAMP(3)", ("'2038-01-19 03:14:07.999'",), (datetime(2038, 1, 19, 3, 14, 7, 999000, tzinfo=UTC),)),
    ("ENUM('b','a','日')", ("'a'", "'日'"), ("a", "日")),
    ("SET('y','x','z')", ("'x,y'", "''"), ("y,x", "")),
    ("JSON", ('\'{"a":1,"a":2,"n":1.10}\'',), ('{"a":1,"a":2,"n":1.10}',)),
    ("VARCHAR(20) CHARACTER SET latin1", ("'Zoë € ß'",), ("Zoë € ß",)),
    ("VARCHAR(20) CHARACTER SET utf16", ("'日本語 😀'",), ("日本語 😀",)),
    ("VARCHAR(20) COLLATE utf8mb4_bin", ("'a '", "'A'"), ("a ", "A")),
    ("CHAR(5)", ("'ab   '",), ("ab",)),
    ("LONGTEXT", ("REPEAT('ä', 200000)",), ("ä" * 200000,)),
    ("BINARY(4)", ("X'01020000'",), (b"\x01\x02\x00\x00",)),
    ("VARBINARY(8)", ("X'00FF09'", "''"), (b"\x00\xff\x09", b"")),
    ("UUID", ("'0ED93FF9-eaf1-11f1-ad16-02fc00000001'",), ("0ed93ff9-eaf1-11f1-ad16-02fc00000001",)),
    ("INET6", ("'::1'",), ("::1",)),
    (
        "POINT",
        ("ST_GeomFromText('POINT(1 2)', 4326)",),
        (bytes.fromhex("E6100000" + "0101000000" + "000000000000F03F" + "0000000000000040"),),
    ),
)


def test_every_type_arrives_as_it_is_over_its_range(shop: MySqlShop) -> None:
    for number, (declared, literals, _) in enumerate(EXACT):
        rows = ", ".join(f"({index}, {literal})" for index, literal in enumerate((*literals, "NULL")))
        shop.sql(
            f"CREATE TABLE {{schema}}.t{number} (id INT PRIMARY KEY, v {declared} NULL)",
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
    ("declared", "none", "real"),
    [
        ("DATE", "2024-00-15", date(2024, 2, 29)),
        ("DATETIME(3)", "0000-00-00 00:00:00.000", datetime(2024, 2, 29, 12, 0, 0, 123000)),
        ("TIMESTAMP", "0000-00-00 00:00:00", datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ],
)
def test_a_date_that_is_none_stops_its_table_alone_and_is_null_or_text_if_asked_for(
    shop: MySqlShop, declared: str, none: str, real: date
) -> None:
    """Elsewhere DATETIME becomes NULL and TIMESTAMP the first of 1970, without a word."""
    told = real.isoformat().removesuffix("+00:00")
    shop.sql(
        "SET sql_mode = ''",
        f"CREATE TABLE {{schema}}.zero (id INT PRIMARY KEY, v {declared} NULL)",
        f"INSERT INTO {{schema}}.zero VALUES (1, '{none}'), (2, '{told}'), (3, NULL)",
        "CREATE TABLE {schema}.plain (id INT PRIMARY KEY)",
        "INSERT INTO {schema}.plain VALUES (1)",
    )
    taken = {t["table"].partition(".")[2]: t for t in shop.run("zero", "plain", says=1)["tables"]}
    assert taken["plain"]["status"] == "loaded"
    assert taken["zero"]["status"] == "failed"
    assert f"'v' has '{none}', which is no" in taken["zero"]["error"]
    assert "lossy: true" in taken["zero"]["error"]
    shop.run("zero, columns: {v: {lossy: true}}")
    assert shop.raw("SELECT v FROM {raw}.zero ORDER BY id") == [(None,), (real,), (None,)]
    shop.run("zero, columns: {v: {cast: char(26), rename: told}}")
    assert (none,) in shop.raw("SELECT told FROM {raw}.zero WHERE id = 1")


def test_wkt_is_there_for_who_asks_for_it(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.g (id INT PRIMARY KEY, v GEOMETRY)",
        "INSERT INTO {schema}.g VALUES (1, ST_GeomFromText('LINESTRING(0 0,1 1)'))",
    )
    shop.run("g", defaults="retries: 0, types: lossy")
    assert shop.raw("SELECT v FROM {raw}.g") == [("LINESTRING(0 0,1 1)",)]


def test_a_query_of_ones_own_reads_its_columns_as_exactly_as_a_table(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.f (id INT UNSIGNED PRIMARY KEY, v FLOAT, b BIT(1), t VARCHAR(9) COLLATE utf8mb4_bin)",
        "INSERT INTO {schema}.f VALUES (1, 16777216, 1, 'ä')",
    )
    shop.run(f"own, query: 'SELECT id, v, b, t, 1.5 AS d, NULL AS n FROM {shop.schema}.f', key: [id]")
    assert shop.raw("SELECT id, v, b, t, d, n FROM {raw}.own") == [(1, 16777216.0, True, "ä", Decimal("1.5"), None)]


CURSORS = {
    *("tinyint", "smallint", "mediumint", "int", "bigint", "year", "decimal", "float", "double"),
    *(f"{name} unsigned" for name in ("tinyint", "smallint", "mediumint", "int", "bigint")),
    *("date", "datetime", "timestamp", "char", "varchar"),
}


def test_which_types_can_be_a_cursor_and_why_others_cannot() -> None:
    found = {name: facts_of(RULES, SourceType(name)) for rule in RULES for name in rule.names}
    assert {name for name, facts in found.items() if facts.no_cursor is None} == CURSORS
    assert found["time"].no_cursor == "is a length of time, and does not grow"
    assert found["timestamp"].kind is TypeKind.INSTANT
    assert found["datetime"].kind is TypeKind.MOMENT
    assert (found["datetime"].scale, facts_of(RULES, SourceType("datetime", scale=3)).scale) == (0, 3)
    assert found["float"].single


def test_the_documentation_has_the_table_of_these_rules() -> None:
    page = (Path(__file__).parents[3] / "docs" / "mysql.md").read_text(encoding="utf-8")
    assert types_page.rendered(page, "mysql") == page, "python -m el.reporting.types_page docs/mysql.md mysql"
