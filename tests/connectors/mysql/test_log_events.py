"""Events of MySQL's own, on bytes that are made here as its manual describes them: no MySQL server wrote them.

MySQL Source Code Documentation, "Replication Protocol", `Gtid_event`, `Table_map_event`, `Rows_event`,
`Transaction_payload_event`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from el.connectors.buffer import Buffer
from el.connectors.catalog import SourceType, TableName
from el.connectors.mysql.log import Event
from el.connectors.mysql.log_changes import Changes
from el.connectors.mysql.log_columns import Columns
from el.connectors.mysql.log_json import parts_of
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


def row(id_: int, text: str, number: int, value: bytes = b"abc") -> bytes:
    fixed = id_.to_bytes(4, "little", signed=True) + b"\x7c" + bytes([len(text.encode())]) + text.encode()
    return b"\0" + fixed + len(value).to_bytes(4, "little") + value + number.to_bytes(8, "little")


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


class SaysFloats(NoServer):
    """Writes a number with a fraction in its own way."""

    def stream(self, statement: Any, request: object) -> Any:
        asked = re.findall(r"SELECT (\d+) AS n, CAST\(CAST\((\S+) AS JSON\) AS CHAR\) AS v", statement.sql)
        texts = pa.record_batch({"n": [int(n) for n, _ in asked], "v": [f"<{float(v)!r}>" for _, v in asked]})
        return Buffer(texts.schema, iter([texts]))


def found(
    events: Iterable[Event],
    *,
    since: str = f"{SERVER}:1-4",
    until: str = f"{SERVER}:1-5",
    server: NoServer | None = None,
) -> list[tuple[Any, ...]]:
    changes = Changes(events, UuidGtids.parse(since), UuidGtids.parse(until), OURS)
    columns = Columns(server or NoServer(), TYPES, is_mariadb=False)
    said: list[tuple[Any, ...]] = []
    for piece in changes.pieces(1000, 1 << 20):
        made = [
            columns.of(piece, ColumnRead(name, name, None, None if server and name == "g" else ARROW[name])).to_pylist()
            for name in TYPES
        ]
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


def test_a_column_that_rows_lack_is_null_where_the_log_tells_that_it_came_later_alone() -> None:
    more = Followed(OURS.table, OURS.columns | {"late"})
    came = [gtid(6), query("ALTER TABLE orders ADD COLUMN late INT")]

    def read(*events: Event) -> int:
        changes = Changes(events, UuidGtids.parse(f"{SERVER}:1-4"), UuidGtids.parse(f"{SERVER}:1-6"), more)
        columns = Columns(NoServer(), {**TYPES, "late": SourceType("int")}, is_mariadb=False)
        late = ColumnRead("late", "late", None, pa.int32())
        return sum(columns.of(piece, late).null_count for piece in changes.pieces(1000, 1 << 20))

    assert read(gtid(5), *BODY, *came) == 3
    with pytest.raises(PositionLost, match="rows lack late"):
        read(gtid(5), *BODY, gtid(6), query("ALTER TABLE orders ADD COLUMN other INT"))


def test_an_event_that_may_be_passed_over_is() -> None:
    assert found([gtid(5), Event(99, 1, b"", ignorable=True), *BODY]) == SAID


def small(kind: int, *entries: tuple[int, bytes], keys: tuple[bytes, ...] = ()) -> bytes:
    """An object or array of few bytes. entries: type and value, which stands in its entry where it is of two bytes."""
    head = 4 + 4 * len(keys) + 3 * len(entries)
    table, behind = b"", b"".join(keys)
    for number, key in enumerate(keys):
        place = head + sum(map(len, keys[:number]))
        table += place.to_bytes(2, "little") + len(key).to_bytes(2, "little")
    for type_, value in entries:
        if type_ in (4, 5, 6):
            table += bytes([type_]) + value.ljust(2, b"\0")
        else:
            table += bytes([type_]) + (head + len(behind)).to_bytes(2, "little")
            behind += value
    size = head + len(behind)
    return bytes([kind]) + len(entries).to_bytes(2, "little") + size.to_bytes(2, "little") + table + behind


def packed_time(day: int, clock: int, fraction: int = 0) -> bytes:
    return ((day << 17 | clock) << 24 | fraction).to_bytes(8, "little", signed=True)


DAY = (2024 * 13 + 1) << 5 | 15
CLOCK = 10 << 12 | 30 << 6 | 45
DOCUMENTS = {
    b"": "null",
    b"\4\0": "null",
    b"\4\1": "true",
    b"\4\2": "false",
    b"\5\xfe\xff": "-2",
    b"\6\xfe\xff": "65534",
    b"\7\xfe\xff\xff\xff": "-2",
    b"\x0a" + b"\xff" * 8: "18446744073709551615",
    b"\x09" + b"\0" * 7 + b"\x80": "-9223372036854775808",
    b"\x0c\x03\xe6\x97\xa5": '"日"',
    b'\x0c\x0aa"\\\n\t\x01/\x7f\x08\x0c': '"a\\"\\\\\\n\\t\\u0001/\x7f\\b\\f"',
    b"\x0c\xac\x02" + b"x" * 300: f'"{"x" * 300}"',
    b"\0\0\0\4\0": "{}",
    b"\2\0\0\4\0": "[]",
    small(0, (5, b"\1\0"), (12, b"\1x"), (4, b"\0"), keys=(b"a", b"b", b"c c")): '{"a": 1, "b": "x", "c c": null}',
    small(2, (7, b"\1\0\0\0"), (2, small(2, (4, b"\1"))[1:]), (0, small(0)[1:])): "[1, [true], {}]",
    b"\3" + b"\1\0\0\0" + b"\x0d\0\0\0" + b"\7\xff\xff\xff\xff": "[-1]",
    b"\x0f\xf6\4\2\1\x81\0": "1.0",
    b"\x0f\xf6\4\3\2\x81\x0a": "1.10",
    b"\x0f\x0a\x08" + packed_time(DAY, 0): '"2024-01-15"',
    b"\x0f\x0c\x08" + packed_time(DAY, CLOCK, 123456): '"2024-01-15 10:30:45.123456"',
    b"\x0f\x07\x08" + packed_time(DAY, CLOCK): '"2024-01-15 10:30:45.000000"',
    b"\x0f\x0b\x08" + packed_time(0, CLOCK, 5): '"10:30:45.000005"',
    b"\x0f\x0b\x08" + (-(CLOCK << 24)).to_bytes(8, "little", signed=True): '"-10:30:45.000000"',
}


@pytest.mark.parametrize("data", DOCUMENTS, ids=DOCUMENTS.values())
def test_mysqls_json_becomes_the_text_that_it_writes(data: bytes) -> None:
    assert "".join(map(str, parts_of(data))) == DOCUMENTS[data]


@pytest.mark.parametrize("data", [b"\x0e", b"\x0c\x05ab", b"\0\1\0\5\0", b"\4\7", b"\x0f\xfc\1a", b"\x0c\1\xff"])
def test_json_that_is_cut_or_unknown_is_refused(data: bytes) -> None:
    with pytest.raises(ElError, match="JSON in the binary log"):
        list(parts_of(data))


def test_how_a_number_with_a_fraction_is_written_the_server_is_asked() -> None:
    double = b"\x0b" + struct.pack("<d", 1.5)
    value = small(2, (5, b"\1\0"), (11, double[1:]), (11, struct.pack("<d", 1e300)))
    events = [gtid(5), BODY[0], table_map(json=True), rows(30, row(1, "a", 1, value)), xid()]
    (said,) = found(events, server=SaysFloats())
    assert said[4] == "[1, <1.5>, <1e+300>]"


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
