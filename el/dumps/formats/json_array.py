"""One JSON array of objects, as FOR JSON writes: the text of each object in one column, as it stands.

Where an object ends is found in blocks, by its brackets outside of texts. Each one is then held to be JSON by a parser,
and by RFC 8259 where that parser is lenient: no comma before a closing bracket, no NaN, no Infinity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from el.connectors.sql.engine import session
from el.dumps.formats.base import ROW, Format, Reading
from el.dumps.formats.gather import Bytes, Flags, Places, as_text, padded, pieces, plain
from el.dumps.formats.rejecting import Rejecting, where
from el.dumps.formats.transcode import LONGEST, encoding_name, source_bytes, utf8_chunks
from el.errors import RecordRefused

COLUMN = "document"
_BLANKS = b" \t\r\n"
_BLANK = np.isin(np.arange(256, dtype=np.uint8), list(_BLANKS))
_OPEN, _CLOSE = np.zeros((2, 256), np.int64)
_OPEN[list(b"[{")], _CLOSE[list(b"]}")] = 1, -1
_STRUCTURE = (_OPEN + _CLOSE != 0) | (np.arange(256) == ord(","))
# Letters of true, false and null, and of an exponent.
_LETTERS = np.isin(np.arange(256), list(b"truefalsnE"))
_ALPHABET = np.array([chr(n).isalpha() and n < 128 for n in range(256)])


@dataclass(frozen=True, slots=True)
class JsonArrayFormat(Format):
    """A file of one array; written by a tool in UTF-16, say so by `encoding`."""

    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        encoding_name(self.encoding)

    def read(self, path: Path, rejects: int = 0) -> Reading:
        reading = Reading(pa.schema([pa.field(COLUMN, pa.string())]), iter(()))
        reading.batches = self._batches(path, reading, rejects)
        return reading

    def _batches(self, path: Path, reading: Reading, rejects: int) -> Iterator[pa.RecordBatch]:
        schema = reading.schema.append(pa.field(ROW, pa.int64(), nullable=False))
        refuse = Rejecting(reading, rejects)
        array = _Array(encoding_name(self.encoding))
        with session() as connection:
            for data, final in utf8_chunks(path, array.encoding):
                for objects in array.more(data, final):
                    begins = np.arange(array.done + 1, array.done + 1 + len(objects.starts))
                    reading.records += objects.opened
                    good = objects.good(connection)
                    for bad in np.flatnonzero(~good).tolist():
                        text = source_bytes(
                            objects.buffer[objects.starts[bad] : objects.ends[bad]].tobytes(), array.encoding
                        )
                        refuse(int(begins[bad]), array.offset(objects.starts[bad]), text, "it is no JSON object")
                    texts = pieces(objects.buffer, objects.starts[good], (objects.ends - objects.starts)[good])
                    array.done += len(objects.starts)
                    yield pa.record_batch([as_text(texts), plain(begins[good], pa.int64())], schema=schema)


class _Array:
    """The array while it is read: what is left of the last chunk, and where that stands."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.done = 0
        self._begun = self._over = False
        self._rest = b""
        self._place = 0

    def offset(self, place: int) -> int | None:
        """A place in the chunk as one in the file; in another encoding than UTF-8 it is not known."""
        return self._place + int(place) if self.encoding == "utf-8" else None

    def more(self, data: bytes, final: bool) -> Iterator[_Objects]:
        """The objects that are whole now."""
        data = self._rest + data
        begin = 0
        if not self._begun and data.strip(_BLANKS):
            begin = len(data) - len(data.lstrip(_BLANKS))
            if data[begin : begin + 1] != b"[":
                self._refuse(begin, "the file is no array: FOR JSON writes one, without ROOT and WITHOUT_ARRAY_WRAPPER")
            begin, self._begun = begin + 1, True
        if self._over:
            begin, rest = 0, data
        else:
            objects = _Objects(data, begin, self.done == 0)
            yield objects
            self._over, begin, rest = objects.over, objects.end, data[objects.end :]
        self._place += begin
        self._rest = rest
        if self._over and rest.strip(_BLANKS):
            self._refuse(len(rest) - len(rest.lstrip(_BLANKS)), "text behind the array")
        if self._over:
            self._place, self._rest = self._place + len(rest), b""
        elif final:
            self._refuse(
                0, "the file ends within the array: it is cut" if self._begun else "the file is empty: no array"
            )
        elif len(self._rest) > LONGEST:
            self._refuse(0, "an object of more than 256 MB")

    def _refuse(self, place: int, reason: str) -> None:
        raise RecordRefused(f"{where(self.done + 1, self.offset(place))}: {reason}")


class _Objects:
    """Whole objects of a chunk that begins behind `[` or a comma. opened: counted where they begin, not end."""

    def __init__(self, data: bytes, begin: int, first: bool) -> None:
        self.buffer: Bytes = padded(data)
        body = self.buffer[begin : len(data)]
        outside = _outside(body)
        places = np.flatnonzero(outside & _STRUCTURE[body])
        marks = body[places]
        depth = np.cumsum(_OPEN[marks] + _CLOSE[marks])
        close = np.flatnonzero(depth < 0)
        self.over = len(close) > 0
        if self.over:
            places, marks, depth = places[: close[0] + 1], marks[: close[0] + 1], depth[: close[0] + 1]
        ends = places[(depth == 0) & (marks == ord(","))]
        if self.over:
            ends = np.append(ends, places[-1])
        starts = np.append(0, ends + 1)[: len(ends)]
        limit = int(ends[-1]) + 1 if len(ends) else 0
        self.opened = int(np.count_nonzero((depth == 1) & (_OPEN[marks] == 1) & (places < limit)))
        self.end = begin + limit
        filled = np.concatenate([[0], np.cumsum(~_BLANK[body[:limit]])])
        if self.over and first and len(ends) == 1 and filled[ends[0]] == filled[starts[0]]:
            starts, ends = starts[:0], ends[:0]
        inside = places[(depth > 0) | (_CLOSE[marks] == -1)]
        lenient = _lenient(body[:limit], outside[:limit], inside[inside < limit], filled)
        self.starts, self.ends = _trimmed(starts, ends, filled)
        self.starts, self.ends = self.starts + begin, self.ends + begin
        self._lenient = lenient + begin

    def good(self, connection: duckdb.DuckDBPyConnection) -> Flags:
        """Of each, whether it is a JSON object."""
        if not len(self.starts):
            return np.zeros(0, bool)
        texts = as_text(pieces(self.buffer, self.starts, self.ends - self.starts))
        asked = pa.table({"text": texts})  # noqa: F841
        found = connection.execute("SELECT json_valid(text) FROM asked").fetchnumpy()
        valid: Flags = np.asarray(next(iter(found.values())), bool) & (self.buffer[self.starts] == ord("{"))
        valid &= self.ends > self.starts
        if len(self._lenient):
            valid[np.maximum(np.searchsorted(self.starts, self._lenient, side="right") - 1, 0)] = False
        return valid


def _outside(body: Bytes) -> Flags:
    """Which bytes are outside of texts; a text's own quotes are inside, or one of them."""
    quote = body == ord('"')
    slash = body == ord("\\")
    if slash.any():
        # A quote is one of the text if an odd number of backslashes stand before it.
        at = np.flatnonzero(quote)
        plain_before = np.maximum.accumulate(np.where(slash, -1, np.arange(len(body))))
        run = at - 1 - np.where(at > 0, plain_before[np.maximum(at - 1, 0)], -1)
        quote[at[run % 2 == 1]] = False
    within = np.bitwise_xor.accumulate(quote.view(np.uint8)).view(bool)
    outside: Flags = ~within & ~quote
    return outside


def _lenient(body: Bytes, outside: Flags, places: Places, filled: Places) -> Places:
    """Where something stands that is no JSON, although the parser takes it."""
    marks = body[places]
    following = (marks[:-1] == ord(",")) & (_CLOSE[marks[1:]] == -1)
    # The comma itself is filled, so that nothing more is where the count is one.
    trailing = places[:-1][following & (filled[places[1:]] - filled[places[:-1]] == 1)]
    letters = outside & _ALPHABET[body]
    odd = np.flatnonzero(letters & ~_LETTERS[body])
    nan = np.flatnonzero(letters[:-1] & (body[:-1] == ord("n")) & (body[1:] == ord("a")))
    return np.concatenate([trailing, odd, nan])


def _trimmed(starts: Places, ends: Places, filled: Places) -> tuple[Places, Places]:
    """Without the blanks around; an empty piece stays where it is."""
    # The n-th filled byte stands at the first place behind which n are counted.
    first = np.searchsorted(filled, filled[starts], side="right") - 1
    last = np.searchsorted(filled, filled[ends], side="left")
    empty = filled[starts] == filled[ends]
    return np.where(empty, starts, first), np.where(empty, starts, last)
