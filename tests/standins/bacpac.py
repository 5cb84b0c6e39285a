"""A bacpac as SqlPackage exports it: model.xml, Origin.xml and the rows of each table, in parts.

The layout is that of real files, such as those in microsoft/sql-server-samples; there is no document of it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from tests.standins.bcp import Column, stored

_SPACE = "http://schemas.microsoft.com/sqlserver/dac/Serialization/2012/02"
_BARE = ("tinyint", "smallint", "int", "bigint", "real", "float", "money", "smallmoney", "date", "datetime")
_TIMES = ("smalldatetime", "time", "datetime2", "datetimeoffset")


@dataclass
class Table:
    """A table, its rows, and after how many of them a part ends. computed: computed columns, which come last."""

    schema: str
    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    part_rows: int = 1000
    computed: Sequence[str] = field(default_factory=tuple)


def write_bacpac(
    path: Path, tables: Sequence[Table], *, rows_stated: int | None = -1, checksum: str | None = None
) -> Path:
    """The file; rows_stated: another total than there is, None for none."""
    model = _model(tables).encode("utf-8")
    total = sum(len(table.rows) for table in tables) if rows_stated == -1 else rows_stated
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.xml", model)
        archive.writestr("DacMetadata.xml", f'<DacType xmlns="{_SPACE}"><Name>shop</Name></DacType>')
        for table in tables:
            folder = f"Data/{quote(table.schema)}.{quote(table.name)}"
            for part, begin in enumerate(range(0, len(table.rows), table.part_rows)):
                data = b"".join(row_of(table.columns, row) for row in table.rows[begin : begin + table.part_rows])
                archive.writestr(f"{folder}/TableData-{part:03d}-00000.BCP", data)
        archive.writestr("Origin.xml", _origin(checksum or hashlib.sha256(model).hexdigest().upper(), total))
    return path


def row_of(columns: Sequence[Column], row: Sequence[Any]) -> bytes:
    """A row as it stands in a part."""
    return b"".join(_field(column, value) for column, value in zip(columns, row, strict=True))


def _field(column: Column, value: Any) -> bytes:
    prefix = _prefix(column)
    if value is None:
        return b"\xff" * prefix
    data = stored(column, value)
    return len(data).to_bytes(prefix, "little") + data if prefix else data


def _prefix(column: Column) -> int:
    kind = column.type
    if kind in (*_BARE, *_TIMES):
        return 1 if column.nullable else 0
    if kind in ("bit", "uniqueidentifier", "decimal", "numeric"):
        return 1
    if kind == "char" and not column.nullable:
        return 0
    if kind in ("text", "ntext", "image"):
        return 4
    return 8 if kind == "xml" or column.length == -1 else 2


def _model(tables: Sequence[Table]) -> str:
    body = "".join(_table(table) for table in tables)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<DataSchemaModel FileFormatVersion="1.2" xmlns="{_SPACE}"><Model>'
        f'<Element Type="SqlDatabaseOptions" Disambiguator="1"><Property Name="Collation" Value="x" /></Element>'
        f"{body}</Model></DataSchemaModel>"
    )


def _name(*parts: str) -> str:
    return quoteattr(".".join(f"[{part.replace(']', ']]')}]" for part in parts))


def _table(table: Table) -> str:
    columns = "".join(_column(table, column) for column in table.columns)
    computed = "".join(
        f'<Entry><Element Type="SqlComputedColumn" Name={_name(table.schema, table.name, name)} /></Entry>'
        for name in table.computed
    )
    return (
        f'<Element Type="SqlTable" Name={_name(table.schema, table.name)}><Relationship Name="Columns">{columns}'
        f'{computed}</Relationship><Relationship Name="Schema"><Entry><References Name={_name(table.schema)} /></Entry>'
        "</Relationship></Element>"
    )


def _column(table: Table, column: Column) -> str:
    digits = {"Length": column.length, "Precision": column.precision, "Scale": column.scale}
    if column.length == -1:
        digits["Length"] = None
    said = "".join(f'<Property Name="{word}" Value="{value}" />' for word, value in digits.items() if value is not None)
    said += '<Property Name="IsMax" Value="True" />' if column.length == -1 else ""
    specifier = "SqlXmlTypeSpecifier" if column.type == "xml" else "SqlTypeSpecifier"
    nullable = "" if column.nullable else '<Property Name="IsNullable" Value="False" />'
    return (
        f'<Entry><Element Type="SqlSimpleColumn" Name={_name(table.schema, table.name, column.name)}>{nullable}'
        f'<Relationship Name="TypeSpecifier"><Entry><Element Type="{specifier}">{said}<Relationship Name="Type"><Entry>'
        f'<References ExternalSource="BuiltIns" Name="[{column.type}]" /></Entry></Relationship></Element></Entry>'
        "</Relationship></Element></Entry>"
    )


def _origin(checksum: str, total: int | None) -> str:
    rows = "" if total is None else f"<TableRowCountTotalTag>{total}</TableRowCountTotalTag>"
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<DacOrigin xmlns="{_SPACE}">'
        f"<ExportStatistics>{rows}</ExportStatistics>"
        f'<Checksums><Checksum Uri="/model.xml">{checksum}</Checksum></Checksums></DacOrigin>'
    )
