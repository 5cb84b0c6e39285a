"""Files of rows whose fields say their own length, as Arrow: bacpac's parts, and bcp's native files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, NoReturn

import numpy as np
import pyarrow as pa

from el.dumps.formats.base import ROW
from el.dumps.formats.cells import BadValue, Cells
from el.dumps.formats.frames import BadFrame, Framing, Rows
from el.dumps.formats.gather import Bytes, padded, plain
from el.dumps.formats.lanes import Frame
from el.dumps.formats.rejecting import where
from el.dumps.formats.stored_types import Stored
from el.errors import RecordRefused

CHUNK = 1 << 23
BATCH = 1 << 16
# A row of more bytes is none, or one that no warehouse takes.
LONGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class FramedField:
    """A field of a row; `stored` None: it stands in the file, and is left out."""

    name: str
    frame: Frame
    stored: Stored | None


class Joined:
    """Files one after the other, each of which has to end at a row's end; small ones are read together."""

    def __init__(self, files: Iterator[tuple[str, IO[bytes]]]) -> None:
        self._files = files
        self._open: IO[bytes] | None = None
        self._names: list[str] = []
        self._begins: list[int] = []
        self._read = 0

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end alone."""
        found: list[bytes] = []
        while size:
            if self._open is None:
                following = next(self._files, None)
                if following is None:
                    break
                self._names.append(following[0])
                self._begins.append(self._read)
                self._open = following[1]
            if data := self._open.read(size):
                found.append(data)
                size -= len(data)
                self._read += len(data)
            else:
                self._open = None
        return b"".join(found)

    def ends(self, after: int, until: int) -> list[int]:
        """Where files end, between these places."""
        return [begin for begin in self._begins if after < begin <= until]

    def at(self, offset: int) -> tuple[str, int]:
        """The file of this place, and the place in it."""
        number = bisect_right(self._begins, offset) - 1
        return self._names[number], offset - self._begins[number]


class Framed:
    """Rows of these fields."""

    def __init__(self, fields: Sequence[FramedField]) -> None:
        self.fields = tuple(fields)
        self.schema = pa.schema([(field.name, field.stored.arrow) for field in fields if field.stored])
        self._framing = Framing([field.frame for field in fields])
        self._batch_schema = self.schema.append(pa.field(ROW, pa.int64(), nullable=False))

    def rows(self, file: Joined) -> Iterator[tuple[Bytes, Rows, int, int]]:
        """Chunks of the file, where their rows are, how many rows came before, and the chunk's place in the file.

        Raises `RecordRefused`.
        """
        rest, offset, size, before = b"", 0, CHUNK, 0
        while True:
            read = file.read(size)
            data = rest + read
            buffer = padded(data)
            try:
                rows = self._framing.rows(buffer, len(data))
            except BadFrame as bad:
                field = self.fields[bad.field]
                reason = f"column {field.name}: a length of {bad.length}, where {_allowed(field.frame)}"
                _refuse(file, before + bad.row, offset + bad.offset, reason)
            for end in file.ends(offset, offset + rows.end):
                row = int(np.searchsorted(rows.starts, end - offset))
                if row < len(rows.starts) and rows.starts[row] != end - offset:
                    _refuse(file, before + row - 1, end - 1, "the file ends within this row")
            if len(rows.starts):
                yield buffer, rows, before, offset
            before += len(rows.starts)
            offset += rows.end
            rest, size = data[rows.end :], CHUNK if rows.end else size * 2
            if not read:
                if rest:
                    _refuse(file, before, offset, "the file ends within this row")
                return
            if len(rest) > LONGEST:
                _refuse(file, before, offset, "a row of more than 1 GB")

    def batches(self, file: Joined, counted: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
        """The file's rows. `counted` is told of rows before their values are looked at."""
        for buffer, rows, before, offset in self.rows(file):
            number = len(rows.starts)
            counted(number)
            columns = []
            for place, field in enumerate(self.fields):
                if field.stored is None:
                    continue
                cells = Cells(buffer, rows.places[place], rows.lengths[place], rows.nulls[place])
                try:
                    columns.append(field.stored.decode(cells))
                except BadValue as bad:
                    at = offset + int(rows.places[place][bad.row])
                    _refuse(file, before + bad.row, at, f"column {field.name}: {bad.reason}")
            columns.append(plain(np.arange(before + 1, before + number + 1), pa.int64()))
            whole = pa.record_batch(columns, schema=self._batch_schema)
            for begin in range(0, number, BATCH):
                yield whole.slice(begin, BATCH)


def _refuse(file: Joined, row: int, offset: int, reason: str) -> NoReturn:
    # No later row can be found: where it begins is known from this one alone.
    name, at = file.at(offset)
    place = f"{name}: {where(row + 1, at)}" if name else where(row + 1, at)
    raise RecordRefused(f"{place}: {reason}; no later row can be read")


def _allowed(frame: Frame) -> str:
    wanted = f"{frame.width} is" if frame.fixed else f"at most {frame.width} are"
    several = f", in {frame.unit}s" if frame.unit > 1 else ""
    return f"{wanted} possible{several}{'' if frame.nullable else ', and no NULL'}"
