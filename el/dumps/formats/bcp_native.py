"""Data files of bcp with their format file: native ones (`-n`, `-N`), and character ones, as the format file says.

Without a format file nothing in a native file says which field has which type, so that it cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from el.dumps.formats.base import Format, Reading
from el.dumps.formats.bcp_text import BcpText
from el.dumps.formats.format_file import FileField, read_format_file
from el.dumps.formats.framed import Framed, FramedField, Joined
from el.dumps.formats.lanes import Frame
from el.dumps.formats.stored_types import DECIMALS, MAX_BYTES, TIMES, Stored, stored
from el.dumps.formats.transcode import encoding_name
from el.errors import ConfigError
from el.types.source_type import SourceType

MAKE_IT = "bcp DATABASE.SCHEMA.TABLE format nul -n -f TABLE.fmt -S SERVER -T (-N in place of -n for a file of bcp -N)"
# What bcp calls the types of fields, and the type's own name.
_TYPES = {
    "SQLBIT": "bit",
    "SQLTINYINT": "tinyint",
    "SQLSMALLINT": "smallint",
    "SQLINT": "int",
    "SQLBIGINT": "bigint",
    "SQLFLT4": "real",
    "SQLFLT8": "float",
    "SQLMONEY": "money",
    "SQLMONEY4": "smallmoney",
    "SQLDECIMAL": "decimal",
    "SQLNUMERIC": "numeric",
    "SQLDATE": "date",
    "SQLTIME": "time",
    "SQLDATETIME": "datetime",
    "SQLDATETIM4": "smalldatetime",
    "SQLDATETIME2": "datetime2",
    "SQLDATETIMEOFFSET": "datetimeoffset",
    "SQLUNIQUEID": "uniqueidentifier",
    **dict.fromkeys(("SQLBINARY", "SQLVARBIN", "SQLVARYBIN"), "varbinary"),
    **dict.fromkeys(("SQLCHAR", "SQLVARCHAR", "SQLVARYCHAR"), "varchar"),
    **dict.fromkeys(("SQLNCHAR", "SQLNVARCHAR"), "nvarchar"),
}
_DECLARED = re.compile(r"([a-z0-9]+)\((\d+)(?:\s*,\s*(\d+))?\)")


@dataclass(frozen=True, slots=True)
class BcpFormat(Format):
    """A data file of bcp and its format file.

    encoding: of text that is not UTF-16, such as cp1252; needed where there is some. types: of columns whose digits a
    format file does not say, as (column, "decimal(18,4)"). accept: types that no file was seen with. unterminated,
    breaks_inside: as of `BcpText`, of character files.
    """

    format_file: str | None
    encoding: str | None = None
    types: tuple[tuple[str, str], ...] = ()
    accept: tuple[str, ...] = ()
    unterminated: bool = False
    breaks_inside: bool = False
    typed = True

    def __post_init__(self) -> None:
        if self.format_file is None:
            raise ConfigError(
                f"a native file of bcp says nothing of its fields: give its format file, made by {MAKE_IT}"
            )
        if self.encoding is not None:
            encoding_name(self.encoding)

    def read(self, path: Path, rejects: int = 0) -> Reading:
        framed = self._by_format_file()
        if isinstance(framed, BcpText):
            return framed.read(path, rejects)
        reading = Reading(framed.schema, iter(()))
        reading.batches = self._batches(path, framed, reading)
        return reading

    def refuse(self) -> None:
        """Raises `ConfigError` where the format file cannot be followed."""
        self._by_format_file()

    def _by_format_file(self) -> Framed | BcpText:
        fields = read_format_file(Path(str(self.format_file)))
        text = all(field.terminator and not field.prefix for field in fields)
        return self._text(fields) if text else self._framed(fields)

    def _batches(self, path: Path, framed: Framed, reading: Reading) -> Iterator[pa.RecordBatch]:
        def counted(rows: int) -> None:
            reading.records += rows

        with path.open("rb") as file:
            yield from framed.batches(Joined(iter([("", file)])), counted)

    def _text(self, fields: list[FileField]) -> BcpText:
        wide = {field.stored_as in ("SQLNCHAR", "SQLNVARCHAR") for field in fields}
        if len(wide) > 1 or any(_TYPES.get(field.stored_as) not in ("varchar", "nvarchar") for field in fields):
            raise ConfigError(f"format file {self._name}: fields of text and of other types, all with terminators")
        if any(field.name is None for field in fields):
            raise ConfigError(f"format file {self._name}: a field goes to no column; a character file is read whole")
        encoding = "utf-16le" if wide == {True} else self._encoding(fields[0])
        try:
            # A terminator of -w is written with the zero bytes of UTF-16: "\t\0".
            ends = [field.terminator.decode("utf-16le" if wide == {True} else "ascii") for field in fields]
        except UnicodeDecodeError:
            raise ConfigError(f"format file {self._name}: a terminator is no text in {encoding}") from None
        names = tuple(str(field.name) for field in fields)
        return BcpText(names, encoding, tuple(ends[:-1]), ends[-1], self.unterminated, self.breaks_inside)

    def _framed(self, fields: list[FileField]) -> Framed:
        odd = next((n for n, field in enumerate(fields, 1) if field.terminator), None)
        if odd:
            raise ConfigError(
                f"format file {self._name}: field {odd} has a terminator, others have none: el reads no such file"
            )
        unknown = set(dict(self.types)) - {field.name for field in fields}
        if unknown:
            raise ConfigError(f"format file {self._name} has no column {min(unknown)}, of which a type is given")
        return Framed([self._field(field, number) for number, field in enumerate(fields, 1)])

    def _field(self, field: FileField, number: int) -> FramedField:
        found = self._stored(field) if field.name is not None else None
        width = found.width if found and found.width is not None else None
        name = field.name or f"(field {number})"
        if not field.prefix:
            if not field.length or width not in (None, field.length):
                raise ConfigError(
                    f"format file {self._name}: column {name} has no prefix, and a length of {field.length}"
                )
            return FramedField(name, Frame(0, field.length), found)
        if field.prefix not in (1, 2, 4, 8):
            raise ConfigError(f"format file {self._name}: column {name} has a prefix of {field.prefix} bytes")
        if width is not None:
            return FramedField(name, Frame(field.prefix, width), found)
        unit = 2 if found and _TYPES[field.stored_as] == "nvarchar" else 1
        return FramedField(name, Frame(field.prefix, field.length or MAX_BYTES, fixed=False, unit=unit), found)

    def _stored(self, field: FileField) -> Stored:
        known = _TYPES.get(field.stored_as)
        if known is None:
            raise ConfigError(
                f"format file {self._name}: column {field.name} is {field.stored_as}, which el cannot read"
            )
        declared = self._declared(field, known)
        unseen = known in TIMES and (known == "datetimeoffset" or declared.scale != 7)
        if unseen and known not in self.accept:
            said = f"column {field.name} is {declared}, which no file was seen with: how it is stored is not certain"
            raise ConfigError(f"format file {self._name}: {said} (accept: [{known}] reads it as documented)")
        encoding = encoding_name(self._encoding(field)) if known == "varchar" else None
        found = stored(declared, encoding)
        assert found is not None
        return found

    def _declared(self, field: FileField, known: str) -> SourceType:
        given = dict(self.types).get(str(field.name))
        if given is None and known in DECIMALS and field.precision is not None:
            return SourceType(known, precision=field.precision, scale=field.scale or 0)
        if given is None and known in TIMES and field.scale is not None:
            return SourceType(known, scale=field.scale)
        if known not in (*DECIMALS, *TIMES):
            if given is not None:
                raise ConfigError(f"column {field.name} is {known} by the format file {self._name}: it needs no type")
            return SourceType(known)
        found = _DECLARED.fullmatch((given or "").strip().lower())
        if found is None or (found[1] != known and {found[1], known} != set(DECIMALS)):
            digits = "18,4" if known in DECIMALS else "7"
            said = f"column {field.name} is {known}, and its digits are not said"
            raise ConfigError(f'format file {self._name}: {said}: types: {{{field.name}: "{known}({digits})"}}')
        if known in DECIMALS:
            return SourceType(known, precision=int(found[2]), scale=int(found[3] or 0))
        return SourceType(known, scale=int(found[2]))

    def _encoding(self, field: FileField) -> str:
        if self.encoding is None:
            said = f"column {field.name} is text in a code page, which the file does not say: encoding: such as cp1252"
            raise ConfigError(f"format file {self._name}: {said}")
        return self.encoding

    @property
    def _name(self) -> str:
        return Path(str(self.format_file)).name
