"""What a bacpac's model.xml says of tables: their columns, in the order of the data, and how each is stored.

The format of the data is not documented. The widths of the lengths are those that real files have: as of `bcp -N`, but
for bit, uniqueidentifier and char. What no real file showed is not in the list, and stops its table.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from el.dumps.formats.framed import FramedField
from el.dumps.formats.lanes import Frame
from el.dumps.formats.stored_types import DECIMALS, TEXTS_8, TEXTS_16, TIMES, VERSIONS, most_bytes, stored
from el.types.source_type import SourceType

_SPACE = "{http://schemas.microsoft.com/sqlserver/dac/Serialization/2012/02}"
_NAME = re.compile(r"\[((?:[^\]]|\]\])*)\]")


@dataclass(frozen=True, slots=True)
class ModelColumn:
    """A column as declared. odd: what else is said of it, with which its data is not what its type says."""

    name: str
    declared: SourceType
    nullable: bool
    odd: str | None = None


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A table as declared, without its computed columns: they are not in the data."""

    name: str  # "schema.table"
    columns: tuple[ModelColumn, ...]


def tables_of(model: IO[bytes]) -> list[ModelTable]:
    """The tables of a model.xml."""
    tables: list[tuple[str, list[ModelColumn]]] = []
    aliases: dict[str, SourceType] = {}
    for element in _top(model):
        kind, name = element.get("Type"), element.get("Name", "")
        if kind == "SqlUserDefinedDataType":
            aliases[name] = _declared(element)
        if kind == "SqlTable":
            tables.append((".".join(_parts(name)), _columns(element)))
    return [
        ModelTable(name, tuple(replace(column, declared=_base(column.declared, aliases)) for column in columns))
        for name, columns in tables
    ]


def _top(model: IO[bytes]) -> Iterator[ET.Element]:
    """The elements of the model, each forgotten after its use: a model may have hundreds of megabytes."""
    depth = 0
    for event, element in ET.iterparse(model, events=("start", "end")):
        if element.tag != f"{_SPACE}Element":
            continue
        depth += 1 if event == "start" else -1
        if event == "end" and depth == 0:
            yield element
            element.clear()


def _columns(table: ET.Element) -> list[ModelColumn]:
    found = []
    for column in _related(table, "Columns"):
        kind = column.get("Type")
        if kind == "SqlComputedColumn":
            continue
        name = _parts(column.get("Name", ""))[-1]
        specifier = next(iter(_related(column, "TypeSpecifier")), None)
        if kind != "SqlSimpleColumn" or specifier is None:
            found.append(ModelColumn(name, SourceType(str(kind)), True, f"is a {kind}"))
            continue
        said = {part.get("Name", "") for part in column}
        odd = "is encrypted" if any("Encrypt" in word for word in said) else None
        odd = "is a column set" if _property(column, "IsColumnSet") == "True" else odd
        found.append(ModelColumn(name, _declared(specifier), _property(column, "IsNullable") != "False", odd))
    return found


def _declared(specifier: ET.Element) -> SourceType:
    reference = next((r.find(f".//{_SPACE}References") for r in _relationships(specifier, "Type")), None)
    name = "" if reference is None else reference.get("Name", "")
    if specifier.get("Type") == "SqlXmlTypeSpecifier":
        name = "[xml]"
    digits = {word: _property(specifier, word) for word in ("Length", "Precision", "Scale")}
    length, precision, scale = (int(value) if value else None for value in digits.values())
    if _property(specifier, "IsMax") == "True":
        length = -1
    return SourceType(".".join(_parts(name)), length, precision, scale)


def _base(declared: SourceType, aliases: dict[str, SourceType]) -> SourceType:
    alias = next((base for name, base in aliases.items() if ".".join(_parts(name)) == declared.name), None)
    return replace(alias, alias=declared.name) if alias else declared


def _relationships(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (found for found in element.findall(f"{_SPACE}Relationship") if found.get("Name") == name)


def _related(element: ET.Element, name: str) -> Iterator[ET.Element]:
    for relationship in _relationships(element, name):
        yield from relationship.findall(f"{_SPACE}Entry/{_SPACE}Element")


def _property(element: ET.Element, name: str) -> str | None:
    for found in element.findall(f"{_SPACE}Property"):
        if found.get("Name") == name:
            return found.get("Value") or "".join(found.itertext()).strip()
    return None


def _parts(name: str) -> list[str]:
    """ "[dbo].[a]]b]" in its parts."""
    return [part.replace("]]", "]") for part in _NAME.findall(name)]


# Numbers and times that are stored as they are: no length where they cannot be NULL, one byte of it where they can.
_BARE = ("tinyint", "smallint", "int", "bigint", "real", "float", "money", "smallmoney", "date", "datetime")
_BARE_TOO = ("smalldatetime",)
_ALWAYS_TOLD = ("bit", "uniqueidentifier")


def field_of(column: ModelColumn, accepted: frozenset[str]) -> FramedField | str:
    """How a column is stored; or why that is not known. accepted: types to be read as documented, though unseen."""
    declared = column.declared
    if column.odd:
        return f"column {column.name} {column.odd}"
    found = stored(declared)
    if found is None:
        return f"column {column.name} is {declared}, which no bacpac was seen with: how it is stored is not known"
    unseen = _unseen(column)
    if unseen and declared.name not in accepted and declared.alias not in accepted:
        return f"column {column.name} is {unseen}, which no bacpac was seen with: how it is stored is not certain"
    return FramedField(column.name, _frame(column, found.width), found)


def _unseen(column: ModelColumn) -> str | None:
    declared = column.declared
    if declared.alias:
        return f"{declared.alias}, an alias of {declared}"
    if declared.name in TEXTS_8 and (declared.length or 0) > 4000:
        return str(declared)
    if declared.name in TIMES and not (
        declared.name == "datetime2" and declared.scale in (None, 7) and column.nullable
    ):
        return f"{declared}{'' if column.nullable else ' NOT NULL'}"
    return None


def _frame(column: ModelColumn, width: int | None) -> Frame:
    name, nullable = column.declared.name, column.nullable
    if name in (*_BARE, *_BARE_TOO, *TIMES) and width is not None:
        return Frame(1 if nullable else 0, width, nullable=nullable)
    if name in (*_ALWAYS_TOLD, *DECIMALS) and width is not None:
        return Frame(1, width, nullable=nullable)
    if name == "char" and not nullable:
        return Frame(0, 2 * (column.declared.length or 1))
    text = name in (*TEXTS_8, *TEXTS_16)
    prefix = 2
    if name in ("text", "ntext", "image"):
        prefix = 4
    elif name == "xml" or column.declared.length == -1:
        prefix = 8
    if name in VERSIONS or name == "binary":
        return Frame(prefix, width or column.declared.length or 1, nullable=nullable)
    return Frame(prefix, most_bytes(column.declared, 2), fixed=False, unit=2 if text else 1, nullable=nullable)
