"""How a DuckDB file is opened."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from el.connectors.base import ConnectionConfig


class DuckDbConfig(ConnectionConfig):
    """`path`: the file, or ":memory:". `read_only`: open without the right to write.

    settings, and what follows a "?" in the path, may hold a token: no repr shows them.
    """

    path: str = Field(default=":memory:", repr=False)
    read_only: bool = False
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)

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
