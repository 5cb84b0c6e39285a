"""Values on the wire: what the stand-in writes it reads back, and both are the bytes that [MS-TDS] gives."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.standins.sqlserver.sqltypes import TICKS_PER_DAY, parse_type
from tests.standins.sqlserver.wire import CHUNK, Column, arrow_type, type_info
from tests.standins.sqlserver.wire_read import Reader, read_type_info
from tests.standins.sqlserver.wire_write import encode_rows, encode_value

ROW, NBCROW = 0xD1, 0xD2
TICKS = st.integers(0, 3_652_059 * TICKS_PER_DAY - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0x10F7FF), max_size=40)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**precision) + 1, 10**precision - 1).map(
        lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale))
    )


def rounded(ticks: int, digits: int) -> int:
    return ticks - ticks % 10 ** (7 - digits)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bit": st.booleans(),
    "tinyint": st.integers(0, 255),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "decimal(9,3)": decimals(9, 3),
    "decimal(19,0)": decimals(19, 0),
    "decimal(28,28)": decimals(28, 28),
    "numeric(38,10)": decimals(38, 10),
    "money": st.integers(-(2**63), 2**63 - 1).map(lambda n: Decimal(n).scaleb(-4)),
    "smallmoney": st.integers(-(2**31), 2**31 - 1).map(lambda n: Decimal(n).scaleb(-4)),
    "date": st.dates(),
    "time(0)": st.integers(0, TICKS_PER_DAY - 1).map(lambda t: rounded(t, 0)),
    "time(7)": st.integers(0, TICKS_PER_DAY - 1),
    "datetime2(3)": TICKS.map(lambda t: rounded(t, 3)),
    "datetime2(7)": TICKS,
    "datetimeoffset(7)": st.builds(lambda t, o: {"t": t, "o": o}, TICKS, st.integers(-840, 840)),
    "nvarchar(80)": TEXT,
    "nvarchar(max)": TEXT | st.integers(CHUNK // 2 - 1, CHUNK // 2 + 1).map(lambda n: "ż" * n),
    "ntext": TEXT,
    "varchar(80)": st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=80),
    "varbinary(80)": st.binary(max_size=80),
    "varbinary(max)": st.binary(max_size=80) | st.integers(CHUNK - 1, 2 * CHUNK + 1).map(bytes),
    "uniqueidentifier": st.uuids().map(lambda u: str(u).upper()),
}


def read_back(columns: list[Column], data: bytes) -> list[tuple[Any, ...]]:
    types = [read_type_info(Reader(type_info(c.type))) for c in columns]
    reader, found = Reader(data), []
    while reader.at < len(data):
        token = reader.byte()
        assert token in (ROW, NBCROW)
        nulls = int.from_bytes(reader.take((len(columns) + 7) // 8), "little") if token == NBCROW else 0
        row = []
        for i, (column, wire) in enumerate(zip(columns, types, strict=True)):
            if column.type.name == "ntext" and not nulls >> i & 1:
                # A row holds a text pointer and a timestamp before the text ([MS-TDS] 2.2.7.19).
                size = reader.byte()
                row.append(wire.read(reader) if size and reader.take(size + 8) else None)
            else:
                row.append(None if nulls >> i & 1 else wire.read(reader))
        found.append(tuple(row))
    return found


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_rows_of_every_type_are_read_as_they_were_written(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=20))
    count = data.draw(st.integers(1, 5))
    columns = [Column(f"c{i}", parse_type(name)) for i, name in enumerate(names)]
    cells = [data.draw(st.lists(st.none() | VALUES[n], min_size=count, max_size=count)) for n in names]
    arrays = [pa.array(values, arrow_type(c.type)) for values, c in zip(cells, columns, strict=True)]
    encoded, ends = encode_rows(columns, pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns]))
    assert read_back(columns, encoded) == list(zip(*cells, strict=True))
    assert len(ends) == count
    assert ends[-1] == len(encoded)


# TYPE_INFO and value as [MS-TDS] 2.2.5.4 and 2.2.5.5 lay them out.
BYTES = [
    ("int", -2, "2604", "04 feffffff"),
    ("bit", True, "6801", "01 01"),
    ("decimal(5,2)", Decimal("-1.50"), "6a050502", "05 00 96000000"),
    ("money", Decimal("1.0001"), "6e08", "08 00000000 11270000"),
    ("date", dt.date(1, 1, 2), "28", "03 010000"),
    ("datetime", 693_595 * TICKS_PER_DAY + 33_333, "6f08", "08 00000000 01000000"),
    ("datetime2(0)", 693_595 * TICKS_PER_DAY + 10_000_000, "2a00", "06 010000 5b950a"),
    ("datetimeoffset(0)", {"t": 10_000_000, "o": -60}, "2b00", "08 010000 000000 c4ff"),
    ("nvarchar(5)", "é", "e70a00 0904000200", "0200 e900"),
    ("varbinary(max)", b"\x01", "a5ffff", "0100000000000000 01000000 01 00000000"),
    ("varbinary(max)", b"", "a5ffff", "0000000000000000 00000000"),
    ("uniqueidentifier", "00112233-4455-6677-8899-AABBCCDDEEFF", "2410", "10 33221100 5544 7766 8899aabbccddeeff"),
]


@pytest.mark.parametrize(("name", "value", "info", "data"), BYTES, ids=[b[0] for b in BYTES])
def test_values_are_the_bytes_of_the_specification(name: str, value: Any, info: str, data: str) -> None:
    kind = parse_type(name)
    assert type_info(kind).hex() == info.replace(" ", "")
    assert encode_value(kind, value).hex() == data.replace(" ", "")


def test_a_row_with_more_nulls_than_their_bitmap_takes_is_compressed() -> None:
    columns = [Column(f"c{i}", parse_type("int")) for i in range(9)]
    few = pa.array([1, None, 1], pa.int32())
    many = pa.array([1, None, None], pa.int32())
    batch = pa.RecordBatch.from_arrays([few] * 3 + [many] * 6, names=[c.name for c in columns])
    data, ends = encode_rows(columns, batch)
    assert [data[start] for start in (0, ends[0], ends[1])] == [ROW, NBCROW, NBCROW]
    assert data[ends[0] :][:3].hex() == "d2ff01"
