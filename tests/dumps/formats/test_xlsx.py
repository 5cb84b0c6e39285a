"""A sheet as text: what a workbook holds, and nothing that the reader would pass over."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from el.dumps.formats.base import Reading
from el.dumps.formats.xlsx import XlsxFormat
from el.errors import ConfigError, RecordRefused
from tests.standins.xlsx import write_xlsx

pytest.importorskip("python_calamine")


def rows(reading: Reading) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in reading.batches for row in batch.to_pylist()]


def test_cells_become_text(tmp_path: Path) -> None:
    sheet = [
        ["id", "note"],
        [1, 0.1],
        [True, datetime(2024, 2, 29, 12, 0, 1)],
        [],
        [" x ", 12345678901234567],
        [None, ""],
        [1e22, -0.5],
    ]
    reading = XlsxFormat().read(write_xlsx(tmp_path / "a.xlsx", {"orders": sheet}))
    assert rows(reading) == [
        ("1", "0.1", 1),
        ("TRUE", "2024-02-29 12:00:01", 2),
        (" x ", "1.2345678901234568e+16", 3),
        ("1e+22", "-0.5", 4),
    ]
    assert (reading.records, reading.blank_lines) == (4, 2)
    assert reading.schema.names == ["id", "note"]


def test_the_sheet_and_the_row_of_the_header_are_said(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"a": [["x"], [1]], "b": [["of 2024"], ["id"], [7]]})
    assert rows(XlsxFormat(sheet="b", header=2).read(path)) == [("7", 1)]
    assert rows(XlsxFormat(sheet="a", header=0, columns=("y",)).read(path)) == [("x", 1), ("1", 2)]
    with pytest.raises(ConfigError, match="which `sheet`"):
        XlsxFormat().read(path)
    with pytest.raises(ConfigError, match="no sheet c; there are a, b"):
        XlsxFormat(sheet="c").read(path)


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ([["a"], [("e", "#N/A")]], "cell A2 is an error, #N/A"),
        ([["a"], [1], [("f", "A2+1")]], "cell A3 is a formula without a value"),
        ([["a"], [1, 2]], "record 1: a value behind the 1 columns"),
        ([["a", None, "c"]], "header in row 1 has a column without a name"),
        ([["a", "a"]], "header in row 1 has a twice"),
        ([], "header in row 1 is empty"),
    ],
)
def test_what_would_be_passed_over_is_refused(tmp_path: Path, sheet: Any, said: str) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"a": sheet})
    with pytest.raises(RecordRefused, match=said):
        rows(XlsxFormat().read(path))


def test_what_is_no_workbook_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"id,note\n")
    with pytest.raises(RecordRefused, match="no workbook that can be read"):
        XlsxFormat().read(path)
