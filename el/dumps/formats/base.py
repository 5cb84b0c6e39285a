"""The class of formats: a local file in, Arrow batches with record numbers out, every record counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

# The last column of each batch: the number of the record in its file, from 1; int64.
ROW = "_el_row"


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be read."""

    row: int  # its number in the file, from 1
    offset: int | None  # where it begins, in bytes of the uncompressed file; None where that is not known
    data: bytes  # as it stands in the file
    reason: str


@dataclass(slots=True)
class Reading:
    """One file while it is read. What is counted is final once `batches` has ended."""

    schema: pa.Schema  # the file's columns, in the file's order, without ROW
    batches: Iterator[pa.RecordBatch]  # of `schema` and ROW, in the order of the file, each of bounded size
    records: int = 0  # records in the file, counted by another way than the rows were; blank lines are none
    blank_lines: int = 0
    header: tuple[str | None, ...] | None = None  # the fields of the header, as those of any record
    odd: str | None = None  # why other readers may take the file otherwise than this one did
    rejects: list[Reject] = field(default_factory=list)


class Format(ABC):
    """How one kind of file is read. A small picklable value; it never guesses."""

    # Whether values come with types of their own (parquet, bacpac), or as text, exactly as they stand.
    typed: bool = False

    @abstractmethod
    def read(self, path: Path, rejects: int = 0) -> Reading:
        """Read a local, uncompressed file. rejects: so many bad records may be left out.

        Raises `RecordRefused`, naming record, byte and reason, at the first bad record beyond these.
        """
