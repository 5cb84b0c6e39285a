"""The sum of what a text holds: el's and the warehouse's are the same number of the same rows, and of no others."""

from __future__ import annotations

import hashlib

import duckdb
import pyarrow as pa

from el.loading.content_sum import ContentSum
from el.loading.snowflake_text import content_of


def summed(*columns: list[str | None], first: int = 1, at_once: int = 2) -> int:
    rows = len(columns[0])
    with duckdb.connect() as connection:
        content = ContentSum(connection)
        for begin in range(0, rows, at_once):
            part = [pa.array(column[begin : begin + at_once], pa.string()) for column in columns]
            numbers = pa.array(range(first + begin, first + min(begin + at_once, rows)), pa.int64())
            content.add(part, numbers)
        return content.result()[0]


def test_it_is_the_number_that_the_documentation_of_the_warehouse_tells() -> None:
    """Snowflake documentation, "MD5_NUMBER_LOWER64": of 'Snowflake' 9203306159527282910."""
    assert int.from_bytes(hashlib.md5(b"Snowflake").digest()[8:], "big") == 9203306159527282910
    text = "\x1f".join(["1", "a", "\x1e", "", "\x1e"])
    assert summed(["a"], [None], [""]) == int.from_bytes(hashlib.md5(text.encode()).digest()[8:], "big")
    assert content_of("n", ["a", "more"]) == (
        "MD5_NUMBER_LOWER64(CONCAT_WS(CHR(31), TO_VARCHAR(n), COALESCE(a, CHR(30)), COALESCE(more, CHR(30))))"
    )


def test_another_value_another_place_and_another_row_make_another_sum() -> None:
    rows = summed(["1", "2", "3"], ["a", None, ""])
    others = [
        summed(["1", "2", "3"], ["a", "", None]),
        summed(["1", "2", "3"], ["a ", None, ""]),
        summed(["2", "1", "3"], [None, "a", ""]),
        summed(["1", "2"], ["a", None]),
        summed(["1", "2", "3", "3"], ["a", None, "", ""]),
        summed(["a", None, ""], ["1", "2", "3"]),
        summed(["1", "2", "3"], ["a", None, ""], first=2),
    ]
    assert len({rows, *others}) == len(others) + 1
    assert summed(["1", "2", "3"], ["a", None, ""], at_once=3) == rows
    assert summed([], []) == 0
