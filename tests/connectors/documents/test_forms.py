"""Types that JSON has no text for, as two stores write them: MongoDB's Extended JSON, DynamoDB's JSON."""

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
from el.connectors.documents.forms import DYNAMODB_JSON, EXTENDED_JSON, Form
from el.connectors.documents.propose import propose
from el.connectors.documents.text import steps_of
from el.connectors.documents.unnest import Array
from el.connectors.misfits import Misfits

LONG = "123456789012345678901234567890123456.78"
MONEY, INSTANT = pa.decimal128(38, 2), pa.timestamp("us", "UTC")
# What stands in the place of {} as the field `b` of an object `a`.
WHOLE = {EXTENDED_JSON: '{{"a":{{"b":{}}}}}', DYNAMODB_JSON: '{{"a":{{"M":{{"b":{}}}}}}}'}


def taken(form: Form, documents: list[str], path: str, type_: pa.DataType) -> tuple[list[Any], int]:
    misfits = Misfits()
    found = Promotion((Field("f", steps_of(path), type_),), misfits, form).of(pa.array(documents, pa.string()), str)
    return found["f"].to_pylist(), sum(each.count for each in misfits)


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo("UTC"))  # type: ignore[arg-type, misc]


EXTENDED = [
    (pa.int64(), '{"$numberInt":"7"}', 7),
    (pa.int64(), '{"$numberLong":"9223372036854775807"}', 2**63 - 1),
    (pa.int64(), '{"$numberDouble":"1.0"}', 1),
    (pa.int64(), '{"$numberDouble":"1.5"}', None),
    (
        MONEY,
        '{"$numberDecimal":"123456789012345678901234567890123456.78"}',
        Decimal("123456789012345678901234567890123456.78"),
    ),
    (MONEY, '{"$numberDecimal":"1E+3"}', Decimal("1000.00")),
    (MONEY, '{"$numberDecimal":"0E-6176"}', Decimal("0.00")),
    (MONEY, '{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}', None),
    (MONEY, '{"$numberDecimal":"NaN"}', None),
    (MONEY, '{"$oid":"507f1f77bcf86cd799439011"}', None),
    (pa.float64(), '{"$numberDouble":"-0.0"}', -0.0),
    (pa.float64(), '{"$numberDouble":"Infinity"}', float("inf")),
    (pa.float64(), '{"$numberInt":"3"}', 3.0),
    (pa.string(), '"x"', "x"),
    (pa.string(), '{"$oid":"507f1f77bcf86cd799439011"}', "507f1f77bcf86cd799439011"),
    (pa.string(), '{"$numberInt":"7"}', "7"),
    (pa.string(), '{"x":1}', None),
    (pa.bool_(), "true", True),
    (pa.binary(), '{"$binary":{"base64":"AP8=","subType":"00"}}', b"\x00\xff"),
    (INSTANT, '{"$date":{"$numberLong":"0"}}', moment(1970, 1, 1)),
    (INSTANT, '{"$date":{"$numberLong":"-62135596800000"}}', moment(1, 1, 1)),
    (INSTANT, '{"$date":{"$numberLong":"253402300799999"}}', moment(9999, 12, 31, 23, 59, 59, 999000)),
    (INSTANT, '{"$date":{"$numberLong":"253402300800000"}}', None),
    (INSTANT, '{"$date":{"$numberLong":"-9223372036854775808"}}', None),
    (INSTANT, '"2024-02-29T12:00:00Z"', moment(2024, 2, 29, 12)),
    (pa.timestamp("us"), '{"$date":{"$numberLong":"0"}}', None),
    (pa.date32(), '"2024-02-29"', date(2024, 2, 29)),
    (pa.int64(), '{"x":{"$numberInt":"1"}}', None),
]
DYNAMO = [
    (pa.int64(), '{"N":"7"}', 7),
    (pa.int64(), '{"S":"7"}', 7),
    (MONEY, f'{{"N":"{LONG}"}}', Decimal(LONG)),
    (MONEY, '{"N":"1E+3"}', Decimal("1000.00")),
    (MONEY, '{"S":"a gift"}', None),
    (MONEY, '{"NULL":true}', "null"),
    (MONEY, '{"M":{}}', None),
    (pa.float64(), '{"N":"0.1"}', 0.1),
    (pa.string(), '{"S":"x"}', "x"),
    (pa.string(), '{"S":""}', ""),
    (pa.string(), '{"N":"1.5"}', "1.5"),
    (pa.string(), '{"L":[]}', None),
    (pa.bool_(), '{"BOOL":false}', False),
    (pa.bool_(), '{"S":"x"}', None),
    (pa.binary(), '{"B":"AP8="}', b"\x00\xff"),
    (INSTANT, '{"S":"2024-02-29T12:00:00Z"}', moment(2024, 2, 29, 12)),
]
CASES = [(EXTENDED_JSON, *case) for case in EXTENDED] + [(DYNAMODB_JSON, *case) for case in DYNAMO]


@pytest.mark.parametrize(("form", "type_", "token", "value"), CASES, ids=[f"{c[1]}-{c[2]}" for c in CASES])
def test_a_value_of_a_stores_own_type_fits_with_all_its_digits_or_is_counted(
    form: Form, type_: pa.DataType, token: str, value: Any
) -> None:
    document = WHOLE[form].format(token)
    lost = 1 if value is None else 0
    value = None if value == "null" else value
    found, count = taken(form, [document], "a.b", type_)
    assert (str(found), count) == (str([value]), lost)
    # Read together with others, and one by one beside what no reader takes.
    found, count = taken(form, [document, "{}", document], "a.b", type_)
    assert (str(found), count) == (str([value, None, value]), 2 * lost)
    found, count = taken(form, [document, "nonsense", "{}"], "a.b", type_)
    assert (str(found), count) == (str([value, None, None]), lost + 1)


@pytest.mark.parametrize(
    ("form", "through"),
    [
        (EXTENDED_JSON, '{"a":{"$numberInt":"1"}}'),
        (EXTENDED_JSON, '{"a":{"$date":{"$numberLong":"1"}}}'),
        (EXTENDED_JSON, '{"a":{"$oid":"507f1f77bcf86cd799439011"}}'),
        (EXTENDED_JSON, '{"a":"x"}'),
        (DYNAMODB_JSON, '{"a":{"S":"x"}}'),
        (DYNAMODB_JSON, '{"a":{"L":[]}}'),
    ],
)
def test_a_path_through_a_value_is_a_misfit_and_through_null_is_none(form: Form, through: str) -> None:
    null = '{"a":{"NULL":true}}' if form is DYNAMODB_JSON else '{"a":null}'
    fits = WHOLE[form].format('{"N":"5"}' if form is DYNAMODB_JSON else '{"$numberInt":"5"}')
    assert taken(form, [through, null, fits], "a.b", pa.int64()) == ([None, None, 5], 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.integers(-(10**15), 10**15), st.decimals(-(10**9), 10**9, places=2), st.text(max_size=3))))
def test_mixed_types_lose_none_of_their_values(values: list[Any]) -> None:

    def token(value: Any) -> str:
        if isinstance(value, int):
            return f'{{"$numberLong":"{value}"}}'
        return f'{{"$numberDecimal":"{value}"}}' if isinstance(value, Decimal) else json.dumps(value)

    documents = [WHOLE[EXTENDED_JSON].format(token(value)) for value in values]
    found, lost = taken(EXTENDED_JSON, documents, "a.b", MONEY)
    for value, read in zip(values, found, strict=True):
        if not isinstance(value, str):
            assert read == value
    assert lost == sum(1 for value, read in zip(values, found, strict=True) if read is None)


def test_many_documents_of_which_one_is_odd_keep_their_values() -> None:
    documents = [WHOLE[DYNAMODB_JSON].format(f'{{"N":"{number}.5"}}') for number in range(3000)]
    documents[1500] = WHOLE[DYNAMODB_JSON].format('{"S":"odd"}')
    found, lost = taken(DYNAMODB_JSON, documents, "a.b", MONEY)
    assert (lost, found[1500], found[2999]) == (1, None, Decimal("2999.50"))
    assert sum(value is None for value in found) == 1


def test_elements_of_an_array_are_documents_of_the_form() -> None:
    item = '{"lines":{"L":[{"M":{"qty":{"N":"1.10"}}},{"S":"x"}]},"none":{"NULL":true}}'
    assert Array(("lines",), DYNAMODB_JSON).of(item) == ['{"qty":{"N":"1.10"}}', '{"S":"x"}']
    assert Array(("none",), DYNAMODB_JSON).of(item) == []
    assert Array(("lines",), EXTENDED_JSON).of('{"lines":[{"qty":{"$numberInt":"1"}}]}') == [
        '{"qty":{"$numberInt":"1"}}'
    ]


def test_what_is_proposed_is_what_the_values_mean() -> None:
    extended = '{"n":{"$numberLong":"5"},"d":{"$numberDecimal":"1.25"},"at":{"$date":{"$numberLong":"0"}},"s":"x"}'
    item = '{"n":{"N":"5"},"d":{"N":"1.25"},"o":{"M":{"s":{"S":"x"}}},"b":{"BOOL":true},"l":{"L":[]}}'
    assert {each.path: each.type for each in propose([extended], EXTENDED_JSON)} == {
        "n": "bigint",
        "d": "decimal(18,2)",
        "at": "timestamptz",
        "s": "varchar",
    }
    assert {each.path: each.type for each in propose([item], DYNAMODB_JSON)} == {
        "n": "bigint",
        "d": "decimal(18,2)",
        "o.s": "varchar",
        "b": "boolean",
        "l": None,
    }


def test_ids_as_text_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Promotion, "_one_by_one", lambda *_: pytest.fail("looked at one by one"))
    documents = [f'{{"a": {{"b": {{"$oid": "{number:024x}"}}}}}}' for number in range(3_000)]
    found, count = taken(EXTENDED_JSON, documents, "a.b", pa.string())
    assert (found, count) == ([f"{number:024x}" for number in range(3_000)], 0)
