"""Each violation is caught by a test whose name says what and where: in raw, in the schema tables, at the source."""

from __future__ import annotations

import json

import duckdb
import pytest

from tests.dbt.project import TABLES, Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("violations") / "project")
    project.load()
    project.warehouse(
        # a key twice, and as often in the ledger: the source had it twice
        "INSERT INTO shop_sales.customers SELECT * REPLACE (NULL AS email) FROM shop_sales.customers "
        "WHERE customer_id = 7",
        "UPDATE shop_sales._el_ledger SET row_count = row_count + 1 WHERE table_name = 'customers'",
        # an orphan
        "UPDATE shop_sales.order_lines SET product_id = 999999 WHERE order_id = 8 AND line_no = 1",
        # a NULL, and a value outside its check
        "UPDATE shop_sales.orders SET ordered_at = NULL WHERE order_id = 5",
        "UPDATE shop_sales.orders SET status = 'lost' WHERE order_id = 6",
        # a lost row, a doubled row
        "DELETE FROM shop_sales.payments WHERE payment_id = 9",
        "INSERT INTO shop_sales.products FROM shop_sales.products WHERE product_id = 3",
    )
    return project


LOGGED = ("--log-level-file", "debug")


def failed(states: dict[str, str]) -> set[str]:
    return {name for name, state in states.items() if state == "fail"}


def broken(project: Project) -> dict[str, list[str]]:
    """What the last dbt command says of each failed test, in its results; the same is printed."""
    printed = (project.path / "logs" / "dbt.log").read_text()
    found = {}
    for result in json.loads((project.path / "target" / "run_results.json").read_text())["results"]:
        if result["status"] == "fail" and "broken" in result["adapter_response"]:
            found[name := result["unique_id"].split(".")[2]] = result["adapter_response"]["broken"]
            assert f"{name}: {'; '.join(found[name])}" in printed
    return found


def test_each_violation_in_raw_fails_the_test_of_its_table_which_names_the_rule(project: Project) -> None:
    states = project.dbt(*LOGGED, "test", "--select", "source:*", code=1)
    said = broken(project)
    assert failed(states) == said.keys()
    numbers = [line.split(": load ") for line in sorted(said.pop("el_raw_equals_ledger__shop_sales"))]
    assert [table for table, _ in numbers] == ["payments", "products"]
    assert [line.split(" has ")[1] for _, line in numbers] == [
        "5999 rows, and 6000 in the ledger",
        "301 rows, and 300 in the ledger",
    ]
    assert said == {
        "el_source_row_rules__shop_sales_customers": ["unique: customer_id (1 rows)"],
        "el_source_row_rules__shop_sales_orders": [
            "not null: ordered_at (1 rows)",
            "check: orders_status_check (1 rows)",
        ],
        "el_source_row_rules__shop_sales_products": ["unique: product_id (1 rows)"],
    }


def test_failures_that_are_stored_have_the_rules_too(project: Project) -> None:
    project.dbt(*LOGGED, "test", "--select", "el_source_row_rules__shop_sales_orders", "--store-failures", code=1)
    assert broken(project) == {
        "el_source_row_rules__shop_sales_orders": [
            "not null: ordered_at (1 rows)",
            "check: orders_status_check (1 rows)",
        ]
    }
    stored = (
        'SELECT rule_name, failing_rows FROM "dbt_test__audit"."el_source_row_rules__shop_sales_orders" ORDER BY ALL'
    )
    assert project.warehouse(stored) == [("check: orders_status_check", 1), ("not null: ordered_at", 1)]


def test_each_violation_that_reaches_a_schema_table_fails_its_tests_there(project: Project) -> None:
    project.models()
    states = project.dbt(*LOGGED, "test", "--exclude", "source:*", "test_type:unit", code=1)
    assert failed(states) == {"relationships__sales_order_lines__product_id_products", "el_row_rules__sales_orders"}
    assert broken(project) == {
        "el_row_rules__sales_orders": ["not null: ordered_at (1 rows)", "check: orders_status_check (1 rows)"]
    }


def test_the_same_tests_find_at_the_source_what_is_dirty_there(project: Project) -> None:
    """The shop without its constraints, as a source whose constraints were switched off."""
    shop = project.path / "local" / "shop.duckdb"
    clean = shop.with_name("clean.duckdb")
    shop.rename(clean)
    with duckdb.connect(str(shop)) as dirty:
        dirty.execute(f"ATTACH '{clean}' AS clean (READ_ONLY)")
        dirty.execute("CREATE SCHEMA sales")
        for table in TABLES:
            dirty.execute(f"CREATE TABLE sales.{table} AS FROM clean.sales.{table}")
        dirty.execute("INSERT INTO sales.payments FROM sales.payments WHERE payment_id = 1")
        dirty.execute("UPDATE sales.orders SET customer_id = 0 WHERE order_id = 1")
        dirty.execute("UPDATE sales.customers SET name = NULL WHERE customer_id = 2")
        dirty.execute("UPDATE sales.products SET price = -1 WHERE product_id = 2")
    states = project.dbt(*LOGGED, "test", "--select", "source:*", "--target", "source", code=1)
    assert failed(states) == {
        "el_source_row_rules__shop_sales_payments",
        "el_source_relationships__shop_sales_orders__customer_id_customers",
        "el_source_row_rules__shop_sales_customers",
        "el_source_row_rules__shop_sales_products",
    }
    assert broken(project) == {
        "el_source_row_rules__shop_sales_payments": ["unique: payment_id (1 rows)"],
        "el_source_row_rules__shop_sales_customers": ["not null: name (1 rows)"],
        "el_source_row_rules__shop_sales_products": ["check: products_price_check (1 rows)"],
    }
    assert {name.split("__")[0] for name in states} == {
        "el_source_row_rules",
        "el_source_unique",
        "el_source_relationships",
    }
