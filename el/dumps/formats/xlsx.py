"""A sheet of an Excel workbook (.xlsx), as text.

A workbook holds numbers, and how they are shown; a date is a number with a style. So a number becomes the shortest text
that is the same 64 bits, a date or time ISO 8601, TRUE and FALSE stay words. An empty cell and an empty text are the
same to the reader: NULL. What it would pass over, an error such as #N/A or a formula that was never computed, is looked
for in the sheet's own XML, and refused. A workbook is held in memory whole.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pyarrow as pa

from el.dumps.formats.base import ROW, Format, Reading
from el.errors import ConfigError, RecordRefused, to_install

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_BATCH = 1 << 14
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


@dataclass(frozen=True, slots=True)
class XlsxFormat(Format):
    """sheet: its name; None where there is one alone. header: the number of the row with names; 0: there is none."""

    sheet: str | None = None
    header: int = 1
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.header) == bool(self.columns):
            raise ConfigError("xlsx: name the `columns` where there is no header, and nowhere else")

    def read(self, path: Path, rejects: int = 0) -> Reading:
        sheet = self._sheet(path)
        filled = _filled_rows(path, sheet.name, self.header)
        rows = sheet.iter_rows()
        names = self._names(list(islice(rows, self.header))) if self.header else self.columns
        reading = Reading(pa.schema([pa.field(name, pa.string()) for name in names]), iter(()), filled)
        reading.batches = _batches(rows, reading)
        return reading

    def _sheet(self, path: Path) -> CalamineSheet:
        try:
            from python_calamine import CalamineError, CalamineWorkbook
        except ImportError:
            raise ConfigError(f"xlsx is read by python-calamine: {to_install('xlsx')}") from None
        try:
            book = CalamineWorkbook.from_path(str(path))
            if self.sheet is None and len(book.sheet_names) != 1:
                raise ConfigError(f"xlsx: which `sheet`? There are {', '.join(book.sheet_names)}")
            name = self.sheet or book.sheet_names[0]
            if name not in book.sheet_names:
                raise ConfigError(f"xlsx: there is no sheet {name}; there are {', '.join(book.sheet_names)}")
            return book.get_sheet_by_name(name)
        except (CalamineError, OSError) as error:
            raise RecordRefused(f"it is no workbook that can be read: {error}") from None

    def _names(self, head: Sequence[Sequence[Any]]) -> tuple[str, ...]:
        cells = [_text(cell) for cell in head[-1]] if len(head) == self.header else []
        while cells and cells[-1] is None:
            cells.pop()
        odd = [cell for cell in cells if cell is None or cells.count(cell) > 1]
        if odd or not cells:
            what = "is empty" if not cells else "has a column without a name" if None in odd else f"has {odd[0]} twice"
            raise RecordRefused(f"the header in row {self.header} {what}")
        return tuple(str(cell) for cell in cells)


def _batches(rows: Iterator[list[Any]], reading: Reading) -> Iterator[pa.RecordBatch]:
    schema = reading.schema.append(pa.field(ROW, pa.int64(), nullable=False))
    wanted = len(reading.schema)
    done = 0
    while part := list(islice(rows, _BATCH)):
        texts = [[_text(cell) for cell in row] for row in part]
        filled = [row for row in texts if any(cell is not None for cell in row)]
        reading.blank_lines += len(texts) - len(filled)
        for number, row in enumerate(filled, done + 1):
            if any(cell is not None for cell in row[wanted:]):
                raise RecordRefused(f"record {number}: a value behind the {wanted} columns of the header")
        columns = [
            pa.array([row[at] if at < len(row) else None for row in filled], pa.string()) for at in range(wanted)
        ]
        yield pa.record_batch([*columns, pa.array(range(done + 1, done + 1 + len(filled)), pa.int64())], schema=schema)
        done += len(filled)


def _text(cell: Any) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        return repr(cell).removesuffix(".0")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(cell.total_seconds(), 60)
        return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{seconds:02g}"
    raise RecordRefused(f"a cell of a kind that is not known: {type(cell).__name__}")


def _filled_rows(path: Path, sheet: str, header: int) -> int:
    """How many rows behind the header have a value, by the sheet's XML. Raises where the reader would pass over one."""
    try:
        with zipfile.ZipFile(path) as book, book.open(_part(book, sheet)) as file:
            return sum(_is_filled(row) for row in _rows(file) if int(row.get("r", "0")) > header)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
        raise RecordRefused(f"it is no workbook that can be read: {error}") from None


def _part(book: zipfile.ZipFile, sheet: str) -> str:
    listed = ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")
    wanted = next(element.get(f"{_OFFICE}id") for element in listed if element.get("name") == sheet)
    relations = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    target = next(str(element.get("Target")) for element in relations if element.get("Id") == wanted)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _rows(file: Any) -> Iterator[ElementTree.Element]:
    for _, element in ElementTree.iterparse(file):
        if element.tag == f"{_MAIN}row":
            yield element
            element.clear()


def _is_filled(row: ElementTree.Element) -> bool:
    filled = False
    for cell in row.iter(f"{_MAIN}c"):
        value = cell.findtext(f"{_MAIN}v")
        if cell.get("t") == "e":
            raise RecordRefused(f"cell {cell.get('r')} is an error, {value}: no value can be taken of it")
        if cell.find(f"{_MAIN}f") is not None and value is None:
            raise RecordRefused(
                f"cell {cell.get('r')} is a formula without a value: open and save the workbook in Excel"
            )
        filled |= bool(value) or any(part.text for part in cell.iter(f"{_MAIN}t"))
    return filled
