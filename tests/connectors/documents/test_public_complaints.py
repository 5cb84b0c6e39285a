"""What users of other tools lost of DynamoDB's values, each with the right value here. The threads stand at each test.

What an item's JSON says is a matter of the store's form; how items are read is tested beside the connector.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from el.connectors.documents.fields import Field, Promotion
from el.connectors.documents.forms import DYNAMODB_JSON
from el.connectors.documents.propose import propose
from el.connectors.documents.text import steps_of
from el.connectors.misfits import Misfits


def promoted(item: str, **fields: tuple[str, pa.DataType]) -> tuple[dict[str, Any], dict[str, int]]:
    """The fields of one item, and of which of them a value does not fit."""
    misfits = Misfits()
    wanted = tuple(Field(name, steps_of(path), type_) for name, (path, type_) in fields.items())
    found = Promotion(wanted, misfits, DYNAMODB_JSON).of(pa.array([item]), str)
    return {name: found[name][0].as_py() for name in fields}, {each.column: each.count for each in misfits}


def test_a_long_number_keeps_its_digits() -> None:
    """boto/boto issue 873: a range key with 20 digits behind the point became a float, and its item was not found
    again; airbytehq/airbyte issue 86434: a number beyond 64 bits is no whole number."""
    item = '{"at": {"N": "1234567890123.12345678901234567890"}, "n": {"N": "99999999999999999999999999999999999999"}}'
    found, misfits = promoted(item, at=("at", pa.decimal128(38, 20)), n=("n", pa.decimal128(38, 0)))
    assert found == {"at": Decimal("1234567890123.12345678901234567890"), "n": Decimal("9" * 38)}
    assert not misfits


def test_a_number_of_another_magnitude_is_the_same_number_or_is_counted() -> None:
    """aws/aws-sdk-js-v3 issues 5363 and 6571: 1.23e100 cannot be read."""
    item = f'{{"v": {{"N": "123{"0" * 98}"}}}}'
    found, misfits = promoted(item, near=("v", pa.float64()), exact=("v", pa.decimal128(38, 0)))
    assert found == {"near": 1.23e100, "exact": None}
    assert misfits == {"exact": 1}


def test_null_within_a_map_is_null_and_hides_nothing_beside_it() -> None:
    """awslabs/aws-athena-query-federation issue 118: one such item, and no table is seen at all; artie-labs/reader pull
    request 473: it has no type."""
    item = '{"id": {"S": "foo"}, "o": {"M": {"field1": {"N": "456"}, "field2": {"NULL": true}}}}'
    found, misfits = promoted(item, one=("o.field1", pa.int64()), two=("o.field2", pa.int64()))
    assert (found, misfits) == ({"one": 456, "two": None}, {})
    assert [each.path for each in propose([item], DYNAMODB_JSON)] == ["id", "o.field1", "o.field2"]


def test_few_items_are_as_good_as_many() -> None:
    """audienceproject/spark-dynamodb issue 18: of a table with fewer than 16 items no column is seen."""
    found = propose(['{"alpha": {"S": "1177410"}}'], DYNAMODB_JSON)
    assert [(each.path, each.type) for each in found] == [("alpha", "varchar")]


def test_a_set_is_no_text_and_no_number_and_stays_what_it_is() -> None:
    """aaronshaf/dynamodb-admin pull request 517: sets came back as lists, and bytes as nothing."""
    item = '{"tags": {"SS": ["a", "b"]}, "sizes": {"NS": ["1", "2.5"]}, "blob": {"B": "AAH/"}}'
    found, misfits = promoted(
        item, tags=("tags", pa.string()), sizes=("sizes", pa.float64()), blob=("blob", pa.binary())
    )
    assert found == {"tags": None, "sizes": None, "blob": b"\x00\x01\xff"}
    assert misfits == {"tags": 1, "sizes": 1}
