"""The class of archives: say which files are in one, and read them. A file's path inside is a name, never a place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. version: what changes with its content; as exact as the archive's format is."""

    name: str
    size: int
    version: str


class Archive(ABC):
    """A kind of archive. `opened` is the archive itself, seekable; of a large one, little should be read."""

    # Whether all that stands before a file is read to read it.
    sequential: bool = False

    @abstractmethod
    def members(self, opened: BinaryIO, version: str) -> Iterator[Member]:
        """All files, without folders, in the archive's order. version: of the archive."""

    @abstractmethod
    def read(self, opened: BinaryIO, name: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of one file, from its beginning to its end; what cannot be trusted is an error at its end."""

    def read_all(self, opened: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
        """All files in one pass, each to be read before the next is asked for; of a sequential archive alone."""
        raise NotImplementedError


class Unreadable(EOFError):
    """A file is in the archive, but cannot be read out of it."""
