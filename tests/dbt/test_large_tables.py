"""Tests of the rows of a large schema table look at what came lately; those of keys at all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dbt.project import Project

# Every table is a large one, and each load's own.
LARGE = ("--vars", "{el_tested_rows: 10, el_tested_days: 1}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("built") / "project")
    project.load()
    project.models()
    project.day(1)
    project.load()
    # The first load is of a month before.
    project.warehouse(
        "UPDATE shop_sales._el_ledger SET finished_at = finished_at - INTERVAL 30 DAY WHERE _dlt_load_id = "
        "(SELECT min(_dlt_load_id) FROM shop_sales._el_ledger)"
    )
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    return built.copied(tmp_path)


def orders(project: Project, which: str) -> None:
    """Break a rule, and a reference, in the row of a load that came first or last."""
    project.warehouse(
        "UPDATE sales.orders SET status = 'nonsense', customer_id = -1 WHERE order_id = (SELECT min(order_id) FROM "
        f"sales.orders WHERE _dlt_load_id = (SELECT {which}(_dlt_load_id) FROM sales.orders))"
    )


OF_ROWS = {"el_row_rules__sales_orders", "relationships__sales_orders__customer_id_customers"}


def failed(project: Project, *arguments: str, code: int = 1) -> set[str]:
    states = project.dbt("test", "--select", "orders", "--exclude-resource-type", "unit_test", *arguments, code=code)
    return {name for name, state in states.items() if state == "fail"}


def test_of_a_large_table_what_came_long_ago_is_not_tested_again(project: Project) -> None:
    project.models()
    orders(project, "min")
    assert failed(project, *LARGE, code=0) == set()
    # A smaller one is tested as a whole, and so is each of them where that is asked for.
    assert failed(project) == OF_ROWS
    assert failed(project, "--vars", "{el_tested_rows: 0, el_tested_days: 1}") == OF_ROWS


def test_of_a_large_table_what_came_lately_is_tested(project: Project) -> None:
    project.models()
    orders(project, "max")
    assert failed(project, *LARGE) == OF_ROWS


def test_what_a_build_takes_is_tested_however_long_ago_it_was_loaded(project: Project) -> None:
    """A build that comes late: the load that it takes is older than the days that tests look back."""
    project.warehouse(
        "UPDATE shop_sales.orders SET status = 'nonsense' WHERE order_id = (SELECT min(order_id) FROM "
        "shop_sales.orders WHERE _dlt_load_id = (SELECT min(_dlt_load_id) FROM shop_sales.orders))"
    )
    states = project.dbt(
        "build", "--select", "orders", "--full-refresh", *LARGE, "--exclude-resource-type", "unit_test", code=1
    )
    assert states["el_row_rules__sales_orders"] == "fail"


def test_a_key_is_tested_against_all_rows(project: Project) -> None:
    project.models()
    project.warehouse(
        "INSERT INTO sales.orders SELECT * REPLACE ('0' AS _dlt_load_id) FROM sales.orders ORDER BY order_id LIMIT 1"
    )
    assert "unique__sales_orders__order_id" in failed(project, *LARGE)


def test_a_test_that_failed_fails_until_its_rows_are_mended(project: Project) -> None:
    project.models()
    orders(project, "min")
    assert failed(project) == OF_ROWS
    assert failed(project, *LARGE) == OF_ROWS
    project.warehouse(
        "UPDATE sales.orders SET status = 'open', customer_id = (SELECT min(customer_id) FROM sales.customers) "
        "WHERE status = 'nonsense'"
    )
    assert failed(project, *LARGE, code=0) == set()
