"""Each violation is caught by a test whose name says what and where: in raw, in the schema tables, at the source."""

from __future__ import annotations

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


def failed(states: dict[str, str]) -> set[str]:
    return {name for name, state in states.items() if state == "fail"}


def test_each_violation_in_raw_fails_its_own_tests_and_no_other(project: Project) -> None:
    assert failed(project.dbt("test", "--select", "source:*", code=1)) == {
        "source_unique__shop_sales_customers__customer_id",
        "source_relationships__shop_sales_order_lines__product_id_products",
        "source_not_null__shop_sales_orders__ordered_at",
        "source_check__shop_sales_orders__orders_status_check",
        "raw_equals_ledger__shop_sales_payments",
        "raw_equals_ledger__shop_sales_products",
        "source_unique__shop_sales_products__product_id",
        "source_unique__shop_sales_products__sku",
    }


def test_each_violation_that_reaches_a_schema_table_fails_its_tests_there(project: Project) -> None:
    project.models()
    assert failed(project.dbt("test", "--exclude", "source:*", "test_type:unit", code=1)) == {
        "relationships__sales_order_lines__product_id_products",
        "not_null__sales_orders__ordered_at",
        "check__sales_orders__orders_status_check",
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
    states = project.dbt("test", "--select", "source:*", "--target", "source", code=1)
    assert failed(states) == {
        "source_unique__shop_sales_payments__payment_id",
        "source_relationships__shop_sales_orders__customer_id_customers",
        "source_not_null__shop_sales_customers__name",
        "source_check__shop_sales_products__products_price_check",
    }
    assert not [name for name in states if name.startswith(("raw_equals_ledger", "recent_load"))]
