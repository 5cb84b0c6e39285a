"""The orders of the sample shop's former database, as a bacpac: what SqlPackage exports. The same every time.

It has one table, `dbo.Orders`, in the types that SQL Server had for it, in two parts.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

ORDERS = 800
FIRST_ID = 900_000

EL_YML = """
  - name: sales.orders_of_the_old_shop
    files: "archive/old_shop.bacpac"
    format: {type: bacpac, table: dbo.Orders}
    into: sales.orders
    history: archive
"""

_SPACE = "http://schemas.microsoft.com/sqlserver/dac/Serialization/2012/02"
# Name, type, and whether NULL is not allowed.
_COLUMNS = (
    ("order_id", "int", True),
    ("customer_id", "int", True),
    ("ordered_at", "datetime", True),
    ("status", "nvarchar", True),
    ("note", "nvarchar", False),
    ("updated_at", "datetime", True),
)
_MOMENT_OF_ZERO = date(1900, 1, 1)


def create(folder: Path) -> None:
    """Write the file, in place of the one that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    model = _model().encode()
    rows = list(_rows())
    with zipfile.ZipFile(folder / "old_shop.bacpac", "w", zipfile.ZIP_DEFLATED) as bacpac:
        for name, data in (
            ("model.xml", model),
            ("Data/dbo.Orders/TableData-000-00000.BCP", b"".join(rows[: ORDERS // 2])),
            ("Data/dbo.Orders/TableData-001-00000.BCP", b"".join(rows[ORDERS // 2 :])),
            ("Origin.xml", _origin(model).encode()),
        ):
            bacpac.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def _rows() -> Iterator[bytes]:
    for number in range(ORDERS):
        order, day = FIRST_ID + number, date(2014, 1, 1) + timedelta(days=number * 2)
        yield b"".join(
            (
                struct.pack("<ii", order, number * 31 % 2000 + 1),
                _moment(day, number % 1440),
                _text(("paid", "shipped", "cancelled")[number % 3]),
                _text((None, "", "left at the door,\nas always")[number % 3]),
                _moment(day + timedelta(days=2), 0),
            )
        )


def _moment(day: date, minutes: int) -> bytes:
    """A `datetime`: days since 1900, then three hundredths of a second."""
    return struct.pack("<ii", (day - _MOMENT_OF_ZERO).days, minutes * 60 * 300)


def _text(text: str | None) -> bytes:
    """An `nvarchar`: the number of its bytes, or all ones for NULL, then UTF-16."""
    if text is None:
        return b"\xff\xff"
    data = text.encode("utf-16-le")
    return struct.pack("<H", len(data)) + data


def _model() -> str:
    columns = "".join(_column(*column) for column in _COLUMNS)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<DataSchemaModel FileFormatVersion="1.2" xmlns="{_SPACE}"><Model>'
        f'<Element Type="SqlTable" Name="[dbo].[Orders]"><Relationship Name="Columns">{columns}</Relationship>'
        "</Element></Model></DataSchemaModel>"
    )


def _column(name: str, type_: str, required: bool) -> str:
    nullable = '<Property Name="IsNullable" Value="False" />' if required else ""
    length = '<Property Name="Length" Value="200" />' if type_ == "nvarchar" else ""
    return (
        f'<Entry><Element Type="SqlSimpleColumn" Name="[dbo].[Orders].[{name}]">{nullable}'
        f'<Relationship Name="TypeSpecifier"><Entry><Element Type="SqlTypeSpecifier">{length}'
        f'<Relationship Name="Type"><Entry><References ExternalSource="BuiltIns" Name="[{type_}]" /></Entry>'
        "</Relationship></Element></Entry></Relationship></Element></Entry>"
    )


def _origin(model: bytes) -> str:
    checksum = hashlib.sha256(model).hexdigest().upper()
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<DacOrigin xmlns="{_SPACE}"><ExportStatistics>'
        f"<TableRowCountTotalTag>{ORDERS}</TableRowCountTotalTag></ExportStatistics>"
        f'<Checksums><Checksum Uri="/model.xml">{checksum}</Checksum></Checksums></DacOrigin>'
    )
