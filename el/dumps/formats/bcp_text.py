"""Character files of bcp (`-c`, `-w`) and BULK INSERT: fields and rows end with terminators, and nothing is quoted.

'' is one byte 0x00, NULL is nothing (Microsoft Learn, "Keep nulls or default values during bulk import"; "Specify field
and row terminators"). bcp itself looks in each field for that field's terminator alone, so a row that lacks a field
swallows the next row's first one. Here each row has to have its fields between two row terminators: what could be read
in two ways is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from el.dumps.formats.base import ROW, Format, Reading
from el.dumps.formats.gather import Bytes, Places, as_text, padded, pieces, places_of, plain
from el.dumps.formats.rejecting import Rejecting
from el.dumps.formats.transcode import Block, blocks, encoding_name, source_bytes
from el.errors import ConfigError

BATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class BcpText(Format):
    """A character file.

    terminators: of each field, the last one's is the row's. One alone is every field's but the last one's.
    unterminated: the file's last row may lack its terminator; else such a file counts as cut. breaks_inside: values
    may hold the row terminator. Where a line has too few fields, the next ones are taken to go on with it, as long as
    whole rows can be read in this way alone: a break within its first or last field could be of either of two rows.
    """

    columns: tuple[str, ...]
    encoding: str
    field: str | tuple[str, ...] = "\t"
    row: str = "\r\n"
    unterminated: bool = False
    breaks_inside: bool = False

    def __post_init__(self) -> None:
        encoding_name(self.encoding)
        if not self.columns:
            raise ConfigError("a bcp character file has no header: name its columns")
        given = self.ends
        if len(given) != len(self.columns):
            raise ConfigError(f"{len(self.columns)} columns, but {len(given)} terminators")
        if not all(given):
            raise ConfigError("a terminator is at least one character")
        if self.breaks_inside and len(set(given[:-1])) != 1:
            raise ConfigError("breaks_inside: the columns have to be several, and all end alike but for the last one")
        if any(self.row in end for end in given[:-1]):
            raise ConfigError("the row terminator is part of a field terminator, so no row's end can be told")

    @property
    def ends(self) -> tuple[str, ...]:
        """The terminator of each field."""
        between = (self.field,) * (len(self.columns) - 1) if isinstance(self.field, str) else self.field
        return (*between, self.row)

    def read(self, path: Path, rejects: int = 0) -> Reading:
        schema = pa.schema([pa.field(name, pa.string()) for name in self.columns])
        reading = Reading(schema, iter(()))
        reading.batches = self._batches(path, reading, rejects)
        return reading

    def _batches(self, path: Path, reading: Reading, rejects: int) -> Iterator[pa.RecordBatch]:
        encoding = encoding_name(self.encoding)
        schema = reading.schema.append(pa.field(ROW, pa.int64(), nullable=False))
        refuse = Rejecting(reading, rejects)
        done = 0
        for block, last in _with_last(blocks(path, encoding, self.row), self.breaks_inside):
            lines = _Lines(block, self, last)
            reading.records += block.text.count(self.row) + (not block.ended) - lines.joined
            for line in np.flatnonzero(lines.reasons).tolist():
                begin = int(lines.starts[line])
                offset = block.offset + len(source_bytes(block.data[:begin], encoding))
                data = source_bytes(block.data[begin : int(lines.ends[line])], encoding)
                refuse(done + line + 1, offset, data, lines.reason(line))
            yield from lines.batches(schema, done)
            done += len(lines.starts)


def _with_last(found: Iterator[Block], carried: bool) -> Iterator[tuple[Block, bool]]:
    """Each block and whether it is the last; where rows are carried on, what is left of one begins the next one."""
    if not carried:
        yield from ((block, True) for block in found)
        return
    block = next(found, None)
    while block is not None:
        following = next(found, None)
        yield block, following is None
        if following is not None and block.left is not None:
            following = block.left.followed_by(following)
        block = following


# Why a row is refused: the number that stands for it in `_Lines.reasons`.
_RAGGED, _OVERLAP, _UNDECODED, _CUT, _RETURN = 1, 2, 3, 4, 5
_REASONS = {
    _RAGGED: "{found} fields, not {wanted}; a value that holds a terminator cannot be told from it: "
    "export with terminators that occur in no value",
    _OVERLAP: "terminators overlap here, so that it can be read in two ways",
    _UNDECODED: "bytes that are no {encoding}",
    _CUT: "no row terminator at the file's end: the file may be cut (unterminated: true, if it is not)",
    _RETURN: 'each row ends with a carriage return before the row terminator: the row terminator is "\\r\\n"',
}


class _Lines:
    """A block's rows: where each begins and ends, where its fields are, and why it is refused, if it is."""

    def __init__(self, block: Block, format_: BcpText, last: bool) -> None:
        self.buffer: Bytes = padded(block.data)
        self._format = format_
        ends = [end.encode() for end in format_.ends]
        row = ends[-1]
        found, self._overlaps = places_of(self.buffer, row)
        self.ends: Places = found if block.ended else np.append(found, len(block.data))
        self.starts: Places = np.concatenate([[0], found + len(row)])[: len(self.ends)].astype(np.int64)
        self.joined = 0  # row terminators that are inside values, or of a row that goes on in the next block
        if format_.breaks_inside:
            self._join(ends[0], len(ends) - 1, block, last)
        self.reasons = np.zeros(len(self.starts), np.int8)
        self._counts = np.full(len(self.starts), len(ends))
        self._first, self._length = self._fields(ends)
        self._refuse_the_rest(block)

    def reason(self, line: int) -> str:
        """Why this row is refused."""
        return _REASONS[int(self.reasons[line])].format(
            found=self._counts[line], wanted=len(self._format.columns), encoding=self._format.encoding
        )

    def batches(self, schema: pa.Schema, done: int) -> Iterator[pa.RecordBatch]:
        """The rows that are not refused; `done` rows came before."""
        kept = np.flatnonzero(self.reasons == 0)
        for begin in range(0, len(kept), BATCH):
            rows = kept[begin : begin + BATCH]
            columns = [self._column(f[rows], n[rows]) for f, n in zip(self._first, self._length, strict=True)]
            yield pa.record_batch([*columns, plain(rows + (done + 1), pa.int64())], schema=schema)

    def _column(self, first: Places, length: Places) -> pa.Array:
        # One byte 0x00 is '', nothing is NULL.
        empty = (length == 1) & (self.buffer[first] == 0)
        return as_text(pieces(self.buffer, first, np.where(empty, 0, length), length == 0))

    def _join(self, end: bytes, wanted: int, block: Block, last: bool) -> None:
        """Take lines together that are one row; leave one that is not whole to the next block."""
        places = self._between(end, self._format.row.encode())
        counts = np.searchsorted(places, self.ends) - np.searchsorted(places, self.starts)
        lines = len(counts)
        kept = np.ones(lines, bool)
        done = -1
        for line in np.flatnonzero(counts != wanted).tolist():
            # Without a field terminator it could as well go on with the last field of the row before.
            if line <= done or not 0 < counts[line] < wanted:
                continue
            found, until = int(counts[line]), line
            while found < wanted and until + 1 < lines:
                until += 1
                found += int(counts[until])
            if found == wanted:
                kept[line + 1 : until + 1] = False
                self.ends[line] = self.ends[until]
                done = until
            elif found < wanted and not last:
                kept[line:] = False
                block.leave(int(self.starts[line]), self._format.encoding)
                break
        self.joined = lines - int(np.count_nonzero(kept))
        self.starts, self.ends = self.starts[kept], self.ends[kept]

    def _fields(self, ends: list[bytes]) -> tuple[list[Places], list[Places]]:
        between = ends[:-1]
        places = {end: self._between(end, ends[-1]) for end in set(between)}
        if len(places) <= 1:
            return self._alike(next(iter(places.items()), (b"", np.zeros(0, np.int64))), len(between))
        return self._one_by_one(between, places)

    def _alike(self, end: tuple[bytes, Places], between: int) -> tuple[list[Places], list[Places]]:
        """All fields end alike: a row has to hold so many of these ends."""
        pattern, places = end
        first = np.searchsorted(places, self.starts)
        self._counts = np.searchsorted(places, self.ends) - first + 1
        self.reasons[self._counts != between + 1] = _RAGGED
        known = np.append(places, 0)
        begin, starts, lengths = self.starts, [], []
        for field in range(between):
            stop = np.where(self.reasons == 0, known[np.minimum(first + field, len(places))], begin)
            starts.append(begin)
            lengths.append(stop - begin)
            begin = stop + len(pattern)
        return [*starts, begin], [*lengths, self.ends - begin]

    def _one_by_one(self, between: list[bytes], places: dict[bytes, Places]) -> tuple[list[Places], list[Places]]:
        """Each field ends in its own way: at the first such end, as bcp itself reads."""
        begin, starts, lengths = self.starts, [], []
        for field, pattern in enumerate(between):
            found = np.append(places[pattern], len(self.buffer))
            stop = found[np.searchsorted(found, begin)]
            short = (stop >= self.ends) & (self.reasons == 0)
            self.reasons[short], self._counts[short] = _RAGGED, field + 1
            stop = np.where(self.reasons == 0, stop, begin)
            starts.append(begin)
            lengths.append(stop - begin)
            begin = np.where(self.reasons == 0, stop + len(pattern), begin)
        return [*starts, begin], [*lengths, self.ends - begin]

    def _between(self, end: bytes, row: bytes) -> Places:
        """Where fields end so: not within a row terminator, of which this end may be a part."""
        found, overlaps = places_of(self.buffer, end)
        self._overlaps = np.concatenate([self._overlaps, overlaps])
        if not (set(end) & set(row)) or not len(self.ends):
            return found
        before = np.searchsorted(self.ends, found, side="right") - 1
        of_row = self.ends[np.maximum(before, 0)]
        inside = (before >= 0) & (found < of_row + len(row))
        sticks_out = inside & (found + len(end) > of_row + len(row))
        following = self.ends[np.minimum(before + 1, len(self.ends) - 1)]
        reaches_in = ~inside & (following > found) & (found + len(end) > following)
        self._overlaps = np.concatenate([self._overlaps, found[sticks_out | reaches_in]])
        return found[~inside]

    def _refuse_the_rest(self, block: Block) -> None:
        if not len(self.starts):
            return
        self.reasons[self.ends < self.starts] = _OVERLAP
        if len(self._overlaps):
            line = np.searchsorted(self.starts, self._overlaps, side="right") - 1
            self.reasons[np.maximum(line, 0)] = _OVERLAP
        if block.escaped:
            # No UTF-8 has a byte 0xED before one from 0xA0 up, but for lone surrogates.
            escapes = np.flatnonzero((self.buffer[:-1] == 0xED) & (self.buffer[1:] >= 0xA0))
            self.reasons[np.searchsorted(self.starts, escapes, side="right") - 1] = _UNDECODED
        if not block.ended and not self._format.unterminated:
            self.reasons[-1] = _CUT
        if block.first and self._format.row == "\n" and (self.buffer[self.ends - 1] == ord("\r")).all():
            self.reasons[:] = _RETURN
