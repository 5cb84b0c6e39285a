"""Documents by `el run` into DuckDB: what lands of them, what el.yml makes of them, and what does not fit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.connectors.documents.conftest import Shop

MIXED = (
    '{"_id": 1, "order": {"total": 1234567890123456.78, "day": "2024-02-29"}, "lines": [{"qty": 1.10}, {"qty": 2}]}',
    '{"_id": "1", "order": {"total": "12.5"}, "lines": []}',
    '{"_id": 2, "order": {"total": "a gift"}, "lines": null}',
    '{"_id": 3, "order": {"total": 1.234}}',
    '{"_id": 4, "order": null, "a": 1, "a": 2}',
)
PROMOTE = "promote: {total: {path: order.total, type: 'decimal(18,2)'}, day: {path: order.day, type: date}}"


def test_the_whole_document_lands_as_it_stands_with_a_key_that_keeps_its_type(shop: Shop) -> None:
    shop.documents(*MIXED)
    shop.el_yml("shop.orders")
    assert shop.run()["orders"]["status"] == "loaded"
    assert sorted(shop.raw("SELECT _id, document FROM raw.orders")) == sorted(
        zip(("1", '"1"', "2", "3", "4"), MIXED, strict=True)
    )
    assert shop.raw("SELECT DISTINCT typeof(document) FROM raw.orders") == [("JSON",)]
    assert shop.run()["orders"]["status"] == "unchanged"


def test_promoted_fields_have_all_digits_and_a_misfit_is_null_counted_and_told(shop: Shop) -> None:
    shop.documents(*MIXED)
    shop.el_yml(f"shop.orders, {PROMOTE}")
    taken = shop.run()["orders"]
    found = {row[0]: row[1:] for row in shop.raw("SELECT _id, total, CAST(day AS VARCHAR) FROM raw.orders")}
    assert found == {
        "1": (Decimal("1234567890123456.78"), "2024-02-29"),
        '"1"': (Decimal("12.50"), None),
        "2": (None, None),
        "3": (None, None),
        "4": (None, None),
    }
    (said,) = (note for note in taken["notes"] if "fit" in note)
    assert said.startswith("total: 2 values do not fit and are NULL there, the first in _id '2'"), said
    assert shop.raw("SELECT misfits FROM raw._el_ledger") == [('{"total": 2}',)]
    assert "a gift" not in said


def test_a_misfit_stops_its_table_where_el_yml_says_so_and_no_other(shop: Shop) -> None:
    shop.documents(*MIXED)
    shop.documents('{"_id": 1}', name="others")
    shop.el_yml(f"shop.orders, misfits: stop, {PROMOTE}", "shop.others")
    taken = shop.run()
    assert (shop.code, taken["others"]["status"], taken["orders"]["status"]) == (1, "loaded", "failed")
    assert "shop.orders.total: _id '2': a text where" in taken["orders"]["error"]


def test_elements_of_an_array_land_in_a_table_of_their_own_with_their_documents_key(shop: Shop) -> None:
    shop.documents(*MIXED)
    shop.el_yml("shop.orders, unnest: lines", "shop.orders_lines, promote: {qty: {path: qty, type: 'decimal(9,3)'}}")
    assert {table["status"] for table in shop.run().values()} == {"loaded"}
    assert sorted(shop.raw("SELECT _id, index, document, qty FROM raw.orders_lines")) == [
        ("1", 0, '{"qty": 1.10}', Decimal("1.100")),
        ("1", 1, '{"qty": 2}', Decimal("2.000")),
    ]
    shop.documents('{"_id": 1, "lines": [{"qty": 3}]}')
    taken = shop.run()["orders_lines"]
    assert (taken["kind"], taken["rows"]) == ("snapshot", 1), "elements that are gone would stay after a delta"


def test_a_promotion_that_is_new_or_has_another_type_reads_nothing_again(shop: Shop) -> None:
    shop.documents(*MIXED)
    shop.el_yml("shop.orders, promote: {total: {path: order.total, type: 'decimal(18,2)'}}")
    shop.run()
    shop.documents(*MIXED, '{"_id": 5, "order": {"total": 1, "day": "2024-03-01"}}')
    shop.el_yml(f"shop.orders, {PROMOTE}")
    assert not any("new snapshot begins" in note for note in shop.run()["orders"]["notes"])
    shop.el_yml("shop.orders, promote: {total: {path: order.total, type: date}}")
    taken = shop.run()["orders"]
    assert taken["status"] == "failed"
    assert "total changed from decimal(18,2) to date" in taken["error"]


def test_plan_proposes_what_a_sample_has_and_takes_none_of_it(shop: Shop) -> None:
    shop.documents(*MIXED)
    shop.el_yml("shop.orders")
    said = shop.el("plan", "--why")
    assert "order.total: decimal 2, text 2 of 5 documents -> promote: {order_total: {path: order.total" in said
    assert "lines: array 2, null 1 of 5 documents -> unnest: lines" in said
    shop.run()
    names = shop.raw("SELECT column_name FROM information_schema.columns WHERE table_name = 'orders'")
    assert {name for (name,) in names if not name.startswith(("_dlt", "_el"))} == {"_id", "document"}


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("promote: {total: {path: order.total, type: money}}", "shop.orders.total: promote: money is no type"),
        ("promote: {total: {path: order.total, type: decimal}}", "needs its digits, 38 at most"),
        ("promote: {total: {path: order..total, type: bigint}}", "is no path such as order.total"),
        ("promote: {document: {path: a, type: bigint}}", "'document' is a column of the table already"),
        ("unnest: others", "shop.orders_others is a table already"),
        ("unnest: lines}\n  - {name: shop.orders_lines, cursor: index", "elements are read as whole snapshots alone"),
        (
            "promote: {total: {path: a, type: bigint}}, columns: {total: {pii: money}}",
            "stands in `document` in the clear",
        ),
        ("filters: [{column: _id, op: '=', value: '1'}]", "cannot filter"),
    ],
)
def test_what_cannot_be_promoted_is_refused_by_name(shop: Shop, setting: str, says: str) -> None:
    shop.documents('{"_id": 1}')
    shop.documents('{"_id": 1}', name="orders_others")
    shop.el_yml(f"shop.orders, {setting}")
    assert says in shop.el("plan")
    shop.el_yml(f"shop.orders, {setting}", "shop.orders_others")
    shop.el("run")
    assert shop.code in (1, 2)


def test_staging_makes_a_document_of_the_text_and_has_the_promoted_fields(shop: Shop) -> None:
    shop.documents(*MIXED)
    shop.el_yml(f"shop.orders, {PROMOTE}")
    (shop.folder / "dbt_project").mkdir()
    (shop.folder / "dbt_project" / "dbt_project.yml").write_text("name: shop\n")
    shop.el("codegen", "--project-dir", "dbt_project")
    (view,) = shop.folder.glob("dbt_project/models/staging/shop/*orders.sql")
    assert "{{ el_document('document') }} as document" in view.read_text()
    assert "cast(coalesce(total, {{ el_document_field(" in view.read_text()
