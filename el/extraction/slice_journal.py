"""The journal of one snapshot: of which read it is, and a line for each of its slices that landed.

Guarantees: a line is on the disk before its slice counts as landed, and the slice's files are before the line. Each has
a digest of itself: one that is not whole, wherever it was cut or changed, counts for nothing, and spoils no other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from el.connectors.misfits import Misfit

NAME = "slices.jsonl"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. The others mean nothing without it."""

    format: int
    run_id: str
    table: str
    digest: str  # of all that decides what the slices hold: `TablePlan.read_digest`
    slices: int  # of the whole snapshot
    splits: str  # how they are cut, as JSON
    bound: str | None
    upper: str
    incarnation: str | None


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A landing file: its name in the folder, and `LandedFile` besides. digest: as text."""

    name: str
    rows: int
    bytes: int
    digest: str | None


@dataclass(frozen=True, slots=True)
class KeptSlice:
    """A slice that landed: `SliceResult`, with the load that its rows say they are of."""

    number: int
    load_id: str
    files: tuple[KeptFile, ...]
    rows: int
    bytes: int
    started: datetime
    finished: datetime
    attempts: int
    reached: str | None
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal says. Of a slice that stands in it twice, the later line counts."""

    header: Header
    slices: dict[int, KeptSlice]

    @property
    def since(self) -> str:
        """Behind which the next load takes what changed: where a slice told its place, the first of them."""
        told = [each.reached for each in self.slices.values()]
        places = [place for place in told if place is not None]
        return min(places) if places and len(places) == len(told) else self.header.upper


_HEADER, _SLICE = TypeAdapter(Header), TypeAdapter(KeptSlice)


def begin(folder: Path, header: Header) -> None:
    """A new journal in a new folder."""
    folder.mkdir(parents=True)
    add(folder, header)
    for path in (folder, folder.parent, folder.parent.parent):
        to_disk(path)


def add(folder: Path, entry: Header | KeptSlice) -> None:
    """One more line, on the disk when this returns."""
    line = _HEADER.dump_json(entry) if isinstance(entry, Header) else _SLICE.dump_json(entry)
    with (folder / NAME).open("ab") as file:
        # What a kill left of a line must not spoil this one.
        file.write(b"\n%s %s\n" % (_mark(line), line))
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Journal | None:
    """None where there is none. Raises `ValueError` for one of which it is not known what it is of."""
    try:
        lines = _lines((folder / NAME).read_bytes())
    except FileNotFoundError:
        return None
    try:
        header = _HEADER.validate_json(next(lines, b""))
        if header.format != FORMAT:
            raise ValueError(f"format {header.format} is not {FORMAT}")
        found = [_SLICE.validate_json(line) for line in lines]
    except ValidationError as error:
        raise ValueError(f"{error.error_count()} wrong fields") from None
    return Journal(header, {each.number: each for each in found})


def to_disk(path: Path) -> None:
    """A file that was written by whomever, or a folder's list of its files."""
    # A system on which a folder is no file has no need for it.
    with suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _lines(data: bytes) -> Iterator[bytes]:
    """The lines that are whole; none, where the first one is not."""
    for number, line in enumerate(line for line in data.split(b"\n") if line):
        mark, _, text = line.partition(b" ")
        if mark == _mark(text):
            yield text
        elif number == 0:
            return


def _mark(line: bytes) -> bytes:
    return hashlib.sha256(line).hexdigest()[:16].encode()
