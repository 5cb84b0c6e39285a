"""Staging of documents, by `el run`, `el codegen` and dbt: promoted and picked fields, and what its tests say."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import snowflake.connector
import yaml

from tests.connectors.documents.conftest import Shop
from tests.dbt.project import Project, copy_project
from tests.standins.snowflake import SnowflakeStandIn

ORDERS = (
    '{"_id": 1, "order": {"total": 12.50, "day": "2024-02-29"}, "city": "Köln"}',
    '{"_id": 2, "order": {"total": "a gift"}, "city": 7}',
    '{"_id": 3, "city": ["Ulm"]}',
)
# Of its total DuckDB's functions would drop digits; el has them.
LATER = '{"_id": 4, "order": {"total": 1234567890123456.25}, "city": "Bonn"}'
TOTAL = "promote: {total: {path: order.total, type: 'decimal(18,2)'}}"
PICK = "pick: {city: {path: city, type: varchar}, day: {path: order.day, type: date}}"


def staged(shop: Shop, entry: str) -> str:
    shop.el_yml(entry)
    project = shop.folder / "dbt_project"
    project.mkdir(exist_ok=True)
    (project / "dbt_project.yml").write_text("name: shop\n")
    shop.el("codegen", "--project-dir", "dbt_project")
    assert shop.code == 0
    (view,) = project.glob("models/staging/shop/*orders.sql")
    return view.read_text()


def test_staging_picks_what_el_yml_picks_and_of_older_rows_what_it_promotes(shop: Shop) -> None:
    shop.documents(*ORDERS)
    view = staged(shop, f"shop.orders, {TOTAL}, {PICK}")
    assert "cast({{ el_document_field('document', ['city'], 'varchar', 'json') }} as varchar) as city" in view
    picked = "{{ el_document_field('document', ['order', 'total'], 'decimal(18,2)', 'json') }}"
    assert f"cast(coalesce(total, {picked}) as decimal(18, 2)) as total" in view
    (model,) = shop.folder.glob("dbt_project/models/shop/orders.sql")
    assert "    city,\n    day,\n" in model.read_text()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("pick: {a: {path: a, type: money}}", "shop.orders.a: pick: money is no type"),
        ("pick: {a: {path: a, type: json}}", "shop.orders.a: pick: a warehouse writes the numbers of a part anew"),
        ("pick: {_id: {path: a, type: bigint}}", "'_id' is a column of the table already"),
        (f"{TOTAL}, pick: {{total: {{path: a, type: bigint}}}}", "'total' is a column of the table already"),
        (
            "pick: {a: {path: a, type: bigint}}, columns: {document: {exclude: true}}",
            "fields are taken out of `document`, which is not there",
        ),
    ],
)
def test_what_cannot_be_picked_is_refused_by_name(shop: Shop, setting: str, says: str) -> None:
    shop.documents(*ORDERS)
    shop.el_yml(f"shop.orders, {setting}")
    assert says in shop.el("plan")


def built(shop: Shop, warehouse: dict[str, Any] | None = None) -> Project:
    """Two loads, of which only the second one promotes; built by dbt."""
    copy_project(shop.folder, generated=False)
    profiles = yaml.safe_load((shop.folder / "profiles.yml").read_text())
    output = warehouse or profiles["warehouse"]["outputs"]["it"]
    profiles["warehouse"] = {"target": "local", "outputs": {"local": output}}
    (shop.folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    shop.documents(*ORDERS)
    shop.el_yml("shop.orders")
    shop.el("run")
    assert shop.code == 0
    shop.documents(*ORDERS, LATER)
    shop.el_yml(f"shop.orders, {TOTAL}, {PICK}")
    shop.el("run")
    assert shop.code == 0
    shop.el("codegen", "--project-dir", "dbt_project")
    assert shop.code == 0
    return Project(shop.folder)


STATES = {
    "el_documents_are_json__shop_shop_orders": "pass",
    "el_documents_fit__shop_shop_orders": "warn",
    "el_no_misfits__shop_shop": "warn",
}


SHOWN = [
    ("1", Decimal("12.50"), "Köln", "2024-02-29"),
    ("2", None, "7", None),
    ("3", None, None, None),
    ("4", Decimal("1234567890123456.25"), "Bonn", None),
]
QUERY = "SELECT _id, total, city, CAST(day AS VARCHAR) FROM shop.orders ORDER BY _id"


def test_dbt_builds_the_fields_and_warns_of_each_value_that_does_not_fit(shop: Shop) -> None:
    project = built(shop)
    states = project.dbt("build")
    assert {name: states[name] for name in STATES} == STATES
    assert not {"fail", "error"} & set(states.values()), states
    assert shop.raw(QUERY) == SHOWN
    results = json.loads((project.path / "target" / "run_results.json").read_text())["results"]
    (said,) = (found["adapter_response"] for found in results if ".el_documents_fit" in found["unique_id"])
    assert sorted(said["broken"]) == ["fits: city (1 rows)", "fits: total (1 rows)"]


@pytest.mark.soak
def test_the_same_project_picks_the_same_fields_on_snowflake(shop: Shop) -> None:
    with SnowflakeStandIn() as server:
        states = built(shop, server.dbt_output()).dbt("build")
        assert {name: states[name] for name in STATES} == STATES
        assert not {"fail", "error"} & set(states.values()), states
        with snowflake.connector.connect(**server.connection_parameters()) as connection:
            assert connection.cursor().execute(QUERY).fetchall() == SHOWN
