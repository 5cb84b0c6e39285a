"""The messages of pgoutput: bytes that a server sent, and whatever values a row may have."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.connectors.postgres.log.pgoutput import (
    UNCHANGED,
    Begin,
    Beside,
    Change,
    Commit,
    PgMessage,
    Relation,
    RelationColumn,
    Truncate,
    Unchanged,
    Values,
    decode,
)
from el.errors import ReadError

# Of a PostgreSQL 18.6: t (id integer PRIMARY KEY, a text, b numeric).
RECORDED: list[tuple[bytes, PgMessage]] = [
    (b"B\0\0\0\0\x01r\x998\0\x03\x04P\xad\x0b\xc7\x82\0\0\x02\xf4", Begin(0x1729938, 756)),
    (
        b"R\0\0@\x01public\0t\0d\0\x03\x01id\0\0\0\0\x17\xff\xff\xff\xff\0a\0\0\0\0\x19\xff\xff\xff\xff"
        b"\0b\0\0\0\x06\xa4\xff\xff\xff\xff",
        Relation(
            16385,
            "public",
            "t",
            "d",
            (
                RelationColumn("id", 23, -1, key=True),
                RelationColumn("a", 25, -1, key=False),
                RelationColumn("b", 1700, -1, key=False),
            ),
        ),
    ),
    (b"I\0\0@\x01N\0\x03t\0\0\0\x011t\0\0\0\x02\xc3\xa9t\0\0\0\x041.50", Change("I", 16385, new=("1", "é", "1.50"))),
    (
        b"U\0\0@\x01K\0\x03t\0\0\0\x012nnN\0\x03t\0\0\0\x019nt\0\0\0\x03NaN",
        Change("U", 16385, ("2", None, None), new=("9", None, "NaN")),
    ),
    (b"D\0\0@\x01K\0\x03t\0\0\0\x011nn", Change("D", 16385, ("1", None, None))),
    (b"T\0\0\0\x01\0\0\0@\x01", Truncate((16385,))),
    (
        b"C\0\0\0\0\0\x01r\x998\0\0\0\0\x01r\x99h\0\x03\x04P\xad\x0b\xc7\x82",
        Commit(0x1729938, 0x1729968),
    ),
    (b"M\x01\0\0\0\0\x01r\x99\x08p\0\0\0\0\x02hi", Beside("M")),
    (b"Y\0\0@\x10public\0mood\0", Beside("Y")),
    (b"O\0\0\0\0\0\0\0\x01elsewhere\0", Beside("O")),
]


@pytest.mark.parametrize(("data", "message"), RECORDED, ids=[chr(data[0]) for data, _ in RECORDED])
def test_what_a_server_sends_is_understood(data: bytes, message: PgMessage) -> None:
    assert decode(data) == message


@pytest.mark.parametrize("data", [data for data, _ in RECORDED], ids=[chr(data[0]) for data, _ in RECORDED])
def test_a_message_that_was_cut_anywhere_or_is_too_long_is_refused(data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises(ReadError):
            decode(data[:end])
    with pytest.raises(ReadError):
        decode(data + b"\0")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
rows = st.lists(st.one_of(st.none(), st.just(UNCHANGED), texts), max_size=40).map(tuple)


def encoded(row: Values) -> bytes:
    parts = [struct.pack("!h", len(row))]
    for value in row:
        if isinstance(value, Unchanged):
            parts.append(b"u")
        elif value is None:
            parts.append(b"n")
        else:
            data = value.encode()
            parts.append(b"t" + struct.pack("!i", len(data)) + data)
    return b"".join(parts)


@given(row=rows, oid=st.integers(1, 2**32 - 1))
def test_any_row_comes_as_it_was_sent(row: Values, oid: int) -> None:
    head = struct.pack("!I", oid)
    assert decode(b"I" + head + b"N" + encoded(row)) == Change("I", oid, new=row)
    assert decode(b"D" + head + b"O" + encoded(row)) == Change("D", oid, row, whole=True)


@given(old=rows, new=rows, mark=st.sampled_from([b"", b"K", b"O"]))
def test_an_update_has_the_former_row_or_its_key_where_the_server_sends_them(
    old: Values, new: Values, mark: bytes
) -> None:
    former = mark + encoded(old) if mark else b""
    found = decode(b"U\0\0\0\x07" + former + b"N" + encoded(new))
    assert found == Change("U", 7, old if mark else None, mark == b"O", new)


@given(data=st.binary(max_size=60))
def test_bytes_of_no_kind_are_a_message_or_refused(data: bytes) -> None:
    with suppress(ReadError):
        assert decode(data)


def test_an_unchanged_value_is_no_null() -> None:
    found = decode(b"U\0\0\0\x07N\0\x02t\0\0\0\x011u")
    assert found == Change("U", 7, new=("1", UNCHANGED))
    assert isinstance(found, Change)
    assert found.new is not None
    assert found.new[1] is not None
