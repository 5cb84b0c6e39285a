"""Documents and fragments of FOR XML: the text of each row's element in one column, as it stands.

A row is an element on the first level (FOR XML RAW, AUTO and PATH write no root), or a child of `root` (with ROOT).
The parser sees every byte, so that what is read is well-formed to the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import pyarrow as pa

from el.dumps.formats.base import ROW, Format, Reading
from el.dumps.formats.rejecting import where
from el.dumps.formats.transcode import LONGEST, encoding_name, utf8_chunks
from el.errors import RecordRefused

COLUMN = "document"
_BATCH = 1 << 16
_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*\?>")
# Rows without a root are given one, for a parser takes a document alone.
_OPENING, _CLOSING = b"<el>", b"</el>"


@dataclass(frozen=True, slots=True)
class XmlFormat(Format):
    """root: the name of the element whose children are the rows; None where the rows stand alone."""

    root: str | None = None
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        encoding_name(self.encoding)

    def read(self, path: Path, rejects: int = 0) -> Reading:
        # Where XML is broken, nothing says where the next row begins: none can be left out.
        reading = Reading(pa.schema([pa.field(COLUMN, pa.string())]), iter(()))
        reading.batches = self._batches(path, reading)
        return reading

    def _batches(self, path: Path, reading: Reading) -> Iterator[pa.RecordBatch]:
        schema = reading.schema.append(pa.field(ROW, pa.int64(), nullable=False))
        encoding = encoding_name(self.encoding)
        rows = _Rows(self.root, places_known=encoding == "utf-8")
        done = 0
        for texts in rows.all(utf8_chunks(path, encoding)):
            reading.records = rows.begun
            for begin in range(0, len(texts), _BATCH):
                part = texts[begin : begin + _BATCH]
                numbers = pa.array(range(done + 1, done + 1 + len(part)), pa.int64())
                yield pa.record_batch([pa.array(part, pa.binary()).view(pa.string()), numbers], schema=schema)
                done += len(part)


class _Rows:
    """Rows as the parser finds them. begun: how many, counted at their first tag."""

    def __init__(self, root: str | None, *, places_known: bool) -> None:
        self.begun = 0
        self._root, self._places_known = root, places_known
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.CommentHandler = lambda _: self._mark()
        self._parser.ProcessingInstructionHandler = lambda _, __: self._mark()
        self._parser.CharacterDataHandler = self._between
        self._depth = 0
        self._shift = 0  # bytes that the parser was given more than the file has
        self._held, self._held_from = bytearray(), 0
        # Of the row that is read: where it begins; and whether it has ended, which is where the next event is.
        self._row, self._ended = -1, False
        self._found: list[tuple[int, int]] = []
        self._size = 0

    def all(self, chunks: Iterator[tuple[bytes, bool]]) -> Iterator[list[bytes]]:
        """The texts of rows, as many as ended in each chunk."""
        first = b""
        begun = False
        for data, final in chunks:
            self._size += len(data)
            if not begun:
                # All of a declaration has to be there, as rows without a root are given one behind it.
                first += data
                if len(first) < 1000 and not final:
                    continue
                data, begun = self._begin(first), True
            yield self._of(data, final)

    def _begin(self, data: bytes) -> bytes:
        if self._root is not None:
            return data
        declaration = _DECLARATION.match(data)
        skipped = declaration.end() if declaration else 0
        self._shift = len(_OPENING) - skipped
        return _OPENING + data[skipped:]

    def _of(self, data: bytes, final: bool) -> list[bytes]:
        if final and self._root is None:
            data += _CLOSING
        self._held += data
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            self._refuse(expat.ErrorString(error.code), self._parser.ErrorByteIndex)
        texts = [bytes(self._held[a - self._held_from : b - self._held_from]) for a, b in self._found]
        self._found.clear()
        keep = self._row if self._row >= 0 else self._held_from + len(self._held)
        del self._held[: keep - self._held_from]
        self._held_from = keep
        if len(self._held) > LONGEST:
            self._refuse("a row of more than 256 MB", keep)
        return texts

    def _mark(self) -> None:
        if self._ended:
            self._found.append((self._row, self._parser.CurrentByteIndex))
            self._row, self._ended = -1, False

    def _start(self, name: str, _: object) -> None:
        self._mark()
        self._depth += 1
        if self._depth == 1 and self._root not in (None, name):
            self._refuse(f"the root is {name}, not {self._root}", self._parser.CurrentByteIndex)
        if self._depth == 2:
            self._row = self._parser.CurrentByteIndex
            self.begun += 1
            # Within a row text is of no interest, and there is much of it.
            self._parser.CharacterDataHandler = None

    def _end(self, _: str) -> None:
        self._mark()
        self._depth -= 1
        if self._depth == 1:
            self._ended = True
            self._parser.CharacterDataHandler = self._between

    def _between(self, text: str) -> None:
        self._mark()
        if text.strip(" \t\r\n"):
            self._refuse("text between rows", self._parser.CurrentByteIndex)

    def _doctype(self, *_: object) -> None:
        # Entities of its own could make a value out of what is not there, or far more than there is.
        self._refuse("a document type declaration", self._parser.CurrentByteIndex)

    def _refuse(self, reason: str, place: int) -> NoReturn:
        offset = min(place - self._shift, self._size) if self._places_known else None
        raise RecordRefused(f"{where(max(self.begun, 1), offset)}: {reason}; no later row can be read")
