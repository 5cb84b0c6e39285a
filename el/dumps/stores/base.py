"""The class of stores: list what is there, and read exactly the version that was listed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from el.dumps.file_version import FileVersion


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was copied here."""

    path: Path
    sha256: str  # of its bytes as they are stored, in hex


class Store(ABC):
    """One place with files. Errors leave it as an `ElError` that names the file, without any secret."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[FileVersion]:
        """All files whose uri begins with `prefix`, a uri without wildcards, in the order of their uris.

        Raises `ConnectError` where the store cannot be reached or refuses this login.
        """

    @abstractmethod
    def open(self, file: FileVersion) -> BinaryIO:
        """The bytes of exactly this version, readable and seekable; for formats that read parts of a file.

        Raises `FileChanged` where the store has another version by now, at the first read at the latest.
        """

    @abstractmethod
    def fetch(self, file: FileVersion, folder: Path) -> Fetched:
        """Copy exactly this version into a new file in `folder`, in bounded memory. Raises `FileChanged`."""
