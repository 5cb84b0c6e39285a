"""What SQL Server would round, cut off or replace in silence is refused; what comes back as it was is not."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.connectors.catalog import TableName
from el.connectors.sql.incoming import plain
from el.connectors.sqlserver.fit import SqlServerColumn, refuse_changes
from el.connectors.sqlserver.types import RULES
from el.errors import WriteError
from el.types.rule import parse_type
from tests.engines import connected, statement

TABLE = TableName("dbo", "t")
MOMENT = datetime(2024, 2, 29, 23, 59, 59)


def refused(declared: str, data: pa.Array, code_page: int | None = None) -> str:
    """What is said, or nothing."""
    try:
        refuse_changes(TABLE, SqlServerColumn("c", parse_type(RULES, declared), code_page=code_page), plain(data))
    except WriteError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("declared", "kept", "changed"),
    [
        ("bit", [0, 1, None], [2]),
        ("int", [1.0, -3.0, None], [1.7]),
        ("int", [Decimal("1.00")], [Decimal("1.50")]),
        ("bigint", [2.0**62], [0.5]),
        ("decimal(9,2)", [0.1, 0.13, -7.25], [0.125]),
        ("decimal(9,2)", [Decimal("0.120")], [Decimal("0.125")]),
        ("decimal(38,0)", [10**18], [0.5]),
        ("money", [1.2345], [1.23456]),
        ("real", [0.5], [0.1]),
        ("real", [None], [float("nan")]),
        ("float", [0.1], [float("inf")]),
        ("float", [2**53], [2**53 + 1]),
        ("float", [Decimal("0.1")], [Decimal("12345678901234567890.12345")]),
        ("nvarchar(20)", [1], [1.5]),
        ("date", [datetime(1924, 1, 1), None], [datetime(1924, 1, 1, 0, 0, 1)]),
        ("date", [date(1, 1, 1), date(9999, 12, 31)], [MOMENT]),
        ("smalldatetime", [datetime(2024, 1, 1, 1, 1)], [datetime(2024, 1, 1, 1, 1, 1)]),
        (
            "datetime",
            [MOMENT.replace(microsecond=n * 1000) for n in (0, 3, 7, 997)],
            [MOMENT.replace(microsecond=1000)],
        ),
        ("datetime", [datetime(1753, 1, 1, 0, 0, 0, 3000)], [datetime(1753, 1, 1, 0, 0, 0, 3001)]),
        ("datetime2(0)", [MOMENT], [MOMENT.replace(microsecond=1)]),
        ("datetime2(3)", [MOMENT.replace(microsecond=4000)], [MOMENT.replace(microsecond=4100)]),
        ("datetime2(7)", [MOMENT.replace(microsecond=123456)], [MOMENT.replace(tzinfo=UTC)]),
        (
            "datetimeoffset(3)",
            [MOMENT.replace(microsecond=4000, tzinfo=UTC)],
            [MOMENT.replace(microsecond=1, tzinfo=UTC)],
        ),
        ("time(0)", [time(23, 59, 59)], [time(23, 59, 59, 1)]),
        ("time(7)", [time(1)], [MOMENT]),
        ("datetime2(7)", [MOMENT], [time(1)]),
        ("bit", ["0", "1"], ["2"]),
        ("int", ["-17", "0"], ["007"]),
        ("int", ["17"], [""]),
        ("decimal(9,2)", ["-1.25", "7"], ["0.125"]),
        ("decimal(9,0)", ["7"], ["7.0"]),
        ("money", ["1.2345"], ["1.23456"]),
        ("float", [None], ["0.1"]),
        ("date", ["2024-02-29"], ["2024-02-29 12:00:00"]),
        ("datetime", [None], ["2024-02-29T23:59:59"]),
        ("datetime2(7)", ["2024-02-29T23:59:59.1234567", "2024-02-29 23:59:59"], ["02/03/2024 10:00:00"]),
        ("datetime2(0)", ["2024-02-29 23:59:59"], ["2024-02-29 23:59:59.999"]),
        ("datetimeoffset(7)", ["2024-02-29 23:59:59.1234567 +05:30"], ["2024-02-29 23:59:59"]),
        ("time(3)", ["12:34:56.789"], ["12:34:56.7891"]),
        ("uniqueidentifier", ["6f9619ff-8b86-d011-b42d-00c04fc964FF"], ["6f9619ff-8b86-d011-b42d-00c04fc964ffxyz"]),
        ("varchar(3)", ["ab ", ""], ["ab    "]),
        ("nvarchar(4)", ["\N{SNOWMAN} \N{GRINNING FACE}"], ["\N{GRINNING FACE}\N{GRINNING FACE} "]),
        ("char(5)", ["ab", "ab   "], ["ab    "]),
        ("binary(2)", [b"\x01\x00"], [b"\x01"]),
        ("varbinary(2)", [b"", b"\x01\x00"], [b"\x01\x00\x00"]),
    ],
)
def test_what_comes_back_is_kept_and_what_does_not_is_refused(
    declared: str, kept: list[Any], changed: list[Any]
) -> None:
    assert refused(declared, pa.array(kept)) == ""
    assert f"dbo.t.c is {parse_type(RULES, declared)}" in refused(declared, pa.array([*kept[:0], *changed, None]))


def test_a_decimal_whose_rounding_has_a_digit_more_is_refused_by_its_value() -> None:
    assert "would be changed, 9.99" in refused("decimal(9,1)", pa.array([Decimal("9.99")], pa.decimal128(3, 2)))
    assert "would be changed" in refused("money", pa.array([Decimal("9" * 33 + ".99999")], pa.decimal128(38, 5)))
    assert refused("decimal(9,1)", pa.array([Decimal("9.90"), None], pa.decimal128(3, 2))) == ""


def test_nanoseconds_that_are_no_hundreds_are_refused() -> None:
    assert refused("datetime2(7)", pa.array([123_456_700], pa.timestamp("ns"))) == ""
    assert "would be changed" in refused("datetime2(7)", pa.array([123_456_789], pa.timestamp("ns")))


@pytest.mark.parametrize(
    ("code_page", "fits", "lacks"),
    [(1252, "é€", "漢"), (1251, "Жё", "漢"), (932, "漢", "한"), (936, "漢", "한"), (1250, "ř", "и")],
)
def test_a_character_that_the_code_page_lacks_is_refused_by_name(code_page: int, fits: str, lacks: str) -> None:
    assert refused("varchar(10)", pa.array(["plain", fits, None]), code_page) == ""
    assert f"which lacks {lacks!r}" in refused("varchar(10)", pa.array(["plain", fits, lacks]), code_page)
    assert f"which lacks {lacks!r}" in refused("char(10)", pa.array([lacks]).dictionary_encode(), code_page)
    assert f"which lacks {lacks!r}" in refused("varchar(10)", pa.array([lacks], pa.string_view()), code_page)
    assert refused("nvarchar(10)", pa.array([lacks]), code_page) == ""
    assert refused("varchar(10)", pa.array([lacks]), 65001) == ""


@settings(max_examples=200, deadline=None)
@given(value=st.floats(-1e6, 1e6, allow_nan=False), scale=st.integers(0, 6))
def test_a_float_is_refused_in_a_decimal_exactly_where_it_would_not_come_back(value: float, scale: int) -> None:
    comes_back = float(round(Decimal(value), scale)) == value
    assert (refused(f"decimal(18,{scale})", pa.array([value])) == "") is comes_back


def test_a_write_is_refused_whole_and_says_which_character(sqlserver: dict[str, Any]) -> None:
    with connected(sqlserver) as server:
        server.driver.execute(
            statement("CREATE TABLE dbo.t (id INT NOT NULL, v VARCHAR(10) COLLATE Latin1_General_CI_AS NULL)")
        )
        data = pa.table({"id": [1, 2], "v": ["é", "漢"]})
        with pytest.raises(WriteError, match="lacks '漢'"):
            server.write_buffer(TABLE, data, run_id=uuid.uuid4().hex)
        assert server.fetch(statement("SELECT COUNT(*) FROM dbo.t")) == [(0,)]
        server.write_buffer(TABLE, data.slice(0, 1), run_id=uuid.uuid4().hex)
        assert server.fetch(statement("SELECT id, v FROM dbo.t")) == [(1, "é")]
