"""Delimited text read field by field: slow, and exact about what is wrong where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from el.dumps.formats.csv_dialect import Dialect

_ENDS = {"any": rb"\r?\n", "\n": rb"\n", "\r\n": rb"\r\n", "\r": rb"\r"}


@dataclass(frozen=True, slots=True)
class Record:
    """One record. start, end: in the data, with its line end. reason: why it cannot be read; fatal: nor what follows"""

    start: int
    end: int
    fields: tuple[str | None, ...]
    reason: str | None = None
    fatal: bool = False
    blank: bool = False


class StrictReader:
    """Reads records of so many fields; None: of any number."""

    def __init__(self, dialect: Dialect, fields: int | None) -> None:
        self.dialect = dialect
        self.fields = fields
        end = _ENDS[dialect.newline]
        self._end = re.compile(end + rb"\Z")
        delimiter = re.escape(dialect.delimiter.encode())
        self._quote = dialect.quote.encode() if dialect.quote else None
        # The text of a field without quotes goes on to the next delimiter or line end.
        any_end = delimiter + rb"|" + end + rb"|\Z"
        self._plain = re.compile(rb"((?:(?!" + any_end + rb").)*)(" + any_end + rb")", re.DOTALL)
        if dialect.newline in ("any", "\n"):
            # The same by classes of bytes, which is ten times faster; \r before \n is taken off behind.
            self._plain = re.compile(rb"([^" + delimiter + rb"\n]*)(" + delimiter + rb"|\n|\Z)")
        self._after = re.compile(rb"(" + any_end + rb")")
        self._line = re.compile(rb".*?(?:" + end + rb"|\Z)", re.DOTALL)
        if self._quote is not None:
            quote, escape = re.escape(self._quote), dialect.escape.encode() if dialect.escape else self._quote
            inside = rb"[^" + quote + re.escape(escape) + rb"]"
            pair = re.escape(escape) + (rb"." if dialect.escape else quote)
            self._quoted = re.compile(quote + rb"((?:" + inside + rb"|" + pair + rb")*+)" + quote, re.DOTALL)
            self._pair = re.compile(re.escape(escape) + rb"(.)", re.DOTALL)

    def records(self, data: bytes, *, final: bool = True) -> Iterator[Record]:
        """All records of `data`, which begins with one."""
        at = 0
        while at < len(data):
            record = self._record(data, at)
            yield record
            if record.fatal:
                return
            at = record.end

    def record(self, data: bytes) -> Record:
        """The first record."""
        return self._record(data, 0)

    def outside_quotes(self, data: bytes) -> str:
        """A record without its quoted fields and its line end."""
        plain = data if self._quote is None else self._quoted.sub(b"", data)
        end = self._end.search(plain)
        return (plain[: end.start()] if end else plain).decode(errors="replace")

    def _record(self, data: bytes, start: int) -> Record:
        at = start
        fields: list[str | None] = []
        while True:
            quoted = self._quote is not None and data.startswith(self._quote, at)
            if quoted:
                found = self._quoted.match(data, at)
                if found is None:
                    reason = f"the quote in field {len(fields) + 1} is never closed"
                    return Record(start, len(data), (), reason, fatal=True)
                text, at = self._pair.sub(rb"\1", found[1]), found.end()
                after = self._after.match(data, at)
                if after is None:
                    line = self._line.match(data, at)
                    assert line is not None
                    reason = f"field {len(fields) + 1} goes on behind its closing quote"
                    return Record(start, line.end(), (), reason)
                ended, at = after[1], after.end()
            else:
                plain = self._plain.match(data, at)
                assert plain is not None
                text, ended, at = plain[1], plain[2], plain.end()
                if ended == b"\n" and self.dialect.newline == "any":
                    text = text.removesuffix(b"\r")
            try:
                value: str | None = text.decode()
            except UnicodeDecodeError as error:
                reason = f"field {len(fields) + 1} holds {_bad(text, error)}, which is no {self.dialect.encoding}"
                return Record(start, self._rest(data, at, ended), (), reason)
            fields.append(None if not quoted and value in self.dialect.null else value)
            if ended != self.dialect.delimiter.encode():
                return self._whole(start, at, tuple(fields), blank=not quoted and len(fields) == 1 and not text)

    def _rest(self, data: bytes, at: int, ended: bytes) -> int:
        """Where the record ends of which the field before `at` is bad."""
        while ended == self.dialect.delimiter.encode():
            found = self._quoted.match(data, at) if self._quote and data.startswith(self._quote, at) else None
            after = self._after.match(data, found.end()) if found else self._plain.match(data, at)
            if after is None:
                line = self._line.match(data, at)
                assert line is not None
                return line.end()
            ended, at = after[after.lastindex or 0], after.end()
        return at

    def _whole(self, start: int, end: int, fields: tuple[str | None, ...], *, blank: bool) -> Record:
        reason = None
        if self.fields is not None and len(fields) != self.fields and not blank:
            reason = f"{len(fields)} {'field' if len(fields) == 1 else 'fields'} instead of {self.fields}"
        return Record(start, end, fields, reason, blank=blank)


def _bad(text: bytes, error: UnicodeDecodeError) -> str:
    """What is no text: a byte of the file, which another encoding than UTF-8 has made half a pair of surrogates."""
    lone = text[error.start : error.start + 3].decode(
        "utf-8", "replace" if text[error.start] != 0xED else "surrogatepass"
    )
    if lone and 0xDC80 <= ord(lone[0]) <= 0xDCFF:
        return f"the byte 0x{ord(lone[0]) - 0xDC00:02X}"
    return f"the byte 0x{text[error.start]:02X}"
