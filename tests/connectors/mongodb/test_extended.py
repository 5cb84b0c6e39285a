"""A document as text, and back: every type over its range, and its bytes beside the text just where it needs them."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import bson
import numpy as np
import pytest
from bson import json_util
from bson.raw_bson import RawBSONDocument
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from el.connectors.mongodb import together
from el.connectors.mongodb.extended import bytes_of, text_of
from el.connectors.mongodb.rows import converted

NAMES = st.one_of(
    st.sampled_from(["a", "b", "_id", "", "a.b", "0", "1", "$oid", "$date", "$numberInt", "$ref", "größe", "\x01"]),
    st.text(max_size=12).filter(lambda name: "\x00" not in name and "\ud800" not in name),
).map(lambda name: name.encode("utf-8", "ignore"))
BYTES = st.binary(max_size=20)


def sized(data: bytes) -> bytes:
    return struct.pack("<i", len(data) + 1) + data + b"\x00"


def document(members: list[tuple[bytes, tuple[int, bytes]]]) -> bytes:
    """BSON of names and values, put together byte by byte: no driver has a say."""
    inside = b"".join(bytes([kind]) + name + b"\x00" + value for name, (kind, value) in members)
    return struct.pack("<i", len(inside) + 5) + inside + b"\x00"


def array(values: list[tuple[int, bytes]]) -> bytes:
    return document([(str(number).encode(), value) for number, value in enumerate(values)])


TEXT = st.one_of(st.text(max_size=20).map(lambda text: text.encode("utf-8", "ignore")), BYTES)
NO_NUL = BYTES.map(lambda data: data.replace(b"\x00", b""))
FIXED = {0x01: 8, 0x07: 12, 0x09: 8, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16}
VALUES: Any = st.recursive(
    st.one_of(
        *(
            st.binary(min_size=size, max_size=size).map(lambda data, kind=kind: (kind, data))
            for kind, size in FIXED.items()
        ),
        st.floats(width=64).map(lambda value: (0x01, struct.pack("<d", value))),
        st.integers(-(2**31), 2**31 - 1).map(lambda value: (0x10, struct.pack("<i", value))),
        st.sampled_from([(0x08, b"\x00"), (0x08, b"\x01"), (0x0A, b""), (0x7F, b""), (0xFF, b""), (0x06, b"")]),
        TEXT.map(lambda data: (0x02, sized(data))),
        st.sampled_from([0x0D, 0x0E]).flatmap(lambda kind: TEXT.map(lambda data: (kind, sized(data)))),
        st.tuples(st.integers(0, 255), BYTES).map(
            lambda pair: (0x05, struct.pack("<iB", len(pair[1]), pair[0]) + pair[1])
        ),
        BYTES.map(lambda data: (0x05, struct.pack("<iBi", len(data) + 4, 2, len(data)) + data)),
        st.tuples(NO_NUL, NO_NUL).map(lambda pair: (0x0B, pair[0] + b"\x00" + pair[1] + b"\x00")),
        st.tuples(TEXT, st.binary(min_size=12, max_size=12)).map(lambda pair: (0x0C, sized(pair[0]) + pair[1])),
    ),
    lambda below: st.one_of(
        st.lists(st.tuples(NAMES, below), max_size=4).map(lambda members: (0x03, document(members))),
        st.lists(below, max_size=4).map(lambda values: (0x04, array(values))),
        st.lists(st.tuples(NAMES, below), max_size=2).map(lambda members: (0x04, document(members))),
        st.tuples(TEXT, st.lists(st.tuples(NAMES, below), max_size=2)).map(
            lambda pair: (0x0F, _with_scope(sized(pair[0]), document(pair[1])))
        ),
    ),
    max_leaves=12,
)
DOCUMENTS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(document)


def _with_scope(code: bytes, scope: bytes) -> bytes:
    return struct.pack("<i", len(code) + len(scope) + 4) + code + scope


def again(text: str) -> bytes | None:
    """What MongoDB's own tools make of a text, by no code of el's."""
    options = json_util.JSONOptions(json_mode=2, tz_aware=False, datetime_conversion=3)
    codec = bson.CodecOptions(datetime_conversion=3)  # type: ignore[var-annotated]
    try:
        return bson.encode(json_util.loads(text, json_options=options), codec_options=codec)
    except Exception:
        return None


@given(data=DOCUMENTS)
@settings(max_examples=250, deadline=None)
@example(data=document([(b"a", (0x01, bytes.fromhex("010000000000f8ff")))]))
@example(data=document([(b"a", (0x10, b"\x01\x00\x00\x00")), (b"_id", (0x10, b"\x02\x00\x00\x00"))]))
def test_any_document_comes_back_from_its_text_or_has_its_bytes_beside_it(data: bytes) -> None:
    row = converted([data]).to_pylist()[0]
    json.loads(row["document"])
    # Just where they are needed: the text is all there is, or the bytes are those that came.
    assert row["_el_raw"] == (None if again(row["document"]) == data else data)


@pytest.fixture(scope="module")
def few_together() -> Iterator[None]:
    """As if so few documents as a test takes were worth it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(together, "FEW", 8)
        yield


def by_themselves(some: list[bytes]) -> list[dict[str, Any]]:
    return [row for data in some for row in converted([data]).to_pylist()]


@given(
    some=st.lists(DOCUMENTS, min_size=1, max_size=5).flatmap(
        lambda few: st.lists(st.sampled_from(few), min_size=60, max_size=90)
    )
)
@settings(max_examples=50, deadline=None)
@pytest.mark.usefixtures("few_together")
def test_documents_together_have_the_texts_that_each_has_alone(some: list[bytes]) -> None:
    assert converted(some).to_pylist() == by_themselves(some)


def one_field(kind: int, value: bytes) -> bytes:
    return document([(b"_id", (0x10, b"\x01\0\0\0")), (b"a", (kind, value))])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (0x01, st.floats(width=64).map(lambda value: struct.pack("<d", value))),
        (0x01, st.tuples(st.integers(-(10**17), 10**17), st.integers(-20, 20)).map(
            lambda pair: struct.pack("<d", pair[0] * 10.0 ** pair[1]))),
        (0x01, st.binary(min_size=8, max_size=8)),
        (0x13, st.binary(min_size=16, max_size=16)),
        (0x13, st.decimals(allow_nan=False, places=4, min_value=-10**20, max_value=10**20).map(
            lambda value: bson.Decimal128(value).bid)),
        (0x13, st.tuples(st.integers(0, 10**20), st.integers(-12, 4), st.booleans()).map(
            lambda found: bson.Decimal128(f"{'-' if found[2] else ''}{found[0]}E{found[1]}").bid)),
        (0x02, TEXT.map(sized)),
        (0x09, st.binary(min_size=8, max_size=8)),
        (0x11, st.binary(min_size=8, max_size=8)),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("few_together")
def test_values_of_one_type_together_have_the_texts_that_each_has_alone(kind: int, values: Any) -> None:
    @given(found=st.lists(values, min_size=20, max_size=40))
    @settings(max_examples=40, deadline=None, phases=(Phase.generate,))
    def held(found: list[bytes]) -> None:
        some = [one_field(kind, value) for value in found]
        assert converted(some).to_pylist() == by_themselves(some)

    held()


def test_documents_that_are_much_alike_are_all_read_together() -> None:
    """Else nothing would be lost but the speed."""
    some = [
        bson.encode({"_id": bson.ObjectId(), "n": n, "t": "x" * n, "l": [{"q": k, "p": 1.5} for k in range(n % 4)]})
        for n in range(200)
    ]
    ends = np.cumsum([len(data) for data in some])
    found = together.texts_of(b"".join(some), np.concatenate([[0], ends[:-1]]))
    assert not found.left.any()
    assert not found.doubt.any()
    assert found.documents.to_pylist() == [text_of(data).document for data in some]


NEEDS_BYTES = {
    "a name twice": document([(b"a", (0x10, b"\x01\0\0\0")), (b"a", (0x10, b"\x02\0\0\0"))]),
    "undefined": document([(b"a", (0x06, b""))]),
    "a symbol": document([(b"a", (0x0E, sized(b"x")))]),
    "a pointer": document([(b"a", (0x0C, sized(b"c") + bytes(12)))]),
    "a NaN with more in it": document([(b"a", (0x01, bytes.fromhex("010000000000f87f")))]),
    "a NaN of a decimal with a sign": document([(b"a", (0x13, bytes(15) + b"\xfc"))]),
    "no UTF-8": document([(b"a", (0x02, sized(b"\xff")))]),
    "half of a surrogate pair": document([(b"a", (0x02, sized(b"\xed\xa0\x80")))]),
    "an array that counts otherwise": document([(b"a", (0x04, document([(b"7", (0x0A, b""))])))]),
    "an object that looks like a key": document([(b"a", (0x03, document([(b"$oid", (0x02, sized(b"0" * 24)))])))]),
    "options in another order": document([(b"a", (0x0B, b"x\0mi\0"))]),
}
NEEDS_NONE = {
    "minus zero": document([(b"a", (0x01, struct.pack("<d", -0.0)))]),
    "NaN": document([(b"a", (0x01, struct.pack("<d", math.nan)))]),
    "a long in the year 30828": document([(b"a", (0x09, struct.pack("<q", 910_670_515_199_999)))]),
    "before the year 1": document([(b"a", (0x09, struct.pack("<q", -(2**63))))]),
    "the end of time": document([(b"a", (0x09, struct.pack("<q", 2**63 - 1)))]),
    "a text of nothing but a zero": document([(b"a", (0x02, sized(b"\x00")))]),
    "nothing": document([]),
    "names of nothing": document([(b"", (0x03, document([(b"", (0x04, array([])))])))]),
    "a reference": bson.encode({"a": bson.DBRef("c", 1, "d")}),
    "a pattern": bson.encode({"a": bson.Regex("x", "im")}),
    "code with a scope": bson.encode({"a": bson.Code("x", {"b": 1})}),
    **{f"bytes of the kind {kind}": bson.encode({"a": bson.Binary(bytes(16), kind)}) for kind in range(10)},
    **{
        f"decimal {text}": bson.encode({"a": bson.Decimal128(text)})
        for text in (
            "9.999999999999999999999999999999999E+6144",
            "-9999999999999999999999999999999999E+6111",
            "1E-6176",
            "0E-6176",
            "-0",
            "1.50",
            "1.5",
            "Infinity",
            "-Infinity",
            "NaN",
            "1234567890123456789012345678901234",
        )
    },
}


@pytest.mark.parametrize("data", NEEDS_BYTES.values(), ids=NEEDS_BYTES)
def test_the_bytes_stand_beside_what_no_text_says(data: bytes) -> None:
    row = converted([data]).to_pylist()[0]
    assert again(row["document"]) != data
    assert row["_el_raw"] == data
    assert converted([data] * 200).to_pylist() == [row] * 200


@pytest.mark.parametrize("data", NEEDS_NONE.values(), ids=NEEDS_NONE)
def test_a_text_that_says_all_has_no_bytes_beside_it(data: bytes) -> None:
    row = converted([data]).to_pylist()[0]
    assert again(row["document"]) == bytes_of(row["document"]) == data
    assert row["_el_raw"] is None
    assert converted([data] * 200).to_pylist() == [row] * 200


def test_large_deep_and_wide_documents_come_whole() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = {"a": [deep]}
    for value in ({"a": "x" * 16_000_000}, {f"f{number}": number for number in range(1_000)}, {"a": deep}):
        data = bson.encode({"_id": 1, **value})
        row = converted([data] * 2).to_pylist()[1]
        assert (again(row["document"]), row["_el_raw"]) == (data, None)


@pytest.mark.parametrize("cut", [b"", b"\x05\0\0\0", document([(b"a", (0x10, b"\x01\0\0\0"))])[:-3]])
def test_what_is_no_document_is_an_error(cut: bytes) -> None:
    with pytest.raises(ValueError, match="no BSON"):
        converted([cut])


@given(data=DOCUMENTS)
@settings(max_examples=50, deadline=None)
def test_the_text_is_the_one_that_mongodbs_tools_write(data: bytes) -> None:
    row = converted([data]).to_pylist()[0]
    if row["_el_raw"] is None:
        known = json_util.dumps(
            bson.decode(data, bson.CodecOptions(datetime_conversion=3)), json_options=json_util.CANONICAL_JSON_OPTIONS
        )
        assert json.loads(row["document"]) == json.loads(known)
        assert RawBSONDocument(data).raw == data
