"""Text in columns of fixed width: each row has as many characters as its columns together, and nothing is trimmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from el.dumps.formats.base import ROW, Format, Reading
from el.dumps.formats.gather import Flags, as_text, padded, pieces, places_of, plain
from el.dumps.formats.rejecting import Rejecting
from el.dumps.formats.transcode import Block, blocks, encoding_name, source_bytes
from el.errors import ConfigError

BATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class FixedWidthFormat(Format):
    """columns: name and width of each, in characters (of UTF-16: not in its units).

    unterminated: the file's last row may lack its terminator; else such a file counts as cut.
    """

    columns: tuple[tuple[str, int], ...]
    encoding: str = "utf-8"
    row: str = "\r\n"
    unterminated: bool = False

    def __post_init__(self) -> None:
        encoding_name(self.encoding)
        if not self.columns or any(width < 1 for _, width in self.columns):
            raise ConfigError("fixed width: name the columns, each with a width of one character or more")
        if not self.row:
            raise ConfigError("fixed width: a row ends with a terminator")

    def read(self, path: Path, rejects: int = 0) -> Reading:
        reading = Reading(pa.schema([pa.field(name, pa.string()) for name, _ in self.columns]), iter(()))
        reading.batches = self._batches(path, reading, rejects)
        return reading

    def _batches(self, path: Path, reading: Reading, rejects: int) -> Iterator[pa.RecordBatch]:
        schema = reading.schema.append(pa.field(ROW, pa.int64(), nullable=False))
        encoding = encoding_name(self.encoding)
        refuse = Rejecting(reading, rejects)
        done = 0
        for block in blocks(path, encoding, self.row):
            lines = _Lines(block, self)
            reading.blank_lines += lines.blank
            # Counted as Python parts a text; the rows are found by their bytes.
            reading.records += sum(1 for line in block.text.split(self.row) if line)
            for line in np.flatnonzero(~lines.good).tolist():
                begin, end = int(lines.starts[line]), int(lines.ends[line])
                offset = block.offset + len(source_bytes(block.data[:begin], encoding))
                refuse(done + line + 1, offset, source_bytes(block.data[begin:end], encoding), lines.reason(line))
            yield from lines.batches(schema, done)
            done += len(lines.starts)


class _Lines:
    """A block's rows, without those that are blank: where each begins and ends, and whether its width is right."""

    def __init__(self, block: Block, format_: FixedWidthFormat) -> None:
        self._format = format_
        self._buffer = padded(block.data)
        self._bounds = np.concatenate([[0], np.cumsum([width for _, width in format_.columns])])
        row = format_.row.encode()
        found, _ = places_of(self._buffer, row)
        ends = found if block.ended else np.append(found, len(block.data))
        starts = np.concatenate([[0], found + len(row)])[: len(ends)].astype(np.int64)
        filled = ends > starts
        self.blank = int(len(filled) - np.count_nonzero(filled))
        self.starts, self.ends = starts[filled], ends[filled]
        # Where each character begins: a byte that goes on with one is 10xxxxxx.
        letters = np.flatnonzero((self._buffer[: len(block.data)] & 0xC0) != 0x80)
        self._letters = np.append(letters, len(block.data))
        self._first = np.searchsorted(self._letters, self.starts)
        self._counts = np.searchsorted(self._letters, self.ends) - self._first
        self._cut = not block.ended and not format_.unterminated
        self.good: Flags = self._counts == self._bounds[-1]
        self.good[len(self.good) - self._cut :] = False
        if block.escaped:
            escapes = np.flatnonzero((self._buffer[:-1] == 0xED) & (self._buffer[1:] >= 0xA0))
            self.good[np.searchsorted(self.starts, escapes, side="right") - 1] = False

    def reason(self, line: int) -> str:
        """Why this row is refused."""
        if self._cut and line == len(self.starts) - 1:
            return "no row terminator at the file's end: the file may be cut (unterminated: true, if it is not)"
        if self._counts[line] != self._bounds[-1]:
            return f"{self._counts[line]} characters, not {self._bounds[-1]}"
        return f"bytes that are no {self._format.encoding}"

    def batches(self, schema: pa.Schema, done: int) -> Iterator[pa.RecordBatch]:
        """The rows that are not refused; `done` rows came before."""
        kept = np.flatnonzero(self.good)
        for begin in range(0, len(kept), BATCH):
            rows = kept[begin : begin + BATCH]
            places = [self._letters[self._first[rows] + bound] for bound in self._bounds.tolist()]
            columns = [as_text(pieces(self._buffer, a, b - a)) for a, b in pairwise(places)]
            yield pa.record_batch([*columns, plain(rows + (done + 1), pa.int64())], schema=schema)
