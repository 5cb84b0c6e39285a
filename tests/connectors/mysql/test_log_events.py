"""Events of MySQL's own, on bytes that are made here as its manual describes them: no MySQL server wrote them.

MySQL Source Code Documentation, "Replication Protocol", `Gtid_event`, `Table_map_event`, `Rows_event`,
`Transaction_payload_event`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from el.connectors.catalog import SourceType, TableName
from el.connectors.mysql.log import Event
from el.connectors.mysql.log_changes import Changes
from el.connectors.mysql.log_columns import Columns
from el.connectors.mysql.log_position import FORM, DomainGtids, UuidGtids, of_position
from el.connectors.mysql.log_statement import Followed
from el.connectors.request import ColumnRead
from el.errors import ElError, PositionLost

SERVER = UUID("3e11fa47-71ca-11e1-9e33-c80aa9429562")
OURS = Followed(TableName("shop", "orders"), frozenset({"id", "y", "v", "g", "n"}))
TYPES = {
    "id": SourceType("int"),
    "y": SourceType("year"),
    "v": SourceType("varchar", length=20),
    "g": SourceType("geometry"),
    "n": SourceType("bigint unsigned"),
}
ARROW = {"id": pa.int32(), "y": pa.int16(), "v": pa.string(), "g": pa.binary(), "n": pa.decimal128(20, 0)}


def gtid(number: int) -> Event:
    return Event(33, 1, b"\1" + SERVER.bytes + number.to_bytes(8, "little") + b"\2" + bytes(16))


def query(sql: str) -> Event:
    states = b"\0" + bytes(4) + b"\1" + (1 << 21).to_bytes(8, "little")
    head = bytes(8) + b"\4" + bytes(2) + len(states).to_bytes(2, "little")
    return Event(2, 1, head + states + b"shop\0" + sql.encode())


def table_map(*, named: bool = True, json: bool = False) -> Event:
    kinds, meta = b"\x03\x0d\x0f\xff\x08", b"\x50\x00" + b"\x04"
    names = b"".join(bytes([len(name)]) + name.encode() for name in TYPES)
    if json:
        kinds, meta = b"\x03\x0d\x0f\xf5\x08", b"\x50\x00" + b"\x04"
    # Signs of id, y and n; a character set of v alone.
    more = b"\x01\x01\x20" + b"\x02\x01" + b"\x2d" + (b"\x04" + bytes([len(names)]) + names if named else b"")
    head = b"\x07\0\0\0\0\0" + bytes(2) + b"\4shop\0" + b"\6orders\0"
    return Event(19, 1, head + b"\x05" + kinds + bytes([len(meta)]) + meta + b"\x1e" + more)


def row(id_: int, text: str, number: int) -> bytes:
    fixed = id_.to_bytes(4, "little", signed=True) + b"\x7c" + bytes([len(text.encode())]) + text.encode()
    return b"\0" + fixed + b"\3\0\0\0abc" + number.to_bytes(8, "little")


def rows(kind: int, *said: bytes, there: bytes = b"\x1f") -> Event:
    images = there * (2 if kind in (31, 39) else 1)
    return Event(kind, 1, b"\x07\0\0\0\0\0" + bytes(2) + b"\2\0" + b"\x05" + images + b"".join(said))


def xid() -> Event:
    return Event(16, 1, bytes(8))


def packed(events: Iterable[Event], *, squeezed: bool = True) -> Event:
    """A transaction as `binlog_transaction_compression` has it."""
    data = b"".join(
        bytes(4) + bytes([each.kind]) + bytes(4) + (19 + len(each.body)).to_bytes(4, "little") + bytes(6) + each.body
        for each in events
    )
    payload = pa.compress(data, codec="zstd", asbytes=True) if squeezed else data
    size, whole = (b"\xfc" + len(each).to_bytes(2, "little") for each in (payload, data))
    # How: 0 is zstd, 255 not at all.
    how = b"\2\1\0" if squeezed else b"\2\3\xfc\xff\0"
    fields = how + b"\3\3" + whole + b"\1\3" + size
    return Event(40, 1, fields + b"\0" + payload)


class NoServer:
    """Knows the names of two character sets."""

    def fetch(self, statement: object) -> list[tuple[object, ...]]:
        return [(45, "utf8mb4"), (63, "binary")]

    def stream(self, statement: object, request: object) -> Any:
        raise AssertionError("nothing is asked")


def found(
    events: Iterable[Event], *, since: str = f"{SERVER}:1-4", until: str = f"{SERVER}:1-5"
) -> list[tuple[Any, ...]]:
    changes = Changes(events, UuidGtids.parse(since), UuidGtids.parse(until), OURS)
    columns = Columns(NoServer(), TYPES, is_mariadb=False)
    said: list[tuple[Any, ...]] = []
    for piece in changes.pieces(1000, 1 << 20):
        made = [columns.of(piece, ColumnRead(name, name, None, ARROW[name])).to_pylist() for name in TYPES]
        said += [(chr(kind), *values) for kind, *values in zip(piece.kinds, *made, strict=True)]
    assert str(changes.reached) == until
    return said


BODY = [
    query("BEGIN"),
    table_map(),
    rows(30, row(-1, "é", 2**64 - 1)),
    rows(31, row(-1, "é", 1), row(2, "b", 0)),
    xid(),
]
SAID = [
    ("I", -1, 2024, "é", b"abc", 2**64 - 1),
    ("B", -1, 2024, "é", b"abc", 1),
    ("A", 2, 2024, "b", b"abc", 0),
]


def test_rows_of_mysqls_second_version_are_read_with_the_signs_and_character_sets_of_its_metadata() -> None:
    assert found([gtid(5), *BODY]) == SAID


@pytest.mark.parametrize("squeezed", [True, False])
def test_a_transaction_that_mysql_compressed_is_read(squeezed: bool) -> None:
    assert found([gtid(5), packed(BODY, squeezed=squeezed)]) == SAID


def test_transactions_come_until_all_that_were_wanted_have_and_those_among_them_too() -> None:
    between = [gtid(8), query("BEGIN"), table_map(), rows(32, row(2, "x", 0)), xid()]
    said = found([*between, gtid(5), *BODY, gtid(9), *BODY], until=f"{SERVER}:1-5:8")
    assert [row[0] for row in said] == ["D", "I", "B", "A"]


LOST = {
    "the end is missing": [gtid(5), *BODY[:-1]],
    "the log ends before": [gtid(4), *BODY],
    "half a row": [gtid(5), BODY[0], table_map(), rows(30, row(1, "a", 1), there=b"\x1d"), xid()],
    "a part of a JSON": [gtid(5), BODY[0], table_map(), rows(39, row(1, "a", 1)), xid()],
    "no names": [gtid(5), BODY[0], table_map(named=False), rows(30, row(1, "a", 1)), xid()],
    "no GTID": [Event(34, 1, gtid(5).body), *BODY],
    "a tag": [Event(42, 1, gtid(5).body), *BODY],
    "rows cut short": [gtid(5), BODY[0], table_map(), rows(30, row(1, "a", 1)[:-3]), xid()],
    "a statement": [gtid(5), query("BEGIN"), query("INSERT INTO orders VALUES (1)"), xid()],
    "a definition": [gtid(5), query("TRUNCATE orders")],
    "undone": [gtid(5), *BODY[:-1], query("ROLLBACK")],
    "undone in part": [gtid(5), *BODY[:-1], query("ROLLBACK TO `s`"), xid()],
    "an XA transaction": [
        gtid(5),
        query("XA START X'61',X'',1"),
        *BODY[1:-1],
        query("XA END X'61'"),
        Event(38, 1, b"\0"),
    ],
    "something new": [gtid(5), Event(99, 1, b""), *BODY],
}


@pytest.mark.parametrize("what", LOST)
def test_what_cannot_be_read_whole_is_lost_and_not_passed_over(what: str) -> None:
    with pytest.raises(PositionLost, match="--full-refresh"):
        found(LOST[what])


def test_an_event_that_may_be_passed_over_is() -> None:
    assert found([gtid(5), Event(99, 1, b"", ignorable=True), *BODY]) == SAID


def test_mysqls_json_is_refused_by_name() -> None:
    events = [gtid(5), BODY[0], table_map(json=True), rows(30, row(1, "a", 1)), xid()]
    with pytest.raises(ElError, match=r"'g' is JSON, .*exclude it"):
        found(events)


def test_gtids_have_one_text_and_grow_with_each_transaction() -> None:
    gtids = UuidGtids.parse(f"{str(SERVER).upper()}:7-9:1-3,\n00000000-0000-0000-0000-000000000001:5")
    assert str(gtids) == f"00000000-0000-0000-0000-000000000001:5,{SERVER}:1-3:7-9"
    texts = [gtids.text]
    for number in (4, 6, 5, 11):
        gtids.add(SERVER, number)
        texts.append(gtids.text)
    assert texts == sorted(texts)
    assert str(gtids) == f"00000000-0000-0000-0000-000000000001:5,{SERVER}:1-9:11"
    assert of_position(texts[-1], is_mariadb=False) == gtids
    assert all(re.fullmatch(FORM, text) for text in texts)
    assert gtids.holds(UuidGtids.parse(f"{SERVER}:2-8"))
    assert not gtids.holds(UuidGtids.parse(f"{SERVER}:9-10"))
    assert len(gtids.encoded()) == 8 + 2 * (16 + 8) + 3 * 16
    with pytest.raises(ValueError, match="invalid literal"):
        UuidGtids.parse(f"{SERVER}:tag:1-3")
    domains = DomainGtids.parse("1-7-5,0-7-19")
    assert domains.text == f"{24:020d}:0-7-19,1-7-5"
    assert domains.holds(DomainGtids.parse("0-9-19"))
    assert not domains.holds(DomainGtids.parse("2-7-1"))
