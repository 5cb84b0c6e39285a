"""Promoted fields, value by value: all digits or none, whichever way a document is read."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.connectors.documents.fields import Field, Promotion
from el.connectors.documents.propose import propose
from el.connectors.documents.text import Misplaced, elements, located, of_bytes, steps_of
from el.connectors.misfits import Misfits

MONEY = pa.decimal128(18, 2)
INSTANT = pa.timestamp("us", "UTC")


def taken(documents: list[str], *fields: tuple[str, pa.DataType]) -> tuple[list[list[Any]], dict[str, int]]:
    misfits = Misfits()
    wanted = tuple(Field(str(number), steps_of(path), type_) for number, (path, type_) in enumerate(fields))
    found = Promotion(wanted, misfits).of(pa.array(documents, pa.string()), str)
    return [found[str(n)].to_pylist() for n in range(len(fields))], {each.column: each.count for each in misfits}


@pytest.mark.parametrize(
    ("type_", "token", "value"),
    [
        (MONEY, "1234567890123456.78", Decimal("1234567890123456.78")),
        (MONEY, "1.500", Decimal("1.50")),
        (MONEY, "1e2", Decimal("100.00")),
        (MONEY, '"12.5"', Decimal("12.50")),
        (MONEY, "1.234", None),
        (MONEY, "1e16", None),
        (MONEY, "4.17e-215", None),
        (MONEY, "1e999999999", None),
        (MONEY, "NaN", None),
        (MONEY, "true", None),
        (pa.decimal128(38, 0), "9" * 38, Decimal("9" * 38)),
        (pa.decimal128(38, 0), "9" * 39, None),
        (pa.decimal128(38, 0), "9" * 5000, None),
        (pa.int64(), "9223372036854775807", 2**63 - 1),
        (pa.int64(), "-9223372036854775808", -(2**63)),
        (pa.int64(), "9223372036854775808", None),
        (pa.int64(), "1.0", 1),
        (pa.int64(), "1.5", None),
        (pa.float64(), "5e-324", 5e-324),
        (pa.float64(), "-0.0", -0.0),
        (pa.float64(), "1e400", None),
        (pa.bool_(), "true", True),
        (pa.bool_(), "1", None),
        (pa.string(), '"\\ud83d\\ude00"', "😀"),
        (pa.string(), '"\\ud83d"', None),
        (pa.string(), '""', ""),
        (pa.string(), "1.10", "1.10"),
        (pa.string(), '{"a": 1}', None),
        (pa.binary(), of_bytes(b"\x00\xff"), b"\x00\xff"),
        (pa.binary(), '"a"', b"a"),
        (pa.date32(), '"2024-02-29"', date(2024, 2, 29)),
        (pa.date32(), '"2023-02-29"', None),
        (pa.date32(), "20240229", None),
        (pa.timestamp("us"), '"0001-01-01T00:00:00"', datetime(1, 1, 1)),
        (pa.timestamp("us"), '"2024-02-29T12:00:00Z"', None),
        (pa.timestamp("us"), '"2024-02-29T12:00:00.1234567"', None),
        (INSTANT, '"2024-02-29T12:00:00.5+02:00"', datetime(2024, 2, 29, 10, 0, 0, 500000, tzinfo=ZoneInfo("UTC"))),
        (INSTANT, '"2024-02-29T12:00:00"', None),
    ],
)
def test_a_value_fits_with_all_its_digits_or_is_counted(type_: pa.DataType, token: str, value: Any) -> None:
    document = f'{{"a": {{"b": {token}}}}}'
    found, misfits = taken([document], ("a.b", type_))
    assert (repr(found[0]), misfits) == (repr([value]), {} if value is not None else {"0": 1})
    # Beside documents that are read otherwise.
    others = ['{"a": {"b": {}}}', '{"a": 1}', '{"a": {"b": 1, "b": 2}}', "nonsense", '{"a": null}', "{}"]
    found, misfits = taken([document, *others], ("a.b", type_))
    assert (repr(found[0]), misfits) == (repr([value, *[None] * 6]), {"0": 4 + (value is None)})


def test_one_odd_document_among_many_costs_no_other_one_its_value() -> None:
    documents = [f'{{"a": {number}.25, "b": "x{number}"}}' for number in range(70_000)]
    documents[66_000] = '{"a": "none", "b": 7}'
    (numbers, texts), misfits = taken(documents, ("a", MONEY), ("b", pa.string()))
    assert misfits == {"0": 1}
    assert numbers[66_000] is None
    assert (texts[66_000], texts[69_999]) == ("7", "x69999")
    assert sum(value is None for value in numbers) == 1
    assert numbers[69_999] == Decimal("69999.25")


def test_a_field_and_what_lies_inside_it_are_both_taken() -> None:
    documents = ['{"a": {"b": {"c": 1}}}', '{"a": {"b": "x"}}']
    found, misfits = taken(documents, ("a.b.c", pa.int64()), ("a.b", pa.string()), ("a.b", pa.int64()))
    assert found == [[1, None], [None, "x"], [None, None]]
    assert misfits == {"0": 1, "1": 1, "2": 2}


DIGITS = st.decimals(min_value=-(10**15), max_value=10**15, places=2)
OTHERS = st.one_of(st.none(), st.booleans(), st.text(max_size=3), st.lists(st.integers(), max_size=2))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(DIGITS, OTHERS), max_size=40))
def test_what_is_taken_of_mixed_documents_is_what_stands_there(values: list[Any]) -> None:
    documents = [f'{{"a": {value if isinstance(value, Decimal) else json.dumps(value)}}}' for value in values]
    (numbers,), misfits = taken(documents, ("a", MONEY))
    for value, found in zip(values, numbers, strict=True):
        # A number in a text is that number.
        assert found == value if isinstance(value, Decimal) else found is None or found == Decimal(str(value))
    lost = sum(1 for value, found in zip(values, numbers, strict=True) if value is not None and found is None)
    assert sum(misfits.values()) == lost


TYPES = st.sampled_from([MONEY, pa.int64(), pa.float64(), pa.date32(), pa.timestamp("us"), INSTANT, pa.string()])
LIKE_NUMBERS = st.text("0123456789+-.eE_ ", max_size=6)
LIKE_TIMES = st.from_regex(r"[0-2]0[0-9]{2}-[01][0-9]-[0-3][0-9]([T ]2?[0-9]:[0-6][0-9](:[0-9]{2})?(Z|\+0[0-9]:?00)?)?")


@settings(max_examples=300, deadline=None)
@given(TYPES, st.one_of(LIKE_NUMBERS, LIKE_TIMES, st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_value_is_the_same_whichever_way_it_is_read(type_: pa.DataType, value: Any) -> None:
    """Arrow's reader, where it takes the documents, and value by value beside one that it does not take."""
    document = json.dumps({"a": value})
    (alone,), _ = taken([document], ("a", type_))
    (beside,), _ = taken([document, "nonsense"], ("a", type_))
    assert repr(alone) == repr(beside[:1])


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_two_byte_strings_have_one_text_only_if_they_are_one(left: bytes, right: bytes) -> None:
    assert (of_bytes(left) == of_bytes(right)) == (left == right)
    json.loads(of_bytes(left))


def test_elements_and_parts_are_the_very_characters_that_stand_there() -> None:
    text = ' { "a" : [ 1.10 , {"x" : 12345678901234567890123.5} , "]" , null ] , "b.c" : 2 } '
    assert list(elements(str(located(text, ("a",))))) == ["1.10", '{"x" : 12345678901234567890123.5}', '"]"', "null"]
    assert located(text, steps_of('"b.c"')) == "2"
    assert list(elements("[]")) == []
    with pytest.raises(Misplaced):
        list(elements("[1, 2"))


def test_a_document_that_is_nested_a_hundred_times_is_read_and_one_without_end_is_a_misfit() -> None:
    deep = '{"a": {"b": 1}, "z": ' + "[" * 100 + "]" * 100 + "}"
    found, misfits = taken([deep], ("a.b", pa.int64()))
    assert (found, misfits) == ([[1]], {})
    endless = '{"a": ' + '{"b": ' * 100_000
    found, misfits = taken([endless], ("a.b", pa.int64()))
    assert (found, misfits) == ([[None]], {"0": 1})


def test_what_is_proposed_holds_every_value_of_the_sample() -> None:
    sample = ('{"n": 1, "t": "x", "d": 1.25, "day": "2024-02-29"}', '{"n": 12, "t": 5, "d": 100, "tags": [1]}')
    proposed = {each.path: each.type for each in propose(sample)}
    assert proposed == {"n": "bigint", "t": "varchar", "d": "decimal(18,2)", "day": "date", "tags": None}


@pytest.mark.parametrize(
    ("type_", "token", "why"),
    [
        (pa.float64(), "1.7976931348623159e308", "too large"),
        (MONEY, "10000000000000000", "does not hold"),
        (MONEY, "-20000000000000000.00", "does not hold"),
        (pa.decimal128(38, 0), "1" + "0" * 38, "does not hold"),
        (pa.date32(), '"0000-01-01"', "no date32"),
        (pa.timestamp("us"), '"0000-01-01T00:00:00"', "no timestamp"),
        (INSTANT, '"9999-12-31T23:59:59-02:00"', "no timestamp"),
        (INSTANT, '"0001-01-01T00:00:00+02:00"', "no timestamp"),
        (pa.binary(), '{"$binary": {"base64": "!!!!", "subType": "00"}}', "no base64"),
        (pa.binary(), '{"$binary": {"base64": "A", "subType": "00"}}', "no base64"),
    ],
)
def test_what_the_reader_would_take_otherwise_than_it_stands_there_is_a_misfit(
    type_: pa.DataType, token: str, why: str
) -> None:
    misfits = Misfits()
    documents = pa.array([f'{{"a": {token}}}'] * 3)
    found = Promotion((Field("a", ("a",), type_),), misfits).of(documents, str)
    assert found["a"].null_count == 3
    assert [(each.count, why in each.why) for each in misfits] == [(3, True)]


@pytest.mark.parametrize("documents", [["null"], ["null", '{"a": {"b": 1}}'], ['{"a": {"b": 1}}', "[]", " null"]])
def test_a_document_that_is_no_object_does_not_end_the_process(documents: list[str]) -> None:
    """Arrow's reader of JSON reads beyond its memory where a row of a nested schema is null."""
    (found,), counts = taken(documents, ("a.b", pa.int64()))
    assert found == [1 if "{" in each else None for each in documents]
    assert counts == ({"0": 1} if "[]" in documents else {})


def test_two_documents_in_one_text_and_none_in_the_next_are_not_taken_for_one_each() -> None:
    (found,), counts = taken(['{"a":1}{"a":2}', ""], ("a", pa.int64()))
    assert (found, counts) == ([1, None], {"0": 1})


def test_bytes_are_a_value_through_which_no_path_leads() -> None:
    (found,), counts = taken(['{"a": {"$binary": {"base64": "", "subType": "00"}}}'], ("a.b", pa.int64()))
    assert (found, counts) == ([None], {"0": 1})


def test_a_field_of_two_types_leaves_the_others_to_the_fast_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    one_by_one = Promotion._one_by_one

    def noted(self: Promotion, documents: pa.Array, field: Field, key_of: Any) -> pa.Array:
        looked.append(field.column)
        return one_by_one(self, documents, field, key_of)

    monkeypatch.setattr(Promotion, "_one_by_one", noted)
    documents = [f'{{"a": {number}, "b": {"true" if number % 2 else number}}}' for number in range(200)]
    (whole, mixed), counts = taken(documents, ("a", pa.int64()), ("b", pa.int64()))
    assert whole == list(range(200))
    assert counts == {"1": 100}
    assert [value for value in mixed if value is not None] == list(range(0, 200, 2))
    assert set(looked) == {"1"}
