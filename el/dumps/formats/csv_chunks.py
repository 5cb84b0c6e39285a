"""A delimited text in pieces that begin and end with a record, each with its number of records.

Guarantees: records are counted by line ends outside quotes, over whole arrays of bytes, by nothing that the parser
does. Memory is bounded by a few chunks; a record longer than `MAX_RECORD` is refused. Other encodings than UTF-8 are
decoded strictly; what is no text in them stays bytes that are no UTF-8 either, and is refused with its record.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from el.dumps.formats.csv_dialect import Dialect
from el.dumps.formats.csv_strict import StrictReader
from el.errors import RecordRefused

CHUNK = 4 * 1024 * 1024
# One that is longer has a quote that was never closed, nearly always.
MAX_RECORD = 64 * 1024 * 1024

_LF, _CR = 10, 13
_BOMS = (
    # Before those of UTF-16, for this one begins with the same two bytes.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _named(encoding: str) -> str:
    """What Python calls it itself; a code page may be told by its number."""
    name = encoding.strip()
    return codecs.lookup(f"cp{name}" if name.isdigit() else name).name


def _plain(encoding: str) -> str:
    """The name of the same encoding without a mark of the byte order. Files without one are of this kind of machine."""
    name = _named(encoding)
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole records in UTF-8. records: line ends outside quotes, with blank lines.

    start: of the chunk in the file, in bytes of the file. regular: each quote stands where a field begins or ends.
    """

    data: bytes
    start: int
    records: int
    blank_lines: int
    regular: bool
    final: bool


class Chunks:
    """The chunks of a file."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._dialect = dialect
        self._file = path.open("rb")
        self._encoding = _plain(dialect.encoding)  # without a mark of its byte order
        # What is no text becomes half a pair of surrogates, which no UTF-8 can hold.
        self._lone = "surrogatepass" if self._encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._start = 0  # of what is held, in bytes of the file
        self._ended = False
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def _begin(self) -> None:
        """Pass over the mark of the byte order; that of another encoding is refused."""
        first = self._file.read(4)
        named = _named(self._dialect.encoding)
        found = next((each for each in _BOMS if first.startswith(each[0])), None)
        if found is not None:
            mark, encoding = found
            if named in ("utf-16", "utf-32") and encoding.startswith(named):
                self._encoding = encoding
            if self._encoding != encoding:
                self.close()
                raise RecordRefused(
                    f"byte 0: the byte order mark of {encoding}, and the file is to be read as "
                    f"{self._dialect.encoding}: say `encoding: {encoding}`"
                )
            self._start = len(mark)
        self._file.seek(self._start)
        if self._encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self._encoding)(self._lone)

    def _more(self) -> bool:
        """Read on; whether there was more."""
        block = self._file.read(CHUNK)
        self._ended = not block
        if self._decoder is not None:
            try:
                text = self._decoder.decode(block, final=self._ended)
            except UnicodeDecodeError as error:
                raise RecordRefused(f"byte {self._file.tell():,}: {self._encoding}: {error.reason}") from None
            block = text.encode("utf-8", "surrogatepass")
        self._held += block
        return not self._ended

    def first_record(self) -> bytes | None:
        """The first record, taken off; None where there is not one byte."""
        reader = StrictReader(self._dialect, None)
        while self._more() and len(self._held) < MAX_RECORD:
            record = reader.record(self._held)
            if not record.fatal and record.end < len(self._held):
                break
        if not self._held:
            return None
        record = reader.record(self._held)
        found = self._held[: record.end]
        self._take(record.end)
        return found

    def _take(self, end: int) -> None:
        self._start += len(self.original(self._held[:end]))
        self._held = self._held[end:]

    def __iter__(self) -> Iterator[Chunk]:
        while True:
            if not self._ended and len(self._held) < CHUNK:
                self._more()
            cut = self._cut()
            if cut is not None:
                data, start = self._held[: cut.end], self._start
                self._take(cut.end)
                yield Chunk(data, start, cut.records, cut.blank_lines, cut.regular, self._ended and not self._held)
                continue
            if self._ended:
                if self._held:
                    yield self._last()
                return
            if len(self._held) > MAX_RECORD:
                raise RecordRefused(
                    f"byte {self._start:,}: a record of more than {MAX_RECORD >> 20} MB: a quote "
                    "that is never closed, or another `newline` or `quote` than the file has"
                )
            self._more()

    def _last(self) -> Chunk:
        """What is left behind the last line end."""
        data, start = self._held, self._start
        self._take(len(data))
        return Chunk(data, start, 1, 0, regular=is_plain(data, self._dialect), final=True)

    def _cut(self) -> _Cut | None:
        """The records that are held whole; None: not one."""
        dialect, data = self._dialect, self._held
        quote = dialect.quote.encode() if dialect.quote else None
        escaped = dialect.escape is not None and dialect.escape.encode() in data
        if escaped or (quote is not None and quote in data):
            return _strict_cut(data, dialect, final=self._ended) if escaped else _quoted_cut(data, dialect)
        end = data.rfind(dialect.line_end) + 1
        if not end:
            return None
        records = data.count(dialect.line_end, 0, end)
        returns = data.count(b"\r", 0, end)
        regular = _line_ends_are_plain(dialect, records, returns, data.count(b"\r\n", 0, end) if returns else 0)
        if dialect.newline == "\r":
            regular = b"\n" not in data
        elif dialect.newline == "\r\n" and not regular:
            return _strict_cut(data, dialect, final=self._ended)
        blank = 0
        if data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data or dialect.newline == "\r":
            blank = _blank_lines(data, np.flatnonzero(_bytes(data[:end]) == dialect.line_end[0]))
        return _Cut(end, records, blank, regular)

    def offset_of(self, chunk: Chunk, at: int) -> int:
        """The byte of the file at which the byte `at` of a chunk stands."""
        return chunk.start + len(self.original(chunk.data[:at]))

    def original(self, data: bytes) -> bytes:
        """A piece of a chunk as it stands in the file."""
        if self._decoder is None:
            return data
        return data.decode("utf-8", "surrogatepass").encode(self._encoding, self._lone)


@dataclass(frozen=True, slots=True)
class _Cut:
    end: int
    records: int
    blank_lines: int
    regular: bool


def is_plain(data: bytes, dialect: Dialect) -> bool:
    """Whether in whole records each quote stands where a field begins or ends, and all line ends are of one kind."""
    if dialect.escape is not None and dialect.escape.encode() in data:
        return False
    found = _bytes(data)
    quotes = np.flatnonzero(found == ord(dialect.quote)) if dialect.quote else np.zeros(0, np.intp)
    if len(quotes) and (len(quotes) % 2 or not _quotes_are_plain(found, quotes, dialect)):
        return False
    feeds, returns = (_outside(np.flatnonzero(found == byte), quotes) for byte in (_LF, _CR))
    if dialect.newline == "\r":
        return not len(feeds)
    both = int(np.count_nonzero(found[np.minimum(returns + 1, len(found) - 1)] == _LF))
    return _line_ends_are_plain(dialect, len(feeds), len(returns), both)


def _bytes(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def _line_ends_are_plain(dialect: Dialect, line_feeds: int, returns: int, both: int) -> bool:
    """Whether no carriage return stands where it is no part of a line end. The parser takes each for one."""
    if dialect.newline == "\n":
        return returns == 0
    if dialect.newline == "\r\n":
        return line_feeds == returns == both
    return returns == both


def _quoted_cut(data: bytes, dialect: Dialect) -> _Cut | None:
    assert dialect.quote is not None
    found = _bytes(data)
    quotes = np.flatnonzero(found == ord(dialect.quote))
    ends = _outside(np.flatnonzero(found == dialect.line_end[0]), quotes)
    if not len(ends):
        return None
    end = int(ends[-1]) + 1
    quotes = quotes[: np.searchsorted(quotes, end)]
    regular = _quotes_are_plain(found, quotes, dialect)
    if not regular:
        # Which line ends are inside quotes is not known so.
        return _strict_cut(data, dialect, final=False)
    if dialect.newline == "\r":
        regular = not len(_outside(np.flatnonzero(found[:end] == _LF), quotes))
    else:
        # Behind each of them stands at least the line feed of the last line end.
        returns = _outside(np.flatnonzero(found[:end] == _CR), quotes)
        both = int(np.count_nonzero(found[returns + 1] == _LF))
        regular = _line_ends_are_plain(dialect, len(ends), len(returns), both)
    if not regular and dialect.newline == "\r\n":
        return _strict_cut(data, dialect, final=False)
    return _Cut(end, len(ends), _blank_lines(data, ends), regular)


def _outside(places: npt.NDArray[np.intp], quotes: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Those before which an even number of quotes stands."""
    even: npt.NDArray[np.bool_] = (np.searchsorted(quotes, places) & 1) == 0
    return places[even]


def _quotes_are_plain(found: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp], dialect: Dialect) -> bool:
    """Whether each first of two quotes begins a field, or doubles the one before it, and each second one ends one."""
    quote, delimiter = ord(dialect.quote or ""), ord(dialect.delimiter)
    opening, closing = quotes[0::2], quotes[1::2]
    before = found[opening[opening > 0] - 1]
    begins = (before == delimiter) | (before == dialect.line_end[0])
    behind = found[closing[closing < len(found) - 1] + 1]
    ends = (behind == delimiter) | (behind == _LF) | (behind == _CR)
    if dialect.escape is None:
        begins |= before == quote
        ends |= behind == quote
    return bool(begins.all() and ends.all())


def _blank_lines(data: bytes, ends: npt.NDArray[np.intp]) -> int:
    """Lines of no byte, or of a carriage return alone."""
    found = _bytes(data)
    lengths = np.diff(ends, prepend=-1) - 1
    returns = (lengths == 1) & (found[ends - 1] == _CR)
    return int(np.count_nonzero((lengths == 0) | returns))


def _strict_cut(data: bytes, dialect: Dialect, *, final: bool) -> _Cut | None:
    """By reading field by field; a record that the end of the data cuts is left for later."""
    records = end = 0
    whole = b"\r\n" if dialect.newline == "\r\n" else dialect.line_end
    for record in StrictReader(dialect, None).records(data):
        if record.fatal or (record.end == len(data) and not data.endswith(whole)):
            break
        records, end = records + 1, record.end
    return _Cut(end, records, 0, regular=False) if end else None
