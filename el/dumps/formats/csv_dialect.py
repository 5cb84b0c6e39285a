"""How a delimited text is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Newline = Literal["any", "\n", "\r\n", "\r"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """newline: what ends a record; any: a line feed, with or without a carriage return before it."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None  # before a quote inside quotes; None: such a quote is doubled
    newline: Newline = "any"
    encoding: str = "utf-8"
    null: tuple[str, ...] = ("",)  # what stands for NULL where it stands without quotes

    @property
    def line_end(self) -> bytes:
        """The last byte of what ends a record."""
        return b"\r" if self.newline == "\r" else b"\n"
