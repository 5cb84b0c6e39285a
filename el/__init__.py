"""el: SQL Server and file dumps into Snowflake raw schemas, and proof that they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from el.api import ReadRequest, TableName, WriteMode, connect

__version__ = "0.1.0"
__all__ = ["ReadRequest", "TableName", "WriteMode", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: a command that only prints its help needs none of it.
    if name in __all__:
        from el import api

        return getattr(api, name)
    raise AttributeError(f"module 'el' has no attribute {name!r}")
