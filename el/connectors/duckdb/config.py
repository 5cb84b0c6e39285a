"""How a DuckDB file is opened."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from el.connectors.base import ConnectionConfig


class DuckDbConfig(ConnectionConfig):
    """A file, or DuckDB in memory. No repr shows what may hold a token."""

    path: str = Field(default=":memory:", repr=False)
    """The file. What follows a `?` in it may hold a token, and is shown nowhere."""
    read_only: bool = False
    """Open it without the right to write."""
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    """DuckDB's own settings, by name; shown nowhere."""

    @classmethod
    def is_secret(cls, setting: str, text: str) -> bool:
        return "?" in text if setting == "path" else super().is_secret(setting, text)

    @property
    def place(self) -> str:
        """The file for people."""
        return self.path.split("?", 1)[0]

    def __repr_args__(self) -> Any:
        yield "path", self.place
        yield from super().__repr_args__()
