"""The express way: the warehouse reads files by itself, out of a stage of its own over the place in which they are.

What a warehouse has to offer for it. The files lie in tables of the session alone until they were compared with what
was listed; into raw they come by the INSERT of a transaction, which has their ledger too (`express_load.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Staged:
    """A file as the stage shows it. checksum: as the warehouse tells it, in whichever form."""

    size: int
    checksum: str
    modified: datetime  # UTC, whole seconds


@dataclass(frozen=True, slots=True)
class Copied:
    """What the warehouse read of a file.

    told: its name in the warehouse's words; first: the number that it gave the first row; one: it read one version.
    content: the sum of what it read of a text (`content_sum.py`). A header is no row.
    """

    told: str
    rows: int
    first: int
    checksum: str
    modified: datetime | None  # None where there was no row to tell it
    one: bool
    content: int | None = None


@dataclass(frozen=True, slots=True)
class TextForm:
    """How the records of a text are written. All else is as it stands: no escapes, no blank lines, nothing trimmed.

    quote: around a field, and doubled within; nulls: the words that are NULL where they stand without quotes, `""` for
    an empty field.
    """

    delimiter: str | None  # None: a record is one field
    record_end: str
    quote: str | None
    encoding: str  # as Python calls it
    nulls: tuple[str, ...]
    header: bool
    packed: bool = False  # by gzip


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that is to be taken. name: below the stage; captures: in the order of those of its group."""

    name: str
    file_id: str
    as_of: str | None
    captures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StagedGroup:
    """Files with the same columns. columns: of the files, each with its name in raw; captures: names in raw."""

    columns: tuple[tuple[str, str], ...]
    captures: tuple[str, ...]
    files: tuple[StagedFile, ...]
    form: TextForm | None = None  # None: parquet


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go, and what stands in each of them."""

    raw_schema: str
    raw_table: str
    load_id: str
    extracted_at: datetime


def portions(texts: Sequence[str], most: int, size: int = 500_000) -> Iterator[Sequence[str]]:
    """Texts for one statement each: so many at most, and of so many characters together, for a statement has an end."""
    start = held = 0
    for place, text in enumerate(texts):
        if place > start and (place - start == most or held + len(text) > size):
            yield texts[start:place]
            start, held = place, 0
        held += len(text) + 2
    if start < len(texts):
        yield texts[start:]


class Express(ABC):
    """All over one session, whose end leaves nothing behind."""

    @abstractmethod
    def unfit(self, stage: str) -> str | None:
        """Why files are not taken by this stage, whatever they hold."""

    @abstractmethod
    def unfit_columns(self, schema: pa.Schema, compressions: Collection[str]) -> str | None:
        """Why parquet with these columns would not come into raw as the client reads it."""

    @abstractmethod
    def unfit_text(self, form: TextForm) -> str | None:
        """Why texts that are written so would not come into raw as the client reads them."""

    @abstractmethod
    def listed(self, stage: str, names: Sequence[str]) -> dict[str, Staged]:
        """Those of these files that the stage shows, by their names below it."""

    @abstractmethod
    def copy(self, target: Target, stage: str, number: int, group: StagedGroup) -> dict[str, Copied]:
        """Read a group's files into a table of the session; what was read, by the names of the files.

        The raw table has to be there. Raises `LoadError` where counts of the warehouse differ from each other.
        """

    @abstractmethod
    def insert(self, target: Target, number: int, group: StagedGroup, copied: Mapping[str, Copied]) -> int:
        """Put the rows of the group's files into raw, as part of the open transaction; how many there were."""

    @abstractmethod
    def forget(self, target: Target, groups: int) -> None:
        """Drop the tables of the session."""
