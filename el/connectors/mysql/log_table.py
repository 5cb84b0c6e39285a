"""What a TABLE_MAP event says of a table's columns: names, types, signs, character sets, labels.

MySQL Source Code Documentation, `Table_map_event`. Names and what else tells values come with `binlog_row_metadata =
FULL` alone: with them, a row is never taken apart by the columns of another time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from pymysql.constants import FIELD_TYPE

# Types that are of the log alone, and MariaDB's own.
TIMESTAMP2, DATETIME2, TIME2 = 17, 18, 19
BLOB_COMPRESSED, VARCHAR_COMPRESSED, VECTOR = 140, 141, 242
_META = {
    **dict.fromkeys((FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE, FIELD_TYPE.BLOB, FIELD_TYPE.GEOMETRY, FIELD_TYPE.JSON), 1),
    **dict.fromkeys((TIMESTAMP2, DATETIME2, TIME2, BLOB_COMPRESSED, VECTOR), 1),
    **dict.fromkeys((FIELD_TYPE.VARCHAR, FIELD_TYPE.BIT, FIELD_TYPE.NEWDECIMAL, VARCHAR_COMPRESSED), 2),
    **dict.fromkeys((FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING, FIELD_TYPE.ENUM, FIELD_TYPE.SET), 2),
}
WHOLE = {FIELD_TYPE.TINY: 1, FIELD_TYPE.SHORT: 2, FIELD_TYPE.INT24: 3, FIELD_TYPE.LONG: 4, FIELD_TYPE.LONGLONG: 8}
_NUMBERS = frozenset({*WHOLE, FIELD_TYPE.YEAR, FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE, FIELD_TYPE.NEWDECIMAL})
_TEXTS = frozenset({FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING, FIELD_TYPE.VARCHAR, FIELD_TYPE.BLOB})
# MariaDB tells the character set of its compressed columns and geometries too.
_MARIADB_TEXTS = _TEXTS | {FIELD_TYPE.GEOMETRY, BLOB_COMPRESSED, VARCHAR_COMPRESSED}
_SIGNS, _CHARSET, _CHARSETS, _NAMES, _SETS, _ENUMS, _LABEL_CHARSET, _LABEL_CHARSETS = 1, 2, 3, 4, 5, 6, 10, 11


@dataclass(frozen=True, slots=True)
class LogColumn:
    """A column as an event's rows have it. type: the real one, where ENUM and SET are logged as text."""

    type: int
    meta: bytes = b""
    name: str = ""
    unsigned: bool = False
    collation: int = 0
    labels: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class LogTable:
    """columns: without names where the metadata are not FULL."""

    schema: str
    name: str
    columns: tuple[LogColumn, ...]
    named: bool


def table_of(body: bytes) -> tuple[str, str]:
    """Schema and name, of which each event tells; the rest is looked at for few of them."""
    end = 9 + body[8]
    size = body[end + 1]
    return body[9:end].decode(), body[end + 2 : end + 2 + size].decode()


def read_table(body: bytes, *, is_mariadb: bool) -> LogTable:
    schema, name = table_of(body)
    at = 8 + 1 + body[8] + 1
    at += 1 + body[at] + 1
    width, at = number(body, at)
    kinds, at = body[at : at + width], at + width
    size, at = number(body, at)
    columns, place = [], at
    for kind in kinds:
        meta = body[place : place + _META.get(kind, 0)]
        place += len(meta)
        columns.append(LogColumn(_real(kind, meta), meta))
    at += size + (width + 7) // 8
    found = _more(body, at)
    if _NAMES not in found:
        return LogTable(schema, name, tuple(columns), named=False)
    texts = _MARIADB_TEXTS if is_mariadb else _TEXTS
    told = [(kind in _NUMBERS, kind in texts) for kind in kinds]
    return LogTable(schema, name, tuple(_described(columns, told, found)), named=True)


def number(body: bytes, at: int) -> tuple[int, int]:
    """A number whose first byte says how long it is, and where it ends."""
    first = body[at]
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    return (int.from_bytes(body[at + 1 : at + 1 + size], "little") if size else first), at + 1 + size


def _real(kind: int, meta: bytes) -> int:
    if kind == FIELD_TYPE.STRING and meta[0] in (FIELD_TYPE.ENUM, FIELD_TYPE.SET):
        return meta[0]
    return kind


def _more(body: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while at < len(body):
        kind = body[at]
        size, at = number(body, at + 1)
        found[kind] = body[at : at + size]
        at += size
    return found


def _described(
    columns: Sequence[LogColumn], told: Sequence[tuple[bool, bool]], found: dict[int, bytes]
) -> Iterator[LogColumn]:
    names = _texts(found[_NAMES])
    signs = iter(bool(byte >> bit & 1) for byte in found.get(_SIGNS, b"") for bit in range(7, -1, -1))
    charset = _collations(found.get(_CHARSET), found.get(_CHARSETS))
    label_charset = _collations(found.get(_LABEL_CHARSET), found.get(_LABEL_CHARSETS))
    labels = {FIELD_TYPE.ENUM: _labels(found.get(_ENUMS, b"")), FIELD_TYPE.SET: _labels(found.get(_SETS, b""))}
    for column, (has_sign, is_text) in zip(columns, told, strict=True):
        own = column.type in labels
        yield LogColumn(
            column.type,
            column.meta,
            next(names).decode(),
            unsigned=has_sign and next(signs),
            collation=label_charset() if own else charset() if is_text else 0,
            labels=next(labels[column.type]) if own else (),
        )


def _texts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size, at = number(data, at)
        yield data[at : at + size]
        at += size


def _numbers(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = number(data, at)
        yield value


def _labels(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """Of each column its labels, behind their count."""
    at = 0
    while at < len(data):
        labels, at = number(data, at)
        found = []
        for _ in range(labels):
            size, at = number(data, at)
            found.append(data[at : at + size])
            at += size
        yield tuple(found)


def _collations(default: bytes | None, each: bytes | None) -> Callable[[], int]:
    """Of one column after the other: a default with exceptions by their number, or all of them."""
    if default is None:
        listed = _numbers(each or b"")
        return lambda: next(listed, 0)
    first, *pairs = _numbers(default)
    others, counted = dict(zip(pairs[::2], pairs[1::2], strict=True)), count()
    return lambda: others.get(next(counted), first)
