"""By `el run` from DynamoDB Local into DuckDB: what lands, what the plan says, and what limits a read."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from el.config.source_limits import SourceLimits
from el.connectors.dynamodb.scan import Units
from el.errors import PlanError
from el.extraction.slicer import pace_of
from el.planning.run_notes import pressure_notes
from tests.connectors.dynamodb.conftest import Shop, Store

DIGITS = "12345678901234567890123456789012345678"


def test_items_land_whole_beside_their_key_and_promoted_fields(shop: Shop) -> None:
    shop.store.table("orders", customer="S", number="N")
    shop.store.put(
        "orders",
        {"customer": {"S": "a"}, "number": {"N": DIGITS}, "total": {"N": "12.50"}, "o": {"M": {"x.y": {"S": "deep"}}}},
        {"customer": {"S": "b"}, "number": {"N": "2"}, "total": {"S": "a dozen"}},
    )
    shop.take(
        """orders, partitions: 3, promote: {total: {path: total, type: "decimal(9,2)"}, """
        """xy: {path: 'o."x.y"', type: varchar}}"""
    )
    taken = shop.run()["orders"]
    assert (taken["status"], taken["rows"]) == ("loaded", 2), taken
    assert sorted(shop.raw("SELECT customer, number, total, xy FROM raw.orders")) == [
        ("a", DIGITS, Decimal("12.50"), "deep"),
        ("b", "2", None, None),
    ]
    assert shop.raw("SELECT misfits FROM raw._el_ledger") == [('{"total": 1}',)]
    documents = dict(shop.raw("SELECT customer, CAST(document AS VARCHAR) FROM raw.orders"))
    assert json.loads(documents["b"])["total"] == {"S": "a dozen"}
    assert shop.run()["orders"]["status"] == "unchanged"


def test_what_was_deleted_is_not_in_the_next_snapshot(shop: Shop) -> None:
    shop.store.table("orders", id="N")
    shop.store.put("orders", *({"id": {"N": str(number)}} for number in range(5)))
    shop.take("orders")
    shop.run()
    shop.store.client.delete_item(TableName="orders", Key={"id": {"N": "3"}})
    assert shop.run()["orders"]["rows"] == 4


def test_the_plan_says_what_a_scan_sees_and_proposes_fields(shop: Shop) -> None:
    shop.store.table("orders")
    shop.store.put("orders", {"id": {"S": "1"}, "total": {"N": "12.5"}})
    shop.take("orders")
    said = shop.el("plan", "--why")
    assert "an item that is written meanwhile comes as it was before or after" in said
    assert "total: decimal 1 of 1 documents -> promote" in said


def test_a_cursor_is_refused_in_one_line(shop: Shop) -> None:
    shop.store.table("orders", id="N")
    shop.take("orders, strategy: cursor, cursor: id")
    assert shop.run()["orders"]["error"] == (
        "dynamodb.orders: strategy cursor: this database cannot say a column's greatest value: `strategy: full` reads "
        "all, and `changes` what a log keeps, where there is one"
    )


def test_a_read_waits_for_the_units_that_the_service_counted(store: Store) -> None:
    """20 items of 4 KB cost 20 units by consistent reads."""
    store.table("orders")
    store.put("orders", *({"id": {"S": str(number)}, "v": {"S": "x" * 4_000}} for number in range(20)))
    begun = time.monotonic()
    assert len(store.read("orders", units_per_second=20)) == 20
    assert time.monotonic() - begun >= 0.9


def test_a_condition_that_the_service_cannot_have_is_refused_in_the_plan(shop: Shop) -> None:
    shop.store.table("orders", id="N")
    shop.take("orders, filters: [{column: id, op: '>', value: 3}]")
    shop.el("plan")
    assert shop.code != 0


def test_grants_and_check_speak_of_the_tables_that_are_taken(shop: Shop) -> None:
    shop.store.table("orders")
    shop.take("orders")
    said = shop.el("grants", "--role", "owner", "--for", "source")
    assert '"dynamodb:Scan"' in said
    assert ":table/orders" in said
    said = shop.el("check")
    assert "may read 1 tables" in said
    assert "orders: NEW_AND_OLD_IMAGES" in said


def test_read_units_are_shared_by_the_reads_at_work_and_of_sources_that_count_them() -> None:
    limits = SourceLimits(read_units=200)
    job: Any = SimpleNamespace(config=SimpleNamespace(source_limits=limits))
    assert pace_of(job, 4).units_per_second == 50
    other: Any = SimpleNamespace(scheme="elsewhere")
    with pytest.raises(PlanError, match="elsewhere does not count what a read costs"):
        pressure_notes(job, other, SimpleNamespace(tables=()))  # type: ignore[arg-type]


def test_a_scan_costs_no_more_units_a_second_than_it_may() -> None:
    """Pages of 8 units each, of which 10 a second are free."""
    now, waits = [100.0], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    units = Units(10, clock=lambda: now[0], sleep=sleep)
    assert units.page() == 50
    units.spent(8, 16)
    # What an item costs is known now: 0.5 units.
    assert units.page() == 20
    for _ in range(4):
        units.spent(8, 16)
        now[0] += 0.1
    assert units.used / (now[0] - 100) == pytest.approx(10, rel=0.05)
    assert len(waits) == 5
    assert Units(None).page() is None
