"""What the suite for stores without a schema must know of a store: how a test fills it, and what it holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar


class DocumentStock(ABC):
    """A store with documents that have one field `v`, and a log; nobody else uses it.

    Its tables are `things`, a field a row with its bytes in `value`; `documents`, a document a row; and `log`, which is
    followed. more: what their entries in el.yml say besides, so that it is so.
    """

    output: dict[str, Any]
    schema: str
    key_column: str = "key"
    order_column: str = "id"  # of the log
    text_of_v: str = "v"  # where in a document the text of `v` stands
    more: ClassVar[Mapping[str, str]] = {}

    def entry(self, table: str, **settings: str) -> str:
        """A table's entry in el.yml."""
        said = [f"{name}: {text}" for name, text in settings.items()]
        return ", ".join([table, *([self.more[table]] if table in self.more else []), *said])

    @abstractmethod
    def put(self, number: int, value: bytes) -> None: ...

    @abstractmethod
    def remove(self, number: int) -> None: ...

    @abstractmethod
    def key(self, number: int) -> Any:
        """The key of the document of this number."""

    @abstractmethod
    def log(self, value: bytes) -> None:
        """One entry more."""

    @abstractmethod
    def forget(self) -> None:
        """Let the log lose what it has up to now."""

    @abstractmethod
    def rows_to_write(self, numbers: range) -> dict[str, list[Any]]:
        """What `write_buffer` takes for the documents of these numbers."""


@dataclass(frozen=True)
class DocumentFacts:
    """values: bytes that a field can hold. has_log, is_target: what of the suite is for it."""

    name: str
    values: tuple[bytes, ...]
    opened: Callable[[], AbstractContextManager[DocumentStock]]
    has_log: bool = True
    is_target: bool = True

    def __str__(self) -> str:
        return self.name
