"""Every short text that goes to the warehouse: a reader by the vendor's documentation reads the same of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import sqlglot

from el.dumps.formats.csv import CsvFormat
from el.dumps.formats.csv_dialect import Dialect
from el.errors import RecordRefused
from el.loading.express import TextForm
from el.loading.snowflake_text import file_format
from tests.standins.snowflake.delimited import Options, records
from tests.standins.snowflake.external_text import options_of

LETTERS = ("a", ",", '"', "\n", "\r", " ", "\\")


def options(form: TextForm) -> Options:
    """As the server gets them."""
    copy = sqlglot.parse_one(f"COPY INTO t FROM @s FILE_FORMAT = {file_format(form)}", read="snowflake")
    return options_of(next(p for p in copy.args["params"] if p.this.name == "FILE_FORMAT").expressions)


def read(path: Path, format_: CsvFormat) -> list[list[str | None]] | None:
    """The rows of a text; None where it is not let go."""
    try:
        reading = format_.read(path)
        rows = [list(row.values())[:-1] for batch in reading.batches for row in batch.to_pylist()]
    except RecordRefused:
        return None
    return None if reading.odd is not None else rows


@pytest.mark.parametrize(("quote", "columns", "longest"), [('"', 1, 3), ('"', 2, 4), (None, 2, 3)])
def test_what_goes_to_the_warehouse_is_read_there_by_its_documentation_as_here(
    tmp_path: Path, quote: str | None, columns: int, longest: int
) -> None:
    named = tuple("abc"[:columns])
    format_ = CsvFormat(Dialect(quote=quote), header=False, columns=named)
    told = options(TextForm(",", "\n", quote, "utf-8", ("",), False))
    path, gone = tmp_path / "t.csv", 0
    for size in range(1, longest + 1):
        for letters in itertools.product(LETTERS, repeat=size):
            text = "".join(letters)
            path.write_bytes(text.encode())
            rows = read(path, format_)
            if rows is not None:
                assert list(records(text.encode(), told)) == rows, repr(text)
                gone += 1
    assert gone > 20
