"""The type table: a row for every type, exact unless asked otherwise, and landing types that dlt really makes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.common.libs.pyarrow import get_column_type_from_py_arrow
from dlt.destinations import duckdb as dlt_duckdb
from dlt.destinations import snowflake as dlt_snowflake
from hypothesis import given
from hypothesis import strategies as st

from el.cli.app import main
from el.connectors.catalog import SourceType
from el.connectors.duckdb.catalog import source_type
from el.connectors.request import ColumnRead, ReadRequest, TableName
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.select import build_select
from el.connectors.type_rules import find_rule, map_type, render_markdown, type_rules
from el.errors import ConfigError, PlanError
from el.loading.snowflake import SnowflakeWarehouse
from el.types.limits import Limits, maybe_replaced, too_long, unpaired_surrogates
from el.types.rule import TypeKind, facts_of, parse_type
from tests.shop import Workspace

TEXT_AS_IT_IS = (None, pa.string(), "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR")
BYTES_AS_THEY_ARE = (None, pa.binary(), "BINARY", "BLOB", "BINARY", "BLOB")
MICROSECONDS = pa.timestamp("us")


def number(read_as: str | None, arrow: pa.DataType, digits: str) -> tuple[object, ...]:
    return (read_as, arrow, f"NUMBER{digits}", f"DECIMAL{digits}", f"NUMBER{digits}", f"DECIMAL{digits}")


def whole(arrow: pa.DataType, duckdb_type: str, digits: int) -> tuple[object, ...]:
    return (None, arrow, "NUMBER(19,0)", duckdb_type, f"NUMBER({digits},0)", duckdb_type)


def clock(target: str) -> tuple[object, ...]:
    return (None, MICROSECONDS, "TIMESTAMP_NTZ(6)", "TIMESTAMP", target, "TIMESTAMP")


def as_text(read_as: str | None, snowflake: str = "VARCHAR", duckdb_type: str = "VARCHAR") -> tuple[object, ...]:
    return (read_as, pa.string(), "VARCHAR", "VARCHAR", snowflake, duckdb_type)


# (type, (read_as, arrow, snowflake, duckdb, target_snowflake, target_duckdb)) of the exact way.
SQL_SERVER: list[tuple[SourceType, tuple[object, ...]]] = [
    (SourceType("bit"), (None, pa.bool_(), "BOOLEAN", "BOOLEAN", "BOOLEAN", "BOOLEAN")),
    (SourceType("tinyint"), whole(pa.int16(), "SMALLINT", 3)),
    (SourceType("smallint"), whole(pa.int16(), "SMALLINT", 5)),
    (SourceType("int"), whole(pa.int32(), "INTEGER", 10)),
    (SourceType("bigint"), whole(pa.int64(), "BIGINT", 19)),
    (SourceType("decimal", precision=38, scale=0), number(None, pa.decimal128(38, 0), "(38,0)")),
    (SourceType("numeric", precision=12, scale=2), number(None, pa.decimal128(12, 2), "(12,2)")),
    (SourceType("decimal", precision=38, scale=37), number(None, pa.decimal128(38, 37), "(38,37)")),
    (
        SourceType("decimal", precision=38, scale=38),
        as_text("CONVERT(VARCHAR(41), {column})", duckdb_type="DECIMAL(38,38)"),
    ),
    (SourceType("money"), number(None, pa.decimal128(19, 4), "(19,4)")),
    (SourceType("smallmoney"), number(None, pa.decimal128(10, 4), "(10,4)")),
    (SourceType("float"), (None, pa.float64(), "FLOAT", "DOUBLE", "FLOAT", "DOUBLE")),
    (SourceType("real"), (None, pa.float64(), "FLOAT", "DOUBLE", "FLOAT", "DOUBLE")),
    (SourceType("date"), (None, pa.date32(), "DATE", "DATE", "DATE", "DATE")),
    (SourceType("time", scale=0), (None, pa.time64("us"), "TIME(6)", "TIME", "TIME(0)", "TIME")),
    (SourceType("time", scale=6), (None, pa.time64("us"), "TIME(6)", "TIME", "TIME(6)", "TIME")),
    (SourceType("time", scale=7), as_text(None, "TIME(7)", "TIME_NS")),
    (SourceType("datetime"), clock("TIMESTAMP_NTZ(3)")),
    (SourceType("smalldatetime"), clock("TIMESTAMP_NTZ(0)")),
    (SourceType("datetime2", scale=0), clock("TIMESTAMP_NTZ(0)")),
    (SourceType("datetime2", scale=6), clock("TIMESTAMP_NTZ(6)")),
    (SourceType("datetime2", scale=7), as_text(None, "TIMESTAMP_NTZ(7)")),
    (SourceType("datetime2"), as_text(None, "TIMESTAMP_NTZ(7)")),
    (SourceType("datetimeoffset", scale=0), as_text("CAST({column} AS DATETIME2(7))", "TIMESTAMP_TZ(0)")),
    (SourceType("datetimeoffset", scale=7), as_text("CAST({column} AS DATETIME2(7))", "TIMESTAMP_TZ(7)")),
    (SourceType("char", length=10), TEXT_AS_IT_IS),
    (SourceType("nchar", length=10), TEXT_AS_IT_IS),
    (SourceType("varchar", length=-1), TEXT_AS_IT_IS),
    (SourceType("text"), TEXT_AS_IT_IS),
    (SourceType("nvarchar", length=50), TEXT_AS_IT_IS),
    (SourceType("ntext"), TEXT_AS_IT_IS),
    (SourceType("binary", length=16), BYTES_AS_THEY_ARE),
    (SourceType("varbinary", length=-1), BYTES_AS_THEY_ARE),
    (SourceType("image"), BYTES_AS_THEY_ARE),
    (SourceType("rowversion"), BYTES_AS_THEY_ARE),
    (SourceType("timestamp"), BYTES_AS_THEY_ARE),
    (SourceType("uniqueidentifier"), TEXT_AS_IT_IS),
    (SourceType("xml"), TEXT_AS_IT_IS),
    (SourceType("json"), as_text("CAST({column} AS NVARCHAR(MAX))")),
    (SourceType("hierarchyid"), as_text("{column}.ToString()")),
    (
        SourceType("geography"),
        ("CAST({column} AS VARBINARY(MAX))", pa.binary(), "BINARY", "BLOB", "BINARY", "BLOB"),
    ),
    (
        SourceType("geometry"),
        ("CAST({column} AS VARBINARY(MAX))", pa.binary(), "BINARY", "BLOB", "BINARY", "BLOB"),
    ),
]
SQL_SERVER_ELSEWHERE = {"vector", "sql_variant"}

# What loses something, only on request: type, read_as, arrow, words of the loss.
LOSSY = [
    (SourceType("datetime2", scale=7), None, MICROSECONDS, "seventh digit"),
    (SourceType("datetimeoffset", scale=7), None, pa.timestamp("us", tz="UTC"), "offset"),
    (SourceType("time", scale=7), "DATEADD", pa.time64("us"), "seventh digit"),
    (SourceType("decimal", precision=38, scale=38), "DECIMAL(38,37)", pa.decimal128(38, 37), "38th digit"),
    (SourceType("vector"), "NVARCHAR(MAX)", pa.string(), "last digits of each number"),
    (SourceType("geography"), "N'SRID='", pa.string(), "digits of coordinates"),
    (SourceType("geometry"), "N'SRID='", pa.string(), "digits of coordinates"),
]


@pytest.mark.parametrize(("type_", "expected"), SQL_SERVER, ids=lambda value: str(value))
def test_a_sql_server_type_travels_exactly_in_this_way(type_: SourceType, expected: tuple[object, ...]) -> None:
    way = map_type("sqlserver", type_)
    assert (way.read_as, way.arrow, way.snowflake, way.duckdb, way.target_snowflake, way.target_duckdb) == expected
    assert way.exact
    assert way.loses is None
    assert way.why


def test_every_row_of_sql_server_has_a_test() -> None:
    tested = {find_rule("sqlserver", type_) for type_, _ in SQL_SERVER}
    tested |= {find_rule("sqlserver", SourceType(name)) for name in SQL_SERVER_ELSEWHERE}
    assert tested == set(type_rules("sqlserver"))


def test_every_type_that_sql_server_has_is_decided() -> None:
    numbers = [
        "bit",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "decimal",
        "numeric",
        "money",
        "smallmoney",
        "float",
        "real",
    ]
    times = ["date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset"]
    texts = ["char", "varchar", "nchar", "nvarchar", "text", "ntext", "uniqueidentifier", "xml", "json"]
    others = ["binary", "varbinary", "image", "rowversion", "timestamp", "sql_variant", "vector"]
    names = [*numbers, *times, *texts, *others, "hierarchyid", "geography", "geometry"]
    assert all(find_rule("sqlserver", SourceType(name)) for name in names)


@pytest.mark.parametrize(("type_", "read_as", "arrow", "loss"), LOSSY, ids=lambda value: str(value))
def test_what_loses_something_travels_only_on_request_and_says_what_is_lost(
    type_: SourceType, read_as: str | None, arrow: pa.DataType, loss: str
) -> None:
    way = map_type("sqlserver", type_, lossy=True)
    assert not way.exact
    assert loss in (way.loses or "")
    assert way.arrow == arrow
    assert (way.read_as is None) if read_as is None else read_as in (way.read_as or "")


def test_every_lossy_way_of_sql_server_has_a_test() -> None:
    rows = [rule for rule in type_rules("sqlserver") if rule.lossy]
    assert {find_rule("sqlserver", type_) for type_, *_ in LOSSY} == set(rows)


def test_asking_for_lossy_changes_nothing_where_exact_costs_nothing() -> None:
    for type_, _ in SQL_SERVER:
        rule = find_rule("sqlserver", type_)
        assert rule is not None
        if rule.lossy is None:
            assert map_type("sqlserver", type_, lossy=True) == map_type("sqlserver", type_)


@pytest.mark.parametrize("name", ["char", "nchar"])
def test_trailing_blanks_are_trimmed_only_on_request(name: str) -> None:
    kept, trimmed = (
        map_type("sqlserver", SourceType(name, length=5)),
        map_type("sqlserver", SourceType(name, length=5), trim=True),
    )
    assert kept.read_as is None
    assert kept.exact
    assert trimmed.read_as == "RTRIM({column})"
    assert trimmed.loses == "trailing blanks"
    assert not trimmed.exact


def test_trimming_leaves_types_that_are_not_padded_alone() -> None:
    assert map_type("sqlserver", SourceType("varchar", length=5), trim=True).exact
    assert map_type("sqlserver", SourceType("int"), trim=True).exact


def test_a_sql_variant_travels_as_base_type_and_value_and_null_stays_null() -> None:
    way = map_type("sqlserver", SourceType("sql_variant"))
    assert way.exact
    assert way.arrow == pa.string()
    assert way.read_as is not None
    # With + and not CONCAT, which makes '' of NULL.
    assert way.read_as.startswith("CAST(SQL_VARIANT_PROPERTY({column}, 'BaseType') AS NVARCHAR(128)) + N':' + CASE ")
    # Style 3 of float gives 17 digits; a style on sql_variant itself is not documented.
    assert "CONVERT(NVARCHAR(MAX), CONVERT(FLOAT, {column}), 3)" in way.read_as
    assert "CONVERT(NVARCHAR(MAX), CONVERT(DECIMAL(19,4), {column}))" in way.read_as
    assert "CONVERT(NVARCHAR(MAX), CONVERT(VARBINARY(8000), {column}), 1)" in way.read_as
    assert "CONVERT(NVARCHAR(MAX), CONVERT(DATETIME2(7), {column}), 121)" in way.read_as


def test_a_vector_is_refused_unless_its_loss_is_asked_for() -> None:
    with pytest.raises(PlanError, match=r"type vector cannot be carried exactly.*cast.*exclude.*lossy"):
        map_type("sqlserver", SourceType("vector"))


@pytest.mark.parametrize("name", ["dbo.point", "table", "cursor", "assembly_type", "int[]"])
@pytest.mark.parametrize("lossy", [False, True])
def test_an_unknown_type_stops_the_plan_and_names_the_two_ways_out(name: str, lossy: bool) -> None:
    with pytest.raises(PlanError, match=r"cast.*exclude") as refused:
        map_type("sqlserver", SourceType(name), lossy=lossy, trim=True)
    assert name in str(refused.value)


def test_an_alias_type_travels_as_its_base_type() -> None:
    alias = SourceType("nvarchar", length=128, alias="dbo.PersonName")
    assert map_type("sqlserver", alias) == map_type("sqlserver", SourceType("nvarchar", length=128))


def test_an_unknown_alias_is_named_with_its_base() -> None:
    with pytest.raises(PlanError, match=r"dbo\.Shape \(clr_shape\)"):
        map_type("sqlserver", SourceType("clr_shape", alias="dbo.Shape"))


def test_a_source_without_a_table_of_types_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"there is no connector for type 'teradata'"):
        map_type("teradata", SourceType("int"))
    with pytest.raises(PlanError, match=r"snowflake cannot be a source"):
        map_type("snowflake", SourceType("number"))


NO_CURSOR = {
    "is drawn, and does not grow": (("sqlserver", "uniqueidentifier"), ("duckdb", "uuid")),
    "has two values, and does not grow": (("sqlserver", "bit"), ("duckdb", "boolean")),
    "is a string of bits, and does not grow": (("duckdb", "bit"),),
    "is one of a few labels, and does not grow": (("duckdb", "enum('a', 'b')"),),
    "is a length of time, and does not grow": (("duckdb", "interval"),),
    "passes over rows of open transactions when read so; use strategy: rowversion": (("sqlserver", "rowversion"),),
    "begins anew every day": (
        ("sqlserver", "time"),
        *(("duckdb", name) for name in ("time", "time_ns", "time with time zone")),
    ),
    "has no order here": (
        *(("sqlserver", name) for name in ("varbinary", "image", "text", "ntext", "xml", "json", "sql_variant")),
        *(("sqlserver", name) for name in ("geography", "geometry", "hierarchyid", "vector")),
        *(("duckdb", name) for name in ("blob", "json")),
    ),
    "is of a type that el does not know": (("duckdb", "integer[]"), ("sqlserver", "thing")),
}
TEXTS = {"sqlserver": {"char", "varchar", "nchar", "nvarchar"}, "duckdb": {"varchar"}}
ZONED = {("sqlserver", "datetimeoffset"), ("duckdb", "timestamp with time zone")}
LOCAL = {("sqlserver", name) for name in ("datetime", "smalldatetime", "datetime2")} | {
    ("duckdb", name) for name in ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns")
}
WHOLE = {("sqlserver", name) for name in ("tinyint", "smallint", "int", "bigint")} | {
    ("duckdb", f"{unsigned}{name}")
    for unsigned in ("", "u")
    for name in ("tinyint", "smallint", "integer", "bigint", "hugeint")
}


def every_name(scheme: str) -> set[str]:
    return {name for rule in type_rules(scheme) for name in rule.names}


@pytest.mark.parametrize("scheme", ["sqlserver", "duckdb"])
def test_a_type_says_what_its_values_are_and_whether_it_can_be_a_cursor(scheme: str) -> None:
    found = {name: facts_of(type_rules(scheme), SourceType(name)) for name in every_name(scheme)}
    refused = {name.partition("(")[0] for said in NO_CURSOR.values() for s, name in said if s == scheme}
    cursors = {name for name, facts in found.items() if facts.no_cursor is None}
    assert cursors == set(found) - refused - {"timestamp"} | ({"timestamp"} if scheme == "duckdb" else set())
    kinds = {kind: {name for name, facts in found.items() if facts.kind is kind} for kind in TypeKind}
    assert {name for name in kinds[TypeKind.TEXT] if found[name].no_cursor is None} == TEXTS[scheme]
    assert kinds[TypeKind.INSTANT] == {name for s, name in ZONED if s == scheme}
    assert kinds[TypeKind.MOMENT] == {name for s, name in LOCAL if s == scheme}
    assert kinds[TypeKind.DATE] == {"date"}
    assert kinds[TypeKind.WHOLE] - {"bignum"} == {name for s, name in WHOLE if s == scheme}
    assert not any(facts.sorts for facts in found.values() if facts.kind is TypeKind.TEXT)


@pytest.mark.parametrize(("says", "types"), NO_CURSOR.items(), ids=lambda value: str(value)[:20])
def test_a_type_that_is_no_cursor_says_why(says: str, types: tuple[tuple[str, str], ...]) -> None:
    for scheme, name in types:
        assert facts_of(type_rules(scheme), SourceType(name)).no_cursor == says, name


@pytest.mark.parametrize(
    ("type_", "digits"),
    [
        ("sqlserver decimal", (18, 0)),
        ("sqlserver decimal(10)", (10, 0)),
        ("sqlserver money", (None, 4)),
        ("sqlserver datetime2", (None, 7)),
        ("sqlserver datetime2(3)", (None, 3)),
        ("sqlserver datetime", (None, 3)),
        ("duckdb decimal", (18, 3)),
        ("duckdb timestamp_ms", (None, 3)),
        ("duckdb timestamp", (None, 6)),
    ],
)
def test_a_type_has_the_digits_that_its_database_gives_it(type_: str, digits: tuple[int | None, int | None]) -> None:
    scheme, declared = type_.split(" ")
    rules = type_rules(scheme)
    facts = facts_of(rules, parse_type(rules, declared))
    assert (facts.precision, facts.scale) == digits


def test_a_cast_to_a_decimal_of_duckdbs_own_digits_keeps_its_fraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = Workspace(tmp_path).create()
    shop.source("CREATE TABLE sales.money AS SELECT 1 AS id, '1.125' AS v")
    with open(tmp_path / "el.yml", "a") as config:
        config.write("  - {name: sales.money, columns: {v: {cast: decimal}}}\n")
    assert main(["run", "--select", "money", "--progress", "none"]) == 0
    assert shop.complete("money", "v") == [(Decimal("1.125"),)]


@pytest.mark.parametrize("name", ["nchar", "nvarchar", "ntext", "xml", "json", "sql_variant"])
def test_text_that_may_hold_unpaired_surrogates_can_be_asked_for_as_bytes(name: str) -> None:
    assert "AS VARBINARY(MAX))" in (map_type("sqlserver", SourceType(name)).exact_bytes or "")


def test_snowflakes_limits_are_said_where_they_can_be_met() -> None:
    assert SnowflakeWarehouse.own_limits == Limits(16_777_216, 8_388_608, calendar=True)
    assert all(
        "16 MB" in map_type("sqlserver", SourceType(n)).why for n in ("varchar", "nvarchar", "text", "xml", "json")
    )
    assert all("8 MB" in map_type("sqlserver", SourceType(n)).why for n in ("varbinary", "image", "geography"))


@given(precision=st.integers(1, 38), data=st.data())
def test_every_decimal_keeps_its_digits_within_what_snowflake_holds(precision: int, data: st.DataObject) -> None:
    scale = data.draw(st.integers(0, precision))
    way = map_type("sqlserver", SourceType("decimal", precision=precision, scale=scale))
    if scale <= 37:
        assert way.arrow == pa.decimal128(precision, scale)
        assert way.snowflake == f"NUMBER({precision},{scale})"
    else:
        assert way.arrow == pa.string()
        assert way.target_duckdb == "DECIMAL(38,38)"


@given(st.sampled_from(["time", "datetime2", "datetimeoffset"]), st.integers(0, 7))
def test_a_fraction_travels_as_microseconds_only_if_they_hold_all_of_it(name: str, scale: int) -> None:
    way = map_type("sqlserver", SourceType(name, scale=scale))
    assert way.exact
    assert (way.arrow == pa.string()) == (scale == 7 or name == "datetimeoffset")
    assert way.target_snowflake.endswith(f"({scale})")


def every_way() -> list[tuple[str, SourceType, bool, bool]]:
    sql_server = [type_ for type_, _ in SQL_SERVER] + [SourceType(name) for name in SQL_SERVER_ELSEWHERE]
    types = [("sqlserver", type_) for type_ in sql_server] + [("duckdb", source_type(case.declared)) for case in DUCKDB]
    return [
        (scheme, type_, lossy, trim)
        for scheme, type_ in types
        for lossy, trim in ((False, False), (True, False), (False, True))
        if lossy or type_.name != "vector"
    ]


def test_dlt_lands_each_type_as_the_table_says() -> None:
    snowflake = dlt_snowflake(use_timestamp_tz=True).capabilities()
    duck = dlt_duckdb().capabilities()
    mappers = (snowflake.type_mapper(snowflake, use_timestamp_tz=True), duck.type_mapper(duck))
    for scheme, type_, lossy, trim in every_way():
        way = map_type(scheme, type_, lossy=lossy, trim=trim)
        column = {"name": "c", **get_column_type_from_py_arrow(way.arrow)}
        made = tuple(mapper.to_destination_type(column, {"name": "t"}) for mapper in mappers)
        assert made == (way.snowflake, way.duckdb), type_


def test_no_arrow_type_is_one_that_parquet_or_dlt_would_change() -> None:
    for scheme, type_, lossy, trim in every_way():
        arrow = map_type(scheme, type_, lossy=lossy, trim=trim).arrow
        schema = pa.schema([("c", arrow)])
        written = pa.BufferOutputStream()
        pq.write_table(schema.empty_table(), written)
        assert pq.read_schema(pa.BufferReader(written.getvalue())).field("c").type == arrow


def test_a_read_expression_reaches_the_source_as_it_stands_in_the_table() -> None:
    for type_, _ in SQL_SERVER:
        read_as = map_type("sqlserver", type_).read_as
        request = ReadRequest(table=TableName("dbo", "t"), columns=(ColumnRead("a]b", "c", read_as),))
        sql = build_select(request, Dialect("tsql")).sql
        assert (read_as or "{column}").replace("{column}", "[a]]b]") in sql


def test_rows_over_a_warehouses_limits_are_found_by_bytes_and_not_by_characters() -> None:
    texts = pa.array(["abc", "äöü", None, "äöü€"])
    assert too_long(texts, Limits(text_bytes=6)).to_pylist() == [False, False, None, True]
    assert too_long(texts, Limits(text_bytes=9)) is None
    assert too_long(texts, Limits()) is None
    assert too_long(pa.array([b"1234", b"12345"]), Limits(binary_bytes=4)).to_pylist() == [False, True]
    assert too_long(pa.array([1, 2]), Limits(1, 1)) is None


def test_text_that_the_driver_may_have_changed_is_noticed() -> None:
    assert maybe_replaced(pa.array(["a", None, "b\ufffd"]))
    assert not maybe_replaced(pa.array(["a", None, "\U0001f600"]))
    assert not maybe_replaced(pa.array([b"\xef\xbf\xbd"]))


UTF16_UNITS = st.lists(st.sampled_from([0x41, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFD]), max_size=6)


@given(st.lists(st.none() | UTF16_UNITS, max_size=6), st.integers(0, 2))
def test_an_unpaired_surrogate_is_told_from_a_pair_within_each_row(rows: list[list[int] | None], skipped: int) -> None:
    encoded = [None if row is None else b"".join(unit.to_bytes(2, "little") for unit in row) for row in rows]

    def broken(text: bytes | None) -> bool:
        try:
            (text or b"").decode("utf-16-le")
        except UnicodeDecodeError:
            return True
        return False

    column = pa.array(encoded, pa.binary()).slice(skipped)
    assert unpaired_surrogates(column).to_pylist() == [broken(text) for text in encoded[skipped:]]


# DuckDB as a source: values go the whole way, through parquet into the landing type and the staging cast.
@dataclass(frozen=True)
class DuckCase:
    declared: str
    values: tuple[str, ...]


DUCKDB = [
    DuckCase("BOOLEAN", ("true", "false")),
    DuckCase("TINYINT", ("-128", "127")),
    DuckCase("SMALLINT", ("-32768", "32767")),
    DuckCase("INTEGER", ("-2147483648", "2147483647")),
    DuckCase("BIGINT", ("-9223372036854775808", "9223372036854775807")),
    DuckCase("UTINYINT", ("0", "255")),
    DuckCase("USMALLINT", ("0", "65535")),
    DuckCase("UINTEGER", ("0", "4294967295")),
    DuckCase("UBIGINT", ("0", "18446744073709551615")),
    DuckCase("HUGEINT", ("-170141183460469231731687303715884105728", "170141183460469231731687303715884105727")),
    DuckCase("UHUGEINT", ("0", "340282366920938463463374607431768211455")),
    DuckCase("BIGNUM", ("1" + "0" * 60, "-" + "9" * 50)),
    DuckCase("DECIMAL(38,37)", ("9." + "9" * 37, "-0." + "0" * 36 + "1")),
    DuckCase("DECIMAL(38,38)", ("0." + "9" * 38, "-0." + "0" * 37 + "1")),
    DuckCase("DECIMAL(12,2)", ("-9999999999.99", "0.10")),
    DuckCase("FLOAT", ("3.4028235e38", "1e-45", "-0.0", "nan", "infinity", "0.1")),
    DuckCase("DOUBLE", ("1.7976931348623157e308", "5e-324", "-0.0", "nan", "-infinity", "0.1")),
    DuckCase("VARCHAR", ("", "   ", "Grüße 😀 日本", "a'b")),
    DuckCase("JSON", ('{"a": 1.10, "b":[ ]}', "null")),
    DuckCase("UUID", ("00112233-4455-6677-8899-aabbccddeeff",)),
    DuckCase("ENUM('kurz', 'ein (langer) Wert')", ("kurz", "ein (langer) Wert")),
    DuckCase("BIT", ("0", "0101011")),
    DuckCase("BLOB", (r"\x00\xFF", "")),
    DuckCase("DATE", ("0001-01-01", "9999-12-31", "1582-10-10", "infinity")),
    DuckCase("TIME", ("00:00:00", "23:59:59.999999")),
    DuckCase("TIME_NS", ("23:59:59.999999999", "00:00:00.000000001")),
    DuckCase("TIME WITH TIME ZONE", ("23:59:59.999999+14:00", "00:00:00-11:30")),
    DuckCase("TIMESTAMP", ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999")),
    DuckCase("TIMESTAMP_S", ("0001-01-01 00:00:00", "9999-12-31 23:59:59")),
    DuckCase("TIMESTAMP_MS", ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999")),
    DuckCase("TIMESTAMP_NS", ("1677-09-22 00:00:00", "2262-04-11 23:47:16.854775806")),
    DuckCase("TIMESTAMP WITH TIME ZONE", ("0001-01-02 00:00:00+00", "9999-12-31 23:59:59.999999+00")),
    DuckCase("INTERVAL", ("14 months 3 days 00:00:00.000001", "-1 day", "100:00:00")),
]
NO_ROW_IN_DUCKDB = [
    "INTEGER[]",
    "INTEGER[3]",
    "STRUCT(a INTEGER)",
    "MAP(VARCHAR, INTEGER)",
    "UNION(a INTEGER, b VARCHAR)",
    "STRUCT(a INTEGER)[]",
    "DECIMAL(10,2)[]",
    "ENUM('a')[]",
    "GEOMETRY",
]


@pytest.mark.parametrize("case", DUCKDB, ids=lambda case: case.declared)
def test_values_of_a_duckdb_type_arrive_as_they_were(case: DuckCase, tmp_path) -> None:
    source = duckdb.connect()
    source.execute("SET TimeZone = 'UTC'")
    source.execute(f"CREATE TABLE t (i INTEGER, v {case.declared})")
    for index, value in enumerate((*case.values, None)):
        source.execute(f"INSERT INTO t VALUES (?, CAST(CAST(? AS VARCHAR) AS {case.declared}))", [index, value])
    declared = source.execute("SELECT data_type FROM duckdb_columns() WHERE column_name = 'v'").fetchall()[0][0]
    way = map_type("duckdb", source_type(declared))
    assert way.exact
    expression = (way.read_as or "{column}").replace("{column}", '"v"')
    read = source.sql(f"SELECT i, {expression} AS v FROM t ORDER BY i").to_arrow_table()
    landed = read.set_column(1, "v", read.column("v").cast(way.arrow, safe=True))
    pq.write_table(landed, tmp_path / "landed.parquet")
    source.execute(f"CREATE TABLE raw (i INTEGER, v {way.duckdb})")
    source.execute(f"INSERT INTO raw SELECT i, v FROM read_parquet('{tmp_path / 'landed.parquet'}')")
    compared = source.execute(
        f"""WITH staged AS (SELECT i, CAST(v AS {way.target_duckdb}) AS v FROM raw)
            SELECT t.i, t.v, staged.v FROM t JOIN staged USING (i)
            WHERE CAST(t.v AS VARCHAR) IS DISTINCT FROM CAST(CAST(staged.v AS {declared}) AS VARCHAR)"""
    ).fetchall()
    assert compared == []
    assert source.execute("SELECT count(*), count(v) FROM raw").fetchall()[0] == (
        len(case.values) + 1,
        len(case.values),
    )


def test_every_row_of_duckdb_has_a_test() -> None:
    assert {find_rule("duckdb", source_type(case.declared)) for case in DUCKDB} == set(type_rules("duckdb"))


@pytest.mark.parametrize("declared", NO_ROW_IN_DUCKDB)
def test_a_nested_type_of_duckdb_is_refused_unless_it_is_cast(declared: str) -> None:
    with pytest.raises(PlanError, match=r"cast.*exclude"):
        map_type("duckdb", source_type(declared), lossy=True)


def test_duckdbs_nanoseconds_are_cut_only_on_request() -> None:
    way = map_type("duckdb", source_type("TIMESTAMP_NS"), lossy=True)
    assert (way.read_as, way.arrow, way.exact) == ("CAST({column} AS TIMESTAMP)", MICROSECONDS, False)
    assert "ninth digits" in (way.loses or "")


def test_duckdbs_38th_digit_after_the_point_is_rounded_only_on_request() -> None:
    way = map_type("duckdb", source_type("DECIMAL(38,38)"), lossy=True)
    assert (way.arrow, way.exact) == (pa.decimal128(38, 37), False)


@pytest.mark.parametrize("scheme", ["duckdb", "mysql", "postgres", "sqlserver"])
def test_the_rendered_table_has_a_line_for_every_row_and_is_the_same_each_time(scheme: str) -> None:
    rendered = render_markdown(scheme)
    assert rendered == render_markdown(scheme)
    lines = rendered.splitlines()
    assert len(lines) == len(type_rules(scheme)) + 2
    assert {line.count("|") for line in lines} == {9}
    for rule in type_rules(scheme):
        assert sum(line.startswith(f"| {rule.shown} |") for line in lines) == 1


def test_the_rendered_table_says_what_is_refused_and_what_a_request_loses() -> None:
    lines = {line.split(" | ")[0]: line for line in render_markdown("sqlserver").splitlines()}
    assert "refused unless lossy" in lines["| vector(n)"]
    assert "lossy: loses the seventh digit" in lines["| datetime2(7)"]
    assert "trim: RTRIM" in lines["| char(n)"]
    assert "TIMESTAMP_NTZ(7)" in lines["| datetime2(7)"]


def test_more_digits_than_a_driver_gives_are_read_beside_the_column_and_only_where_there_are_more() -> None:
    def parts(type_: SourceType) -> tuple[int, str | None] | None:
        parts = map_type("sqlserver", type_).parts
        return None if parts is None else (parts.digits, parts.offset)

    assert parts(SourceType("time", scale=7)) == (7, None)
    assert parts(SourceType("datetime2", scale=7)) == parts(SourceType("datetime2")) == (7, None)
    offset = "CAST(DATEPART(TZOFFSET, {column}) AS SMALLINT)"
    assert parts(SourceType("datetimeoffset", scale=0)) == (0, offset)
    assert parts(SourceType("datetimeoffset", scale=7)) == (7, offset)
    assert [parts(SourceType(name, scale=6)) for name in ("time", "datetime2")] == [None, None]
    assert map_type("sqlserver", SourceType("datetime2", scale=7), lossy=True).parts is None


def test_a_cast_is_read_in_the_columns_place_wherever_the_type_asks_for_it() -> None:
    cast = map_type("sqlserver", SourceType("datetimeoffset", scale=7)).over("CAST({column} AS DATETIMEOFFSET(7))")
    assert cast.read_as == "CAST(CAST({column} AS DATETIMEOFFSET(7)) AS DATETIME2(7))"
    assert cast.parts is not None
    assert cast.parts.offset == "CAST(DATEPART(TZOFFSET, CAST({column} AS DATETIMEOFFSET(7))) AS SMALLINT)"
    assert "CAST(CAST({column} AS NVARCHAR(9)) AS NVARCHAR(MAX))" in (
        map_type("sqlserver", SourceType("nvarchar", length=9)).over("CAST({column} AS NVARCHAR(9))").exact_bytes or ""
    )
