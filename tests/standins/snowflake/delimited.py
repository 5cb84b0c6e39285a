"""Delimited text as COPY reads it, character by character, by Snowflake's documentation and by nothing of `el`.

"CREATE FILE FORMAT" and "COPY INTO <table>", TYPE = CSV; "Data unloading considerations" for a quoted empty field and a
doubled quote; "Preparing your data files" for what has to be quoted. What they leave open is refused as such: a test
that needs it would rest on a guess.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass

from snowflake.connector.errors import ProgrammingError

from .errors import compilation_error

# Option -> its default, as documented.
DEFAULTS: dict[str, object] = {
    "TYPE": "CSV",
    "COMPRESSION": "AUTO",
    "RECORD_DELIMITER": "\n",
    "FIELD_DELIMITER": ",",
    "MULTI_LINE": True,
    "PARSE_HEADER": False,
    "SKIP_HEADER": 0,
    "SKIP_BLANK_LINES": False,
    "ESCAPE": None,
    "ESCAPE_UNENCLOSED_FIELD": "\\",
    "TRIM_SPACE": False,
    "FIELD_OPTIONALLY_ENCLOSED_BY": None,
    "NULL_IF": ("\\N",),
    "ERROR_ON_COLUMN_COUNT_MISMATCH": True,
    "REPLACE_INVALID_CHARACTERS": False,
    "EMPTY_FIELD_AS_NULL": True,
    "SKIP_BYTE_ORDER_MARK": True,
    "ENCODING": "UTF8",
}
_ENCODINGS = {
    "UTF8": "utf-8",
    "UTF16LE": "utf-16-le",
    "UTF16BE": "utf-16-be",
    "ISO88591": "latin-1",
    "ISO88592": "iso8859-2",
    **{f"WINDOWS{page}": f"cp{page}" for page in range(1250, 1257)},
}
_BOMS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
_UNPACK = {"NONE": lambda data: data, "GZIP": gzip.decompress, "BZ2": bz2.decompress}
# So that a test can see that a COPY which reads otherwise is found out.
MISREADINGS = {
    "trims": lambda text: text if text is None else text.strip(" "),
    "nulls": lambda text: text or None,
    "folds": lambda text: text if text is None else text.replace("\r\n", "\n"),
}


def not_documented(what: str) -> ProgrammingError:
    return ProgrammingError(msg=f"not documented, so not known here: {what}", errno=2, sqlstate="0A000")


def _failed(text: str, record: int) -> ProgrammingError:
    return ProgrammingError(msg=f"{text}, row {record}", errno=100016, sqlstate="22000")


@dataclass(frozen=True)
class Options:
    """A file format of TYPE = CSV."""

    given: dict[str, object]

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.given) - set(DEFAULTS)):
            raise compilation_error(f"invalid parameter '{unknown[0]}'", 1003, "42000")
        field, record = self.text("FIELD_DELIMITER"), self.text("RECORD_DELIMITER")
        for delimiter in (field, record):
            if delimiter is not None and len(delimiter) > 20:
                raise compilation_error(f"invalid value {delimiter!r}: a delimiter has 20 characters at most", 1008, "")
        if field and record and (field in record or record in field):
            raise compilation_error(f"delimiter {field!r} or {record!r} is a part of the other one", 1008, "22023")
        if self.text("FIELD_OPTIONALLY_ENCLOSED_BY") not in (None, '"', "'"):
            raise compilation_error("invalid value for FIELD_OPTIONALLY_ENCLOSED_BY", 1008, "22023")
        if self["PARSE_HEADER"]:
            raise compilation_error("PARSE_HEADER is only allowed with MATCH_BY_COLUMN_NAME", 2, "42000")

    def __getitem__(self, name: str) -> object:
        return self.given.get(name, DEFAULTS[name])

    def text(self, name: str) -> str | None:
        """A character or several: by themselves, by hex or octal values, or by an escape; None for NONE."""
        value = self[name]
        if value is None or str(value).upper() == "NONE":
            return None
        if found := re.fullmatch(r"0x([0-9a-fA-F]{2})", str(value)):
            return chr(int(found[1], 16))
        escapes = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\"}
        named = re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), str(value))
        return re.sub(r"\\[nrt\\]", lambda found: escapes[found[0]], named)


def records(data: bytes, options: Options) -> Iterator[list[str | None]]:
    """The fields of each record."""
    text = _decoded(_unpacked(data, options), options)
    for _ in range(int(str(options["SKIP_HEADER"]))):
        text = text.partition("\n")[2]
    yield from _Reader(text, options).records()


def _unpacked(data: bytes, options: Options) -> bytes:
    how = str(options["COMPRESSION"]).upper()
    if how == "AUTO":
        how = "GZIP" if data.startswith(b"\x1f\x8b") else "BZ2" if data.startswith(b"BZh") else "NONE"
    try:
        return _UNPACK[how](data)
    except (OSError, EOFError) as error:
        raise ProgrammingError(msg=f"Invalid data encountered during decompression: {error}", errno=100075) from None


def _decoded(data: bytes, options: Options) -> str:
    encoding = _ENCODINGS[str(options["ENCODING"]).upper()]
    mark = _BOMS.get(encoding)
    if mark and data.startswith(mark):
        if not options["SKIP_BYTE_ORDER_MARK"]:
            raise not_documented("a byte order mark that is not skipped")
        data = data.removeprefix(mark)
    try:
        return data.decode(encoding, "replace" if options["REPLACE_INVALID_CHARACTERS"] else "strict")
    except UnicodeDecodeError as error:
        raise ProgrammingError(msg=f"Invalid UTF8 detected in string '0x{error.object[error.start]:02X}'") from None


class _Reader:
    """One text."""

    def __init__(self, text: str, options: Options) -> None:
        self.text, self.options, self.at, self.record = text, options, 0, 0
        self.delimiter, self.end = options.text("FIELD_DELIMITER"), options.text("RECORD_DELIMITER")
        self.quote, self.escape = options.text("FIELD_OPTIONALLY_ENCLOSED_BY"), options.text("ESCAPE")
        self.plain_escape = options.text("ESCAPE_UNENCLOSED_FIELD")

    def records(self) -> Iterator[list[str | None]]:
        while self.at < len(self.text):
            self.record += 1
            if self._ends_record() or (self.end == "\r" and self.text[self.at] == "\n"):
                if not self.options["SKIP_BLANK_LINES"]:
                    raise _failed("End of record reached while expected to parse column", self.record)
                self._pass_end()
                continue
            yield self._fields()

    def _fields(self) -> list[str | None]:
        fields = []
        while True:
            fields.append(
                self._enclosed() if self.quote and self.text.startswith(self.quote, self.at) else self._plain()
            )
            if self.at >= len(self.text) or self._ends_record():
                self._pass_end()
                return fields
            if not (self.delimiter and self.text.startswith(self.delimiter, self.at)):
                found, wanted = self.text[self.at], self.delimiter
                raise _failed(f"Found character '{found}' instead of field delimiter '{wanted}'", self.record)
            self.at += len(self.delimiter)

    def _ends_record(self) -> int:
        """How many characters end the record here. A new line is logical: with a carriage return, or without."""
        if self.end is None:
            return 0
        if self.end == "\n" and self.text.startswith("\r\n", self.at):
            return 2
        return len(self.end) if self.text.startswith(self.end, self.at) else 0

    def _pass_end(self) -> None:
        self.at += self._ends_record()

    def _enclosed(self) -> str | None:
        assert self.quote
        self.at += 1
        found = []
        while True:
            if self.at >= len(self.text):
                raise _failed("End of file reached while expected an enclosing character", self.record)
            here = self.text[self.at]
            if here == self.escape:
                raise not_documented("what stands behind an escape")
            if here == self.quote and not self.text.startswith(self.quote * 2, self.at):
                self.at += 1
                return self._null("".join(found))
            if self._ends_record() and not self.options["MULTI_LINE"]:
                raise _failed("a record delimiter within a field, and MULTI_LINE = FALSE", self.record)
            self.at += 2 if here == self.quote else 1
            found.append(here)

    def _plain(self) -> str | None:
        start = self.at
        while self.at < len(self.text) and not self._ends_record():
            here = self.text[self.at]
            if self.delimiter and self.text.startswith(self.delimiter, self.at):
                break
            if here == self.plain_escape:
                raise not_documented("what stands behind an escape")
            if here == self.quote:
                raise not_documented("a quote within a field that is not enclosed")
            if here in "\r\n" and self.end in ("\n", "\r", "\r\n"):
                raise not_documented("a part of a line end within a field that is not enclosed")
            self.at += 1
        text = self.text[start : self.at]
        if self.options["TRIM_SPACE"]:
            text = text.strip()
        if not text:
            return None if self.options["EMPTY_FIELD_AS_NULL"] else self._null("")
        return self._null(text)

    def _null(self, text: str) -> str | None:
        """All instances of a text of NULL_IF are NULL, also enclosed ones, as the example of the page has it."""
        words = self.options["NULL_IF"]
        assert isinstance(words, tuple)
        return None if text in words else text
