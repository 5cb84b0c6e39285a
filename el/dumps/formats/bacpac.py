"""Tables out of a bacpac, straight from its zip: types of model.xml, rows of the parts, checked against Origin.xml."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from urllib.parse import unquote
from xml.etree import ElementTree

import pyarrow as pa

from el.dumps.formats.bacpac_model import ModelTable, field_of, tables_of
from el.dumps.formats.base import Format, Reading
from el.dumps.formats.framed import Framed, FramedField, Joined
from el.errors import PlanError, RecordRefused

_PART = re.compile(r"Data/(?P<table>.+)/TableData-\d+-\d+\.BCP", re.IGNORECASE)

# Rows of the bacpacs that this process has counted, by what is in them.
_totals: dict[tuple[tuple[str, int, int], ...], int] = {}
_counting = Lock()


@dataclass(frozen=True, slots=True)
class BacpacTable:
    """A table of a bacpac. schema: None where it is refused, with the reason in `refused`."""

    name: str  # "schema.table"
    schema: pa.Schema | None
    refused: str | None
    parts: tuple[str, ...]  # names in the zip, in their order; none where the table is empty
    size: int  # bytes of data, uncompressed


@dataclass(frozen=True, slots=True)
class BacpacFormat(Format):
    """One table of a bacpac, as a format: its file is the bacpac."""

    table: str
    accept: tuple[str, ...] = ()
    typed = True

    def read(self, path: Path, rejects: int = 0) -> Reading:
        # A bad row hides where the next one begins, so none can be left out.
        bacpac = Bacpac(path, self.accept)
        reading = bacpac.read(self.table)
        reading.batches = self._checked(bacpac, reading.batches)
        return reading

    def _checked(self, bacpac: Bacpac, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from batches
        bacpac.check_total()


class Bacpac:
    """A bacpac. accept: types that no bacpac was seen with, to be read as bcp documents them."""

    def __init__(self, file: Path | BinaryIO, accept: tuple[str, ...] = ()) -> None:
        self._file = file
        self._accept = frozenset(accept)
        try:
            with zipfile.ZipFile(file) as archive:
                self._origin = _Origin.of(archive)
                self._contents = tuple((info.filename, info.CRC, info.file_size) for info in archive.infolist())
                parts = _parts_of(archive)
                with archive.open("model.xml") as model:
                    tables = tables_of(model)
        except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
            raise RecordRefused(f"it is no whole bacpac: {error}") from None
        self._tables = {table.name: self._table(table, parts.pop(table.name, [])) for table in tables}
        if len(self._tables) < len(tables) or parts:
            odd = ", ".join(parts) or "tables of one name"
            raise RecordRefused(f"model.xml does not tell the tables of the data apart: {odd}")

    def tables(self) -> list[BacpacTable]:
        """All tables, those that are refused too, by name."""
        return [self._tables[name][0] for name in sorted(self._tables)]

    @property
    def rows_stated(self) -> int | None:
        """Rows of all tables together, as Origin.xml says; None where it does not."""
        return self._origin.rows

    def read(self, name: str) -> Reading:
        """A table's rows. Raises `PlanError` for one that is not there, or is refused."""
        table, framed = self._found(name)
        reading = Reading(framed.schema, iter(()))
        reading.batches = self._batches(table, framed, reading)
        return reading

    def count(self, name: str) -> int:
        """A table's rows, counted where they begin and end alone; every byte is some field's."""
        table, framed = self._found(name)
        with self._joined(table) as file:
            return sum(len(rows.starts) for _, rows, _, _ in framed.rows(file))

    def check_total(self) -> bool:
        """That all tables together have as many rows as Origin.xml says; False where that cannot be told.

        Raises `RecordRefused` where they have not.
        """
        filled = [table for table in self.tables() if table.parts]
        if self._origin.rows is None or any(table.refused for table in filled):
            return False
        with _counting:
            # The rows of a whole bacpac are counted once, and not again for each of its tables.
            if self._contents not in _totals:
                _totals[self._contents] = sum(self.count(table.name) for table in filled)
            found = _totals[self._contents]
        if found != self._origin.rows:
            raise RecordRefused(f"it has {found} rows, but its Origin.xml says {self._origin.rows}")
        return True

    def _found(self, name: str) -> tuple[BacpacTable, Framed]:
        if name not in self._tables:
            raise PlanError(f"the bacpac has no table {name}")
        table, framed = self._tables[name]
        if framed is None:
            ways = "restore it and read it as a source, or export it with bcp -N"
            raise PlanError(f"{name}: {table.refused}; {ways}")
        return table, framed

    def _batches(self, table: BacpacTable, framed: Framed, reading: Reading) -> Iterator[pa.RecordBatch]:
        def counted(rows: int) -> None:
            reading.records += rows

        with self._joined(table) as file:
            yield from framed.batches(file, counted)

    @contextmanager
    def _joined(self, table: BacpacTable) -> Iterator[Joined]:
        try:
            with zipfile.ZipFile(self._file) as archive:
                yield Joined((part, archive.open(part)) for part in table.parts)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise RecordRefused(f"{table.name}: {error}") from None

    def _table(self, model: ModelTable, parts: list[zipfile.ZipInfo]) -> tuple[BacpacTable, Framed | None]:
        fields = [field_of(column, self._accept) for column in model.columns]
        refused = next((found for found in fields if isinstance(found, str)), None)
        framed = None if refused else Framed([found for found in fields if isinstance(found, FramedField)])
        names = tuple(part.filename for part in parts)
        size = sum(part.file_size for part in parts)
        return BacpacTable(model.name, framed.schema if framed else None, refused, names, size), framed


def _parts_of(archive: zipfile.ZipFile) -> dict[str, list[zipfile.ZipInfo]]:
    """The parts of each table, in the order of their numbers."""
    found: dict[str, list[zipfile.ZipInfo]] = {}
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        if part := _PART.fullmatch(info.filename):
            found.setdefault(unquote(part["table"]), []).append(info)
        elif info.filename.startswith("Data/") and not info.is_dir():
            raise RecordRefused(f"{info.filename} is no part of a table")
    return found


@dataclass(frozen=True, slots=True)
class _Origin:
    """What Origin.xml says of the whole file."""

    rows: int | None
    checksums: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, archive: zipfile.ZipFile) -> _Origin:
        rows, checksums = None, {}
        for element in ElementTree.fromstring(archive.read("Origin.xml")).iter():
            name = element.tag.rpartition("}")[2]
            if name == "TableRowCountTotalTag" and element.text:
                rows = int(element.text)
            if name == "Checksum" and element.text:
                checksums[element.get("Uri", "")] = element.text.strip().lower()
        found = hashlib.sha256(archive.read("model.xml")).hexdigest()
        if checksums.get("/model.xml", found) != found:
            raise RecordRefused("model.xml is not the one whose checksum Origin.xml has")
        return cls(rows, checksums)
