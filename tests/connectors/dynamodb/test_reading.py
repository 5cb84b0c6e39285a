"""Reads of tables: keys and whole items, each once, with every type of DynamoDB's as it is."""

from __future__ import annotations

import base64
import json
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from el.connectors.catalog import Column, SourceType, TableName
from el.connectors.dynamodb.types import NUMBER, TEXT
from el.connectors.request import ColumnRead, Condition, Op, ReadRequest, Value
from el.errors import PlanError, ReadError
from tests.connectors.dynamodb.conftest import Store

DIGITS = "12345678901234567890123456789012345678"
NUMBERS = {
    DIGITS: DIGITS,
    f"-{DIGITS}": f"-{DIGITS}",
    "1E-130": f"0.{'0' * 129}1",
    "9.99E+125": f"999{'0' * 123}",
    "-9.99E+125": f"-999{'0' * 123}",
    "0.10": "0.1",
    "-0": "0",
    "100": "100",
    "0": "0",
}


def deep(levels: int) -> dict[str, Any]:
    """A value with so many levels, the last of them a text."""
    found: dict[str, Any] = {"S": "below"}
    for level in range(levels - 1):
        found = {"L": [found]} if level % 2 else {"M": {"m": found}}
    return found


VALUES: dict[str, dict[str, Any]] = {
    **{f"number {text}": {"N": text} for text in NUMBERS},
    "empty text": {"S": ""},
    "text": {"S": 'Größe 日本 😀 " \\ / \x00 \n {"N":"1E5"} "SS":["b","a"]'},
    "empty bytes": {"B": b""},
    "bytes": {"B": bytes(range(256))},
    "true": {"BOOL": True},
    "false": {"BOOL": False},
    "null": {"NULL": True},
    "empty list": {"L": []},
    "empty map": {"M": {}},
    "texts": {"SS": ["b", "", "a"]},
    "numbers": {"NS": ["10", "9", DIGITS, "-1.50"]},
    "many bytes": {"BS": [b"\xff", b"", b"a"]},
    "32 levels": deep(32),
    "a.b": {"M": {"c d": {"S": "x"}, "select": {"N": "1"}, "#a": {"NULL": True}}},
    "name": {"L": [{"N": "1"}, {"S": "1"}, {"BOOL": True}, {"NS": ["3", "1"]}]},
}


def canonical(value: dict[str, Any]) -> dict[str, Any]:
    """The value as its document has it, said a second time."""
    ((kind, inside),) = value.items()
    if kind == "N":
        return {"N": NUMBERS.get(inside, inside)}
    if kind == "B":
        return {"B": base64.b64encode(inside).decode()}
    if kind == "M":
        return {"M": {name: canonical(each) for name, each in inside.items()}}
    if kind == "L":
        return {"L": [canonical(each) for each in inside]}
    if kind == "BS":
        return {"BS": sorted(base64.b64encode(each).decode() for each in inside)}
    if kind == "NS":
        return {"NS": sorted({"-1.50": "-1.5"}.get(each, each) for each in inside)}
    return {kind: sorted(inside)} if kind == "SS" else value


def test_every_type_stands_in_the_document_over_its_range(store: Store) -> None:
    store.table("things")
    store.put("things", *({"id": {"S": name}, name: value} for name, value in VALUES.items()))
    rows = {row["id"]: row["document"] for row in store.read("things")}
    wanted = {name: {"id": {"S": name}, name: canonical(value)} for name, value in VALUES.items()}
    assert {name: json.loads(text) for name, text in rows.items()} == wanted
    # One text for one item: names in order, no blanks.
    for name, text in rows.items():
        assert text == json.dumps(wanted[name], ensure_ascii=False, sort_keys=True, separators=(",", ":")), name


def test_an_item_of_400_kb_and_one_of_1000_attributes_come_whole(store: Store) -> None:
    store.table("things")
    many = {f"a{number:03d}": {"N": str(number)} for number in range(1000)}
    large = {"v": {"S": "ß" * 204_000}}
    store.put("things", {"id": {"S": "many"}, **many}, {"id": {"S": "large"}, **large})
    rows = {row["id"]: json.loads(row["document"]) for row in store.read("things")}
    assert rows == {"many": {"id": {"S": "many"}, **many}, "large": {"id": {"S": "large"}, **large}}


@pytest.mark.parametrize(
    ("types", "key", "wanted"),
    [
        ({"p": "N", "s": "B"}, {"p": {"N": DIGITS}, "s": {"B": b"\x00\xff"}}, {"p": DIGITS, "s": b"\x00\xff"}),
        ({"p": "B", "s": "N"}, {"p": {"B": b"\xff"}, "s": {"N": "-1.50"}}, {"p": b"\xff", "s": "-1.5"}),
        ({"document": "S", "index": "N"}, {"document": {"S": "d"}, "index": {"N": "1E3"}}, {}),
        ({"a.b": "S", "select": "S"}, {"a.b": {"S": "1"}, "select": {"S": "2"}}, {"a.b": "1", "select": "2"}),
    ],
    ids=["number and bytes", "bytes and number", "called as el's own", "reserved words"],
)
def test_a_key_is_its_columns_whatever_its_types_and_names(
    store: Store, types: dict[str, str], key: dict[str, Any], wanted: dict[str, Any]
) -> None:
    store.table("things", **types)
    store.put("things", {**key, "v": {"S": "x"}})
    (row,) = store.read("things")
    assert list(row)[:2] == list(wanted or ("document_key", "index_key"))
    assert {name: value for name, value in row.items() if name != "document"} == (
        wanted or {"document_key": "d", "index_key": "1000"}
    )
    # By its key alone, too, and by conditions on it.
    (alone,) = store.read("things", columns=tuple(ColumnRead(name, name) for name in list(row)[:2]))
    assert alone == {name: value for name, value in row.items() if name != "document"}


def many(store: Store, count: int, size: int = 10) -> set[str]:
    store.table("things", p="S", s="N")
    chance = random.Random(3)
    items = [
        {"p": {"S": f"p{chance.randrange(50)}"}, "s": {"N": str(number)}, "v": {"S": "x" * size}}
        for number in range(count)
    ]
    store.put("things", *items)
    return {item["s"]["N"] for item in items}


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_segments_have_every_item_once(store: Store, parts: int) -> None:
    wanted = many(store, 500)
    request = ReadRequest(table=TableName("dynamodb", "things"))
    with store.opened() as source:
        splits = source.splits(request, parts, None) or (None,)
    assert len(splits) == parts
    found = [row["s"] for split in splits for row in store.read("things", split=split)]
    assert (len(found), set(found)) == (len(wanted), wanted)


def test_pages_follow_each_other_without_a_gap_though_some_fail(store: Store) -> None:
    """Of 3 MB a scan has three pages. Each second call fails: throttled, refused by a busy server, or cut off."""
    wanted = many(store, 300, 10_000)
    failed: list[int] = []
    with store.opened() as source:

        def failing(request: Any, **_: Any) -> Any:
            failed.append(len(failed))
            if failed[-1] % 2:
                return None
            if failed[-1] % 4 == 0:
                raise ConnectionClosedError(endpoint_url=request.url)
            found = AWSResponse(request.url, 400, {}, None)
            found._content = b'{"__type":"com.amazonaws#ProvisionedThroughputExceededException","message":"slow"}'
            return found

        source.client.meta.events.register("before-send.dynamodb.Scan", failing)
        rows = source.read_buffer(ReadRequest(table=TableName("dynamodb", "things"))).to_arrow().column("s").to_pylist()
    assert len(failed) >= 6
    assert (len(rows), set(rows)) == (len(wanted), wanted)


def test_a_page_whose_checksum_is_another_one_is_an_error_that_may_pass(store: Store) -> None:
    many(store, 3)
    with store.opened() as source:

        def damaged(response_dict: dict[str, Any], **_: Any) -> None:
            response_dict["body"] = response_dict["body"].replace(b"xxx", b"xyx")

        source.client.meta.events.register_first("before-parse.dynamodb.Scan", damaged)
        with pytest.raises(ReadError, match="damaged") as found:
            source.read_buffer(ReadRequest(table=TableName("dynamodb", "things"))).to_arrow()
    assert found.value.retryable


def test_batches_are_bounded_by_rows_and_by_bytes(store: Store) -> None:
    many(store, 300, 10_000)
    for bounds, most in (({"batch_rows": 7}, 7), ({"batch_bytes": 1}, 120)):
        with store.opened() as source:
            batches = list(source.read_buffer(ReadRequest(table=TableName("dynamodb", "things"), **bounds)))
        assert sum(batch.num_rows for batch in batches) == 300
        assert max(batch.num_rows for batch in batches) <= most


def test_a_limit_reads_no_more_items_than_it_says(store: Store) -> None:
    many(store, 50)
    assert len(store.read("things", limit=7)) == 7
    assert store.read("things", limit=0) == []


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (Condition("s", Op.EQ, Value("1.0", SourceType(NUMBER))), "1"),
        (Condition("s", Op.NE, Value("1", SourceType(NUMBER))), "02"),
        (Condition("p", Op.GE, Value("ß", SourceType(TEXT))), "2"),
        (Condition("p", Op.LT, Value("b", SourceType(TEXT))), "0"),
    ],
    ids=str,
)
def test_conditions_on_the_key_are_asked_of_the_service(store: Store, condition: Condition, wanted: str) -> None:
    store.table("things", p="S", s="N")
    store.put("things", *({"p": {"S": text}, "s": {"N": str(number)}} for number, text in enumerate(("a", "b", "ß"))))
    assert {row["s"] for row in store.read("things", where=(condition,))} == set(wanted)
    with store.opened() as source:
        assert source.supports(condition.op, Column(condition.column, condition.value.type))  # type: ignore[union-attr]
        assert not source.supports(Op.LT, Column("s", SourceType(NUMBER)))


def test_what_cannot_be_read_so_is_an_error(store: Store) -> None:
    many(store, 1)
    request = ReadRequest(table=TableName("dynamodb", "things"), columns=(ColumnRead("other", "other"),))
    with store.opened() as source:
        with pytest.raises(ReadError, match="has no column 'other'"):
            source.read_buffer(request)
        with pytest.raises(ReadError, match="there is no table"):
            source.read_buffer(ReadRequest(table=TableName("dynamodb", "other")))
        with pytest.raises(PlanError, match="leave out `partition_by`"):
            source.splits(request, 2, Column("s", SourceType(NUMBER)))


@pytest.mark.parametrize("consistent", [True, False])
def test_a_read_is_as_consistent_as_the_profile_says(store: Store, consistent: bool) -> None:
    many(store, 3)
    asked: list[bool] = []
    with store.opened(consistent_read=consistent) as source:
        source.client.meta.events.register(
            "provide-client-params.dynamodb.Scan", lambda params, **_: asked.append(params["ConsistentRead"])
        )
        source.read_buffer(ReadRequest(table=TableName("dynamodb", "things"))).to_arrow()
    assert asked == [consistent]


def test_a_promoted_number_has_all_its_digits(store: Store) -> None:
    store.table("things")
    store.put("things", {"id": {"S": "1"}, "n": {"N": DIGITS}})
    read = ColumnRead("n", "n", "n", pa.decimal128(38, 0))
    assert store.read("things", columns=(ColumnRead("id", "id"), read)) == [{"id": "1", "n": Decimal(DIGITS)}]
