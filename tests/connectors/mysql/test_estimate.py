"""Parts of a table of MySQL: by what the server estimates of ranges of an index, of which it reads no row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from el.connectors.catalog import TableName
from el.connectors.mysql.estimate import steps_between
from el.connectors.request import ReadRequest
from el.connectors.sql.scale import Scale
from el.connectors.sql.split import balanced_cuts
from el.types.rule import TypeFacts, TypeKind
from tests.connectors.mysql.conftest import MySqlShop

KEYS = {
    "BIGINT": "{n}",
    "BIGINT UNSIGNED": "18446744073700000000 + {n}",
    "DECIMAL(30,4)": "{n} / 100",
    "DATE": "DATE '2000-01-01' + INTERVAL {n} DAY",
    "DATETIME(6)": "TIMESTAMP '2000-01-01 00:00:00' + INTERVAL {n} SECOND",
    "TIMESTAMP(3)": "TIMESTAMP '2000-01-01 00:00:00' + INTERVAL {n} SECOND",
}


def sizes(shop: MySqlShop, key: str, wanted: int = 5) -> list[int]:
    table = shop.server.describe([shop.schema]).table(TableName(shop.schema, "t"))
    assert table is not None
    request, column = ReadRequest(table=table.name), table.column(key)
    parts = shop.server.splits(request, wanted, column)
    return [shop.server.read_buffer(replace(request, split=part)).to_arrow().num_rows for part in parts]


@pytest.mark.parametrize("declared", KEYS)
def test_parts_have_each_row_once_and_are_of_like_size_though_most_lie_close_together(
    shop: MySqlShop, declared: str
) -> None:
    """Nine of ten rows lie in one hundredth of the range."""
    made = KEYS[declared]
    shop.sql(
        f"CREATE TABLE {{schema}}.t (k {declared} NOT NULL PRIMARY KEY, filler CHAR(100) NOT NULL DEFAULT 'x')",
        f"INSERT INTO {{schema}}.t (k) SELECT {made.format(n='(500000 + seq)')} FROM {{schema}}.seq_1_to_9000",
        f"INSERT INTO {{schema}}.t (k) SELECT {made.format(n='(seq * 1000)')} FROM {{schema}}.seq_1_to_500",
        f"INSERT INTO {{schema}}.t (k) SELECT {made.format(n='(520000 + seq * 1000)')} FROM {{schema}}.seq_1_to_500",
        "ANALYZE TABLE {schema}.t",
    )
    found = sizes(shop, "k")
    assert (len(found), sum(found)) == (5, 10_000)
    assert all(1_000 < size < 4_000 for size in found), found


def test_a_column_of_no_index_has_ranges_of_equal_width_and_is_not_asked_for_again_and_again(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (k INT NOT NULL PRIMARY KEY, v INT)",
        "INSERT INTO {schema}.t SELECT seq, seq FROM {schema}.seq_1_to_100",
        "INSERT INTO {schema}.t VALUES (101, NULL)",
    )
    assert sizes(shop, "v", 4) == [26, 25, 25, 25]


def test_a_text_has_no_parts_where_nothing_is_known_of_it(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (k VARCHAR(9) NOT NULL PRIMARY KEY)",
        "INSERT INTO {schema}.t SELECT seq FROM {schema}.seq_1_to_100",
    )
    assert sizes(shop, "k", 4) == []


WHOLE = Scale(TypeKind.WHOLE)


def test_a_value_far_from_all_others_costs_some_questions_and_no_balance() -> None:
    asked = []
    values = [*range(4_000), 10**18]

    def estimate(low: str, high: str) -> float:
        asked.append(low)
        return sum(1 for value in values if int(low) <= value < int(high))

    steps = steps_between(WHOLE, "0", str(10**18), 4, estimate)
    cuts = [int(cut) for cut in balanced_cuts(steps, 4, WHOLE)]
    assert [round(cut, -2) for cut in cuts] == [1_000, 2_000, 3_000]
    assert len(asked) < 160


def test_what_an_estimate_does_not_tell_ends_the_questions() -> None:
    asked = []

    def constant(low: str, high: str) -> float:
        """As of a server whose estimate has no bottom."""
        asked.append(low)
        return 1000.0

    assert steps_between(WHOLE, "0", str(10**12), 2, constant)
    assert len(asked) < 200
    assert steps_between(WHOLE, "0", "9", 2, lambda low, high: None) == []
    assert steps_between(Scale(TypeKind.DATE), "0000-00-00", "2024-01-01", 2, constant) == []
    assert Scale.of(TypeFacts(TypeKind.WHOLE, None)) == WHOLE
