"""With el_tests at changed a build tests what has something new, and what failed before; nothing else costs a query."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.dbt.project import Project

HOURLY = ("build", "--exclude-resource-type", "unit_test", "--vars", "{el_tests: changed}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("built") / "project")
    project.load()
    project.dbt(*HOURLY)
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    return built.copied(tmp_path)


def asked(project: Project) -> dict[str, str]:
    """The tests of the last build that asked the warehouse, with what came of them."""
    results = json.loads((project.path / "target" / "run_results.json").read_text())["results"]
    return {
        result["unique_id"].split(".")[2]: result["status"]
        for result in results
        if result["unique_id"].startswith("test.") and result["adapter_response"].get("code") != "SKIP"
    }


def test_a_build_tests_what_has_something_new_and_leaves_out_the_rest(project: Project) -> None:
    assert len(asked(project)) == 24
    project.dbt(*HOURLY)
    assert asked(project) == {"el_recent_run__shop_sales": "pass"}
    with duckdb.connect(str(project.path / "local" / "shop.duckdb")) as shop:
        shop.execute("UPDATE sales.payments SET updated_at = updated_at + INTERVAL 9 YEAR WHERE payment_id = 1")
    project.el("run", "--progress", "none", "--select", "payments")
    project.dbt(*HOURLY)
    assert asked(project).keys() == {
        "el_raw_equals_ledger__shop_sales",
        "el_recent_run__shop_sales",
        "relationships__sales_payments__order_id_orders",
        "el_row_rules__el_loads_taken",
        "el_row_rules__sales_payments",
        "el_source_row_rules__shop_sales_payments",
        "unique__sales_payments__payment_id",
    }
    project.dbt("build", "--exclude-resource-type", "unit_test")
    assert len(asked(project)) == 24


def test_a_test_that_failed_fails_again_until_it_passes_though_nothing_is_new(project: Project) -> None:
    (country,) = project.warehouse("SELECT country FROM sales.customers WHERE customer_id = 3")[0]
    project.warehouse("UPDATE sales.customers SET country = 'long' WHERE customer_id = 3")
    project.dbt("test", "--select", "el_row_rules__sales_customers", code=1)
    failed = {"el_recent_run__shop_sales": "pass", "el_row_rules__sales_customers": "fail"}
    for _ in range(2):
        project.dbt(*HOURLY, code=1)
        assert asked(project) == failed
    project.warehouse(f"UPDATE sales.customers SET country = '{country}' WHERE customer_id = 3")
    project.dbt(*HOURLY)
    assert asked(project) == dict.fromkeys(failed, "pass")
    project.dbt(*HOURLY)
    assert asked(project) == {"el_recent_run__shop_sales": "pass"}


def test_what_raw_has_twice_fails_in_each_build_and_its_model_does_not_take_it(project: Project) -> None:
    """A test of raw that fails keeps its model from being built, so that its loads stay new."""
    project.day(1)
    project.load()
    project.warehouse(
        "INSERT INTO shop_sales.products FROM shop_sales.products WHERE _dlt_load_id = "
        "(SELECT max(_dlt_load_id) FROM shop_sales.products) LIMIT 1"
    )
    for _ in range(2):
        states = project.dbt(*HOURLY, code=1)
        assert states["el_source_row_rules__shop_sales_products"] == "fail"
        assert states["products"] == "skipped"
