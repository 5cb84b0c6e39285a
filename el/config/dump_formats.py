"""`format` of an entry of `dumps`: files that databases and Excel write. Those of everyone are in `dumps`."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from el.config.strict import Strict

_ESCAPES = {"\\t": "\t", "\\r": "\r", "\\n": "\n", "\\0": "\0"}


def _unescaped(value: str) -> str:
    """\\t as it is written in a plain YAML text, where it is two characters."""
    for written, meant in _ESCAPES.items():
        value = value.replace(written, meant)
    return value


# What Python has among its encodings, and no file is written in.
_NO_TEXT = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}


def _encoding(value: str) -> str:
    name = value.strip()
    try:
        found = codecs.lookup(f"cp{name}" if name.isdigit() else name).name
        # The one way to tell hex, zip and rot13 from what bytes become text by, which `bytes.decode` takes too.
        b"0".decode(found, "replace")
    except (LookupError, UnicodeError):
        found = ""
    if not found or found in _NO_TEXT:
        raise ValueError(f"{value!r} is no encoding that is known, such as utf-8, utf-16 or cp1252")
    return value


Encoding = Annotated[str, AfterValidator(_encoding)]
"""The name of an encoding, as Python calls it; a code page may be its number."""


class BcpSettings(Strict):
    """What bcp writes: a native file with its format file, or a character file with that or with `columns`."""

    type: Literal["bcp"]
    """The format."""
    format_file: str | None = None
    """The file that `bcp ... format nul -n -f` makes; beside el.yml, if its path is not absolute."""
    columns: tuple[str, ...] = ()
    """The names of a character file that has no format file."""
    encoding: Encoding | None = None
    """Of text that is not UTF-16 by the format file: `cp1252`, or `utf-16le` for `-w`."""
    field_terminator: str = "\t"
    """What stands between two fields of a character file."""
    row_terminator: str = "\r\n"
    """What stands behind a row of a character file."""
    unterminated: bool = False
    """The last row may lack its terminator; else such a file counts as cut."""
    breaks_inside: bool = False
    """Values of a character file may hold the row terminator, but in its first and last columns."""
    types: dict[str, str] = Field(default_factory=dict)
    """Of columns whose digits a format file does not say: `{price: "decimal(18,4)"}`."""
    accept: tuple[str, ...] = ()
    """Types that no file was seen with, and that you take all the same."""

    @field_validator("field_terminator", "row_terminator")
    @classmethod
    def _as_meant(cls, value: str) -> str:
        return _unescaped(value)

    @field_validator("format_file")
    @classmethod
    def _beside_el_yml(cls, value: str | None, info: ValidationInfo) -> str | None:
        folder = (info.context or {}).get("folder")
        return value if value is None or folder is None else str((Path(folder) / value).resolve())

    @model_validator(mode="after")
    def _consistent(self) -> BcpSettings:
        if self.format_file is None and not self.columns:
            raise ValueError(
                "give the `format_file`, made by: bcp DATABASE.SCHEMA.TABLE format nul -n -f TABLE.fmt -S SERVER -T "
                "(-N, -c or -w in place of -n, as the file was made); a character file may have `columns` instead"
            )
        if self.format_file is not None and self.columns:
            raise ValueError("a format file names the columns: leave `columns` out")
        if self.columns and self.encoding is None:
            raise ValueError("name the `encoding` of a character file: cp1252 or another code page (-c), utf-16le (-w)")
        if self.columns and (self.types or self.accept):
            raise ValueError("`types` and `accept` are for files with a format file; a character file is text")
        return self


class BacpacSettings(Strict):
    """One table of a bacpac."""

    type: Literal["bacpac"]
    """The format."""
    table: str
    """The table in the bacpac: `schema.table`."""
    accept: tuple[str, ...] = ()
    """Types that no bacpac was seen with, and that you take all the same."""


class JsonSettings(Strict):
    """One array of objects, as FOR JSON writes: each object's text."""

    type: Literal["json"]
    """The format."""
    encoding: Encoding = "utf-8"
    """Any of Python's."""


class XmlSettings(Strict):
    """Rows of FOR XML: each one's text."""

    type: Literal["xml"]
    """The format."""
    root: str | None = None
    """The element whose children are the rows; by default they stand alone."""
    encoding: Encoding = "utf-8"
    """Any of Python's."""


class XlsxSettings(Strict):
    """A sheet of an Excel workbook. It needs `pip install "el-loader[xlsx]"`."""

    type: Literal["xlsx"]
    """The format."""
    sheet: str | None = None
    """The sheet's name; by default the only one."""
    header: int = 1
    """The number of the row with the names; 0: there is none."""
    columns: tuple[str, ...] = ()
    """The names, where there is no header."""

    @model_validator(mode="after")
    def _consistent(self) -> XlsxSettings:
        if bool(self.header) == bool(self.columns):
            raise ValueError("name the `columns` where there is `header: 0`, and nowhere else")
        return self


class FixedSettings(Strict):
    """Text in columns of fixed width."""

    type: Literal["fixed"]
    """The format."""
    columns: dict[str, int]
    """The width of each column in characters: `{id: 8, name: 20}`."""
    encoding: Encoding = "utf-8"
    """Any of Python's."""
    row_terminator: str = "\r\n"
    """What stands behind a row."""
    unterminated: bool = False
    """The last row may lack its terminator; else such a file counts as cut."""

    @field_validator("row_terminator")
    @classmethod
    def _as_meant(cls, value: str) -> str:
        return _unescaped(value)
