"""pgoutput, protocol version 1: the messages in which PostgreSQL gives the changes of its log.

Guarantees: every byte of a message is accounted for, and what is not understood is a `ReadError`, never left out.
Values are the text that the type's output function gives. A value that an update left alone, and that is stored apart
from its row (TOAST), is `UNCHANGED`, which is no NULL. Format: PostgreSQL's documentation, "Logical Replication Message
Formats".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from struct import Struct, error
from typing import Final

from el.errors import ReadError


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
Values = tuple[str | Unchanged | None, ...]
"""A row: one value for each column of its relation."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The first message of a transaction."""

    commit: int  # where the record of its commit begins in the log
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The last message of a transaction."""

    commit: int  # as `Begin.commit`
    end: int  # where that record ends


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column as it was when the changes behind this message were made."""

    name: str
    type: int  # OID
    modifier: int
    key: bool  # it belongs to the replica identity


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it was when the changes behind this message were made."""

    oid: int
    schema: str
    name: str
    identity: str  # REPLICA IDENTITY: d(efault), n(othing), f(ull), i(ndex)
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was inserted, updated or deleted."""

    kind: str  # I, U, D
    relation: int  # OID
    old: Values | None = None  # the former row, or its key alone
    whole: bool = False  # `old` is the whole row, not the key alone
    new: Values | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables whose rows were all taken away."""

    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Beside:
    """What says nothing of rows: the name of a type, where a transaction was replicated from, a message of somebody."""

    kind: str  # Y, O, M


PgMessage = Begin | Commit | Relation | Change | Truncate | Beside

_BEGIN = Struct("!QqI")
_COMMIT = Struct("!BQQq")
_OID = Struct("!I")
_LENGTH = Struct("!i")
_COUNT = Struct("!h")
_COLUMN = Struct("!Ii")
_TRUNCATE = Struct("!IB")
_EMITTED = Struct("!BQ")


def decode(data: bytes) -> PgMessage:
    """One message. Raises `ReadError` for one that is not of this protocol, or is not whole."""
    try:
        message, end = _MESSAGES[data[:1]](data)
    except (KeyError, error, IndexError, UnicodeDecodeError, ValueError) as wrong:
        shown = f"{data[:1]!r}, {len(data)} bytes: {type(wrong).__name__}"
        raise ReadError(f"a message of logical replication is not understood ({shown})") from None
    if end != len(data):
        raise ReadError(f"a message of logical replication ({data[:1]!r}) is longer than it says")
    return message


def _begin(data: bytes) -> tuple[PgMessage, int]:
    commit, _, xid = _BEGIN.unpack_from(data, 1)
    return Begin(commit, xid), 1 + _BEGIN.size


def _commit(data: bytes) -> tuple[PgMessage, int]:
    _, commit, end, _ = _COMMIT.unpack_from(data, 1)
    return Commit(commit, end), 1 + _COMMIT.size


def _relation(data: bytes) -> tuple[PgMessage, int]:
    (oid,) = _OID.unpack_from(data, 1)
    schema, at = _text(data, 5)
    name, at = _text(data, at)
    identity = data[at : at + 1].decode("ascii")
    (count,) = _COUNT.unpack_from(data, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        key = data[at] & 1
        column, at = _text(data, at + 1)
        type_, modifier = _COLUMN.unpack_from(data, at)
        columns.append(RelationColumn(column, type_, modifier, key=bool(key)))
        at += _COLUMN.size
    # Of the system's own tables the schema is an empty text.
    return Relation(oid, schema or "pg_catalog", name, identity, tuple(columns)), at


def _insert(data: bytes) -> tuple[PgMessage, int]:
    _expect(data, 5, b"N")
    new, end = _values(data, 6)
    return Change("I", _OID.unpack_from(data, 1)[0], new=new), end


def _update(data: bytes) -> tuple[PgMessage, int]:
    (oid,) = _OID.unpack_from(data, 1)
    mark, old, at = data[5:6], None, 5
    if mark in (b"K", b"O"):
        old, at = _values(data, 6)
    _expect(data, at, b"N")
    new, end = _values(data, at + 1)
    return Change("U", oid, old, mark == b"O", new), end


def _delete(data: bytes) -> tuple[PgMessage, int]:
    _expect(data, 5, b"K", b"O")
    old, end = _values(data, 6)
    return Change("D", _OID.unpack_from(data, 1)[0], old, data[5:6] == b"O"), end


def _truncate(data: bytes) -> tuple[PgMessage, int]:
    count, _ = _TRUNCATE.unpack_from(data, 1)
    end = 6 + count * _OID.size
    return Truncate(tuple(oid for (oid,) in _OID.iter_unpack(data[6:end]))), end


def _type(data: bytes) -> tuple[PgMessage, int]:
    _, at = _text(data, 5)
    return Beside("Y"), _text(data, at)[1]


def _origin(data: bytes) -> tuple[PgMessage, int]:
    return Beside("O"), _text(data, 9)[1]


def _emitted(data: bytes) -> tuple[PgMessage, int]:
    _EMITTED.unpack_from(data, 1)
    _, at = _text(data, 1 + _EMITTED.size)
    (length,) = _OID.unpack_from(data, at)
    return Beside("M"), at + _OID.size + length


_MESSAGES = {
    b"B": _begin,
    b"C": _commit,
    b"R": _relation,
    b"I": _insert,
    b"U": _update,
    b"D": _delete,
    b"T": _truncate,
    b"Y": _type,
    b"O": _origin,
    b"M": _emitted,
}


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A text that ends with a NUL byte, and where the next thing begins."""
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8"), end + 1


def _expect(data: bytes, at: int, *marks: bytes) -> None:
    if data[at : at + 1] not in marks:
        raise ValueError


def _values(data: bytes, at: int) -> tuple[Values, int]:
    (count,) = _COUNT.unpack_from(data, at)
    at += 2
    found: list[str | Unchanged | None] = []
    for _ in range(count):
        mark = data[at]
        at += 1
        if mark == 0x74:  # t: text
            (length,) = _LENGTH.unpack_from(data, at)
            at += 4
            end = at + length
            if length < 0 or end > len(data):
                raise ValueError
            found.append(data[at:end].decode("utf-8"))
            at = end
        elif mark == 0x6E:  # n: NULL
            found.append(None)
        elif mark == 0x75:  # u: unchanged
            found.append(UNCHANGED)
        else:
            raise ValueError
    return tuple(found), at
