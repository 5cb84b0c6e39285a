"""Texts that the warehouse reads by itself: el reads each one first, and knows what the warehouse has to read.

Guarantee: a text goes this way only if each of its records is written so that the warehouse's documentation leaves one
way to read it; and only if what the warehouse then read has the same sum (`content_sum.py`) as what was read here.
The bytes pass the client once, to be read: they are neither written as parquet nor sent on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from el.config.dump_formats import BcpSettings
from el.config.dumps import CsvSettings, DumpSettings, NdjsonSettings
from el.dumps.compression import suffix_of
from el.dumps.formats.base import Reading
from el.dumps.slice import DumpSlice, FileResult, OneFile, SharedLanding
from el.errors import FileRefused
from el.extraction.slice import STEP, Cancelled, Progress
from el.loading.content_sum import NOTHING, SEPARATOR, WIDEST_RECORD, ContentSum
from el.loading.express import TextForm
from el.types.present import utc_now

GZIP = ".gz"
# Of 0x00 nothing says whether COPY takes it for text; by the others the sum of a content tells fields apart.
_REFUSED = (0, ord(SEPARATOR), ord(NOTHING))


def form_of(settings: DumpSettings) -> TextForm | None:
    """How the texts of an entry are written; None where its format is no text of fields."""
    chosen = settings.format
    if isinstance(chosen, CsvSettings):
        end = "\r" if chosen.newline == "\r" else "\n"
        return TextForm(chosen.delimiter, end, chosen.quote, chosen.encoding, chosen.null, chosen.header)
    if isinstance(chosen, NdjsonSettings):
        return TextForm(None, "\n", None, "utf-8", (), False)
    if isinstance(chosen, BcpSettings) and chosen.format_file is None and not chosen.breaks_inside:
        end = "\n" if chosen.row_terminator == "\r\n" else chosen.row_terminator
        # One field alone has nothing but the end of its row behind it.
        between = chosen.field_terminator if len(chosen.columns) > 1 else None
        return TextForm(between, end, None, str(chosen.encoding), ("",), False)
    return None


def check(work: DumpSlice, form: TextForm, workers: int, tell: Progress) -> list[FileResult]:
    """What is in each file of `work`, in their order, with the sum of its content; its error, if it is unfit."""
    cancelled = Event()
    work.directory.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": 1}) as connection:

        def checked(number: int) -> FileResult:
            if cancelled.is_set():
                raise Cancelled(f"{work.table}: interrupted")
            with connection.cursor() as cursor:
                file = _Checked(work, number, tell, cancelled, _Sums(form, cursor))
                found = file.take()
            sys.audit(STEP, "text checked")
            return replace(found, route="express")

        # The largest first, so that none of them is left alone at the end.
        order = sorted(range(len(work.tasks)), key=lambda number: -work.tasks[number].file.size)
        with ThreadPoolExecutor(workers, thread_name_prefix="el-check") as pool:
            try:
                found = dict(zip(order, pool.map(checked, order), strict=True))
            finally:
                cancelled.set()
    return [found[number] for number in range(len(work.tasks))]


class _Sums:
    """What is summed of one file, and what of it is refused."""

    def __init__(self, form: TextForm, connection: duckdb.DuckDBPyConnection) -> None:
        self.form = form
        self.connection = connection
        self.content: int | None = None

    def add(self, content: ContentSum, columns: Sequence[pa.Array], records: pa.Array) -> None:
        for column in columns:
            self._refuse(column)
        content.add(columns, records)

    def _refuse(self, column: pa.Array) -> None:
        """Values that the warehouse is not known to read as they are, for all that they are well written."""
        form = self.form
        data = _bytes_of(column)
        # Most columns hold no control character at all, which is told fastest.
        control = [byte for byte in _REFUSED if (data == byte).any()] if len(data) and data.min() < ord(" ") else []
        if control:
            raise FileRefused(f"it holds the character 0x{control[0]:02X}")
        if form.quote is None and form.record_end in ("\r", "\n", "\r\n") and _has_break(data):
            raise FileRefused("a value holds half a line end")
        words = [word for word in form.nulls if word or form.quote is None]
        if words and pc.any(pc.is_in(column, pa.array(words, pa.string()), skip_nulls=True)).as_py():
            raise FileRefused("a text of it is written as NULL is, in quotes or as bcp writes an empty one")

    def finish(self, content: ContentSum) -> None:
        self.content, widest = content.result()
        if widest > WIDEST_RECORD:
            raise FileRefused(f"a record has {widest:,} bytes, more than the {WIDEST_RECORD:,} that can be compared")


class _Checked(OneFile):
    """A file that is read, and not written."""

    def __init__(self, work: DumpSlice, number: int, tell: Progress, cancelled: Event, sums: _Sums) -> None:
        super().__init__(work, work.tasks[number], SharedLanding(work), number, tell, cancelled)
        self.sums = sums

    def _taken(self) -> FileResult:
        return replace(super()._taken(), content=self.sums.content)

    def _unpacked(self, path: Path) -> Path:
        """Of a file of several parts nothing says that the warehouse reads more than the first."""
        packed = suffix_of(self.task.file.uri) == GZIP
        told = _told_size(path) if packed else 0
        found = super()._unpacked(path)
        if packed and found.stat().st_size % (1 << 32) != told:
            raise FileRefused("it was packed in several parts")
        return found

    def _read(self, reading: Reading, schema: pa.Schema) -> None:
        fields = len(reading.schema)
        content = ContentSum(self.sums.connection)
        if reading.header is not None:
            names = [pa.array([name], pa.string()) for name in reading.header]
            self.sums.add(content, names, pa.array([0], pa.int64()))
        now = utc_now()
        for batch in reading.batches:
            if self.cancelled is not None and self.cancelled.is_set():
                raise Cancelled(f"{self.work.table}: interrupted")
            self._refuse(reading)
            found = self._land(batch, schema, now)
            self.sums.add(content, found.columns[:fields], batch.column(batch.num_columns - 1))
            self.rows += found.num_rows
            self.bytes += found.nbytes
            self.tell(self.work.table, found.num_rows, found.nbytes)
        self._refuse(reading)
        self.sums.finish(content)

    def _refuse(self, reading: Reading) -> None:
        if reading.rejects:
            raise FileRefused(f"record {reading.rejects[0].row:,} is rejected, and COPY keeps none")
        if reading.odd is not None:
            raise FileRefused(reading.odd)


def _bytes_of(column: pa.Array) -> npt.NDArray[np.uint8]:
    """The bytes of all values of a column of text."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return np.zeros(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8)[places[0] : places[-1]]


def _told_size(path: Path) -> int:
    """How large the last part of a gzip file is unpacked, as its end says (RFC 1952, ISIZE)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4))
        return int.from_bytes(file.read(), "little")


def _has_break(data: npt.NDArray[np.uint8]) -> bool:
    return bool(((data == 10) | (data == 13)).any())
