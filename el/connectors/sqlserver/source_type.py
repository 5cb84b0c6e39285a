"""A type as SQL Server's catalog has it, as a `SourceType`."""

from __future__ import annotations

from el.connectors.catalog import SourceType


def source_type(
    name: str, base: str | None, length: int, precision: int, scale: int, assembly: bool = False
) -> SourceType:
    """A row of sys.columns and sys.types as a type: an alias resolved to its base, lengths in characters."""
    alias = None
    # hierarchyid, geometry and geography are assembly types of the system's own: they have no base in sys.types.
    if base is not None and base != name and not assembly:
        alias, name = name, base
    name = "rowversion" if name in ("timestamp", "rowversion") else name.lower()
    if name in ("nchar", "nvarchar"):
        return SourceType(name, length=-1 if length == -1 else length // 2, alias=alias)
    if name in ("char", "varchar", "binary", "varbinary"):
        return SourceType(name, length=length, alias=alias)
    if name in ("decimal", "numeric"):
        return SourceType(name, precision=precision, scale=scale, alias=alias)
    if name in ("time", "datetime2", "datetimeoffset"):
        return SourceType(name, scale=scale, alias=alias)
    return SourceType(name, alias=alias)
