"""How a DuckDB file is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from el.connectors.base import ConnectionConfig
from el.connectors.question import Question


class DuckDbConfig(ConnectionConfig):
    """A file, or DuckDB in memory. No repr shows what may hold a token."""

    asks: ClassVar[tuple[Question, ...]] = (Question("path", "file", default="warehouse.duckdb"),)
    beside_source: ClassVar[Mapping[str, Any]] = {"read_only": True}
    beside_warehouse: ClassVar[Mapping[str, Any]] = {"schema": "main", "threads": 4}

    path: str = Field(default=":memory:", repr=False)
    """The file. What follows a `?` in it may hold a token, and is shown nowhere."""
    read_only: bool = False
    """Open it without the right to write."""
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    """DuckDB's own settings, by name; shown nowhere."""

    @classmethod
    def is_secret(cls, setting: str, text: str) -> bool:
        return "?" in text if setting == "path" else super().is_secret(setting, text)

    def known_as(self, scheme: str) -> tuple[str, str]:
        return f"{scheme}://{self.place}", Path(self.place).stem

    @property
    def place(self) -> str:
        """The file for people."""
        return self.path.split("?", 1)[0]

    def __repr_args__(self) -> Any:
        yield "path", self.place
        yield from super().__repr_args__()
