"""`dumps` of el.yml: which files are taken, and how they are read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from el.config.dump_formats import (
    BacpacSettings,
    BcpSettings,
    Encoding,
    FixedSettings,
    JsonSettings,
    XlsxSettings,
    XmlSettings,
)
from el.config.files_profile import refuse_login
from el.config.strict import Duration, Strict
from el.config.table_pattern import TablePattern
from el.config.tables import ModelSettings, Pii

_TYPE_NAMES = ("varchar", "integer", "double", "boolean", "date", "time", "timestamp")
_TYPES = re.compile(rf"{'|'.join(_TYPE_NAMES)}|decimal\((\d+),(\d+)\)")
_ESCAPES = {"\\n": "\n", "\\r\\n": "\r\n", "\\r": "\r", "\\t": "\t"}


def _unescaped(value: Any) -> Any:
    """\\t and \\n as they are written in a plain YAML text, where they are two characters."""
    return _ESCAPES.get(str(value), value) if isinstance(value, str) else value


class CsvSettings(Strict):
    """Delimited text, with quotes or without."""

    type: Literal["csv"]
    """The format."""
    delimiter: str = ","
    """One character of ASCII."""
    quote: str | None = '"'
    """One character, or `none`: quotes are characters like any other."""
    escape: str | None = None
    """What stands before a quote inside quotes; by default such a quote is doubled."""
    newline: Literal["any", "\n", "\r\n", "\r"] = "any"
    """`any`: a line feed, with a carriage return before it or not. Else exactly this one."""
    header: bool = True
    """Whether the first line has the names."""
    columns: tuple[str, ...] = ()
    """The names, where there is no header."""
    encoding: Encoding = "utf-8"
    """Any of Python's."""
    null: tuple[str, ...] = ("",)
    """What is NULL where it stands without quotes: a word, or a list."""

    @field_validator("delimiter", "newline", mode="before")
    @classmethod
    def _as_character(cls, value: Any) -> Any:
        return _unescaped(value)

    @field_validator("quote", "escape", mode="before")
    @classmethod
    def _or_none(cls, value: Any) -> Any:
        return None if value in ("", "none") else value

    @field_validator("null", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if value is None:
            raise ValueError('write the word in quotes, as in null: "NULL"; without them YAML takes it for nothing')
        return (str(value),) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> CsvSettings:
        for name in ("delimiter", "quote", "escape"):
            value = getattr(self, name)
            if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n"):
                raise ValueError(f"{name}: {value!r} is not one character of ASCII")
        if self.delimiter in (self.quote, self.escape):
            raise ValueError("delimiter and quote, or escape, are the same character")
        if self.escape is not None and self.escape == self.quote:
            raise ValueError("escape: a quote that is doubled is read without it; leave it out")
        if self.header == bool(self.columns):
            raise ValueError("name the `columns` where there is `header: false`, and nowhere else")
        return self


class ParquetSettings(Strict):
    """Parquet: values with types of their own."""

    type: Literal["parquet"]
    """The format."""


class NdjsonSettings(Strict):
    """A JSON document a line: taken as its text."""

    type: Literal["ndjson"]
    """The format."""


def _type(value: Any) -> str | None:
    found = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return None if found is None else str(found)


# What `type` of a format says, and what more may be said of it.
FORMATS: dict[str, type[Strict]] = {
    "csv": CsvSettings,
    "parquet": ParquetSettings,
    "ndjson": NdjsonSettings,
    "bcp": BcpSettings,
    "bacpac": BacpacSettings,
    "json": JsonSettings,
    "xml": XmlSettings,
    "xlsx": XlsxSettings,
    "fixed": FixedSettings,
}
FormatSettings = Annotated[
    Annotated[CsvSettings, Tag("csv")]
    | Annotated[ParquetSettings, Tag("parquet")]
    | Annotated[NdjsonSettings, Tag("ndjson")]
    | Annotated[BcpSettings, Tag("bcp")]
    | Annotated[BacpacSettings, Tag("bacpac")]
    | Annotated[JsonSettings, Tag("json")]
    | Annotated[XmlSettings, Tag("xml")]
    | Annotated[XlsxSettings, Tag("xlsx")]
    | Annotated[FixedSettings, Tag("fixed")],
    Discriminator(
        _type,
        custom_error_type="format",
        custom_error_message=f"`type` names no format that is known: {', '.join(FORMATS)}",
    ),
]


class DumpSettings(Strict):
    """One entry of `dumps`: files that become rows of one raw table."""

    name: str
    """The table in raw: `schema.table`."""
    files: str
    """Where the files are: a path or a uri with `*`, `**/`, `{captures}` and `{as_of:%Y%m%d}`, which become columns;
    `a.zip!/*.csv` in an archive.
    """
    source: str | None = None
    """A profile of `type: files`; by default the job's own, if it is one."""
    format: FormatSettings | None = None
    """How the files are read: a name such as `csv`, or `{type: csv, ...}` with the settings below. `plan` proposes
    one.
    """
    changed: Literal["fail", "replace", "append"] = "fail"
    """What is done where a loaded file is another one now: the entry fails; or the new version is taken, and counts
    instead of the former one (`replace`) or beside it (`append`).
    """
    rejects: int = Field(default=0, ge=0)
    """How many records a file may leave out; each stands in `_el_rejects`."""
    settle: Duration = timedelta(0)
    """A file that was changed more recently than this waits for the next run."""
    express: Literal["auto", "require", "off"] = "auto"
    """Whether Snowflake reads the files by itself, out of the profile's `stage`: where that is exact; or else the
    entry fails (`require`); or never (`off`).
    """
    contract: Literal["evolve", "freeze"] | None = None
    """`freeze`: all files have the columns of the first."""
    rename: str | None = None
    """The table's name in raw."""
    types: dict[str, str] = Field(default_factory=dict)
    """By column in raw: what staging makes of its text, such as `decimal(12,2)`, with a test of it. A column of `into`
    has that table's type by itself.
    """
    pii: dict[str, Pii] = Field(default_factory=dict)
    """By column in raw: which personal data it holds. A column of `into` has that table's by itself."""
    into: str | None = None
    """The table of `tables` whose older rows these are."""
    history: Literal["archive", "versions"] | None = None
    """`archive`: keys that the table no longer has stay, as they are here. `versions`: past states of its rows, none
    of which is the current one.
    """
    model: ModelSettings = ModelSettings()
    """As of a table."""

    @field_validator("files")
    @classmethod
    def _without_login(cls, value: str) -> str:
        refuse_login("files", value)
        return value

    @field_validator("types")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        for column, type_ in value.items():
            if not _TYPES.fullmatch(type_.lower().replace(" ", "")):
                raise ValueError(f"{column}: {type_!r} is none of {', '.join(_TYPE_NAMES)}, decimal(12,2)")
        return value

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("format"), str):
            value = {**value, "format": {"type": value["format"]}}
        if isinstance(value, dict) and isinstance(value.get("model"), str | list):
            value = {**value, "model": {"kind": value["model"]}}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> DumpSettings:
        if TablePattern.parse(self.name).plain is None:
            raise ValueError(f"{self.name!r} is the name of one table, schema.table")
        if self.into is not None and TablePattern.parse(self.into).plain is None:
            raise ValueError(f"{self.into!r} is the name of one table, schema.table")
        if self.history is not None and self.into is None:
            raise ValueError("history needs `into`: whose history it is")
        return self
