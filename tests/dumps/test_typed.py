"""Formats whose values have types: parquet as it is; JSON as its text."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.dumps.workspace import Dumps


def parquet(dumps: Dumps, name: str, **columns: pa.Array) -> Path:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return dumps.file(name, sink.getvalue().to_pybytes())


def test_parquet_keeps_its_types_and_an_empty_text(dumps: Dumps) -> None:
    moment = dt.datetime(2020, 1, 2, 3, 4, 5, 678901)
    parquet(
        dumps.entry("format: parquet"),
        "a.parquet",
        id=pa.array([1, 2], pa.int32()),
        note=pa.array(["", None]),
        amount=pa.array([Decimal("1.10"), None], pa.decimal128(12, 2)),
        moment=pa.array([moment, None], pa.timestamp("ns")),
        zoned=pa.array([moment, None], pa.timestamp("us", "Europe/Berlin")),
        day=pa.array([moment.date(), None]),
        bits=pa.array([b"\0\1", None]),
        code=pa.array(["x", "y"]).dictionary_encode(),
    )
    assert dumps.run() == 0, dumps.out
    first, second = dumps.rows("id, note, amount, moment, zoned AT TIME ZONE 'UTC', day, bits, code, _el_row")
    assert first == (1, "", Decimal("1.10"), moment, moment, moment.date(), b"\0\1", "x", 1)
    assert second == (2, None, None, None, None, None, None, "y", 2)


def test_a_value_that_raw_would_round_is_refused(dumps: Dumps) -> None:
    parquet(dumps.entry("format: parquet"), "a.parquet", at=pa.array([1_000_000_001], pa.timestamp("ns")))
    parquet(dumps, "b.parquet", at=pa.array([1_000_000_000], pa.timestamp("ns")))
    parquet(dumps, "c.parquet", nested=pa.array([[1]]))
    assert dumps.run() == 1
    assert "a.parquet: column at: timestamp[ns] does not fit timestamp[us]" in dumps.out
    assert "c.parquet: column nested is list<" in dumps.out
    assert dumps.rows("_el_row") == [(1,)]


def test_a_column_keeps_the_type_that_raw_has_and_a_value_that_does_not_fit_is_refused(dumps: Dumps) -> None:
    parquet(dumps.entry("format: parquet"), "a.parquet", n=pa.array([1.5]), d=pa.array([1], pa.decimal128(20, 0)))
    assert dumps.run() == 0, dumps.out
    parquet(dumps, "b.parquet", n=pa.array([2]), d=pa.array([2]))
    parquet(dumps, "c.parquet", n=pa.array(["x"]), d=pa.array([3]))
    parquet(dumps, "d.parquet", n=pa.array([2**60 + 1]), d=pa.array([3]))
    assert dumps.run() == 1
    assert "c.parquet: column n is string there, and double in raw" in dumps.out
    assert "d.parquet: a value does not fit the type that raw has" in dumps.out
    assert dumps.rows("n, d") == [(1.5, 1), (2.0, 2)]


def test_a_decimal_never_becomes_a_float(dumps: Dumps) -> None:
    parquet(dumps.entry("format: parquet"), "a.parquet", n=pa.array([1.5]))
    parquet(dumps, "b.parquet", n=pa.array([Decimal("12345678901234567.89")]))
    assert dumps.run() == 1
    assert "b.parquet: column n is decimal128(19, 2) there, and double in raw" in dumps.out
    assert dumps.rows("n") == [(1.5,)]


def test_text_that_is_none_fails_its_file_alone(dumps: Dumps) -> None:
    """The warehouse would refuse the whole load, and each run after it anew."""
    bytes_ = pa.array([b"ok", b"\xff\xfe"])
    bad = pa.StringArray.from_buffers(2, *bytes_.buffers()[1:])
    parquet(dumps.entry("format: parquet"), "a.parquet", v=bad)
    parquet(dumps, "b.parquet", v=pa.array(["good"]))
    assert dumps.run() == 1
    assert "a.parquet: behind record 0: " in dumps.out
    assert dumps.rows("v") == [("good",)]


def test_a_parquet_file_that_is_cut_is_refused(dumps: Dumps) -> None:
    whole = parquet(dumps.entry("format: parquet"), "a.parquet", n=pa.array([1])).read_bytes()
    dumps.file("b.parquet", whole[:-8])
    assert dumps.run() == 1
    assert "b.parquet: it is no whole parquet file" in dumps.out
    assert dumps.rows("n") == [(1,)]


def test_a_json_document_stands_as_its_text_and_a_bad_one_is_refused(dumps: Dumps) -> None:
    dumps.entry("format: ndjson", "rejects: 2")
    dumps.file("a.ndjson", b'{"a": 1.10, "b": "\xc3\xa4"}\r\n\n{"a": \n"\xe9"\n["x"]')
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("document, _el_row") == [('["x"]', 4), ('{"a": 1.10, "b": "ä"}', 1)]
    assert dumps.sql("SELECT row_number, byte_offset, record FROM old_sales._el_rejects ORDER BY 1") == [
        (2, 25, b'{"a": '),
        (3, 32, b'"\xe9"'),
    ]


def test_what_only_some_parsers_take_for_json_is_refused(dumps: Dumps) -> None:
    dumps.entry("format: ndjson", "rejects: 9")
    good = ['{"a": ", nan, ]"}', '["1,]", "-inf "]', '{"n": 1e999, "n": 12345678901234567890.10}']
    bad = ['{"a": NaN}', "[1, -Infinity]", "inf", '{"a": 1,}', "[1, ]", "{'a': 1}", "[1] // x", '{"a": +1}']
    dumps.file("a.ndjson", "\n".join([*good, *bad]))
    assert dumps.run() == 0, dumps.out
    assert [row[0] for row in dumps.rows("document")] == sorted(good)
    assert dumps.sql("SELECT count(*) FROM old_sales._el_rejects") == [(len(bad),)]
