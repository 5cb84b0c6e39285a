"""The dbt project on what el landed: the schema tables are the source's, however the loads came."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.dbt.project import Project


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One load, built with all its tests."""
    project = Project.create(tmp_path_factory.mktemp("landed") / "project")
    project.load()
    project.dbt("build")
    return project


@pytest.fixture(scope="module")
def grown(landed: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A second load after a day of business, built over the first, and a third that is landed and not built."""
    project = landed.copied(tmp_path_factory.mktemp("grown"))
    project.day(1)
    project.load()
    project.dbt("build")
    project.day(2)
    project.load()
    return project


@pytest.fixture
def project(grown: Project, tmp_path: Path) -> Project:
    return grown.copied(tmp_path)


def test_the_first_build_gives_the_source_to_the_last_value(landed: Project) -> None:
    assert landed.shown() == landed.source()
    assert len(landed.built()["orders_log"]) == 8000


def test_each_further_build_gives_the_source_and_a_repeated_one_changes_nothing(project: Project) -> None:
    assert project.shown() != project.source()
    states = project.dbt("build")
    assert set(states.values()) == {"success", "pass"}
    assert project.shown() == project.source()
    before = project.built()
    project.dbt("build")
    assert project.built() == before


def test_a_full_refresh_gives_the_same_rows_as_the_increments(project: Project) -> None:
    project.models()
    before = project.built()
    project.models("--full-refresh")
    assert project.built() == before
    project.models()
    assert project.built() == before


def test_a_late_load_gives_what_a_full_refresh_gives(project: Project) -> None:
    """The second load becomes complete only after the third was taken."""
    second = project.loads("orders")[1]
    project.warehouse(f"UPDATE shop_sales._dlt_loads SET status = 1 WHERE load_id = '{second}'")
    project.models("--full-refresh")
    assert project.shown()["orders"] != project.source()["orders"]
    project.warehouse("UPDATE shop_sales._dlt_loads SET status = 0")
    project.models()
    late = project.built()
    assert project.shown() == project.source()
    project.models("--full-refresh")
    assert project.built() == late


def test_deletes_are_taken_and_a_late_insert_before_one_stays_deleted(project: Project) -> None:
    project.models()
    gone, last = 17, project.loads("orders")[-1]
    row = f"FROM shop_sales.orders WHERE order_id = {gone} LIMIT 1"
    ledger = (
        "INSERT INTO shop_sales._el_ledger SELECT * REPLACE ('{0}' AS _dlt_load_id, 1 AS row_count) "
        f"FROM shop_sales._el_ledger WHERE table_name = 'orders' AND _dlt_load_id = '{last}'"
    )
    complete = (
        "INSERT INTO shop_sales._dlt_loads SELECT * REPLACE ('{0}' AS load_id) FROM shop_sales._dlt_loads LIMIT 1"
    )
    for load, op in ((last + "2", "D"), (last + "1", "U")):
        project.warehouse(
            f"INSERT INTO shop_sales.orders SELECT * REPLACE ('{load}' AS _dlt_load_id, '{op}' AS _el_op, "
            f"if('{op}' = 'D', NULL, status) AS status) {row}",
            ledger.format(load),
            complete.format(load),
        )
        project.models()
        assert project.warehouse(f"SELECT count(*) FROM sales.orders WHERE order_id = {gone}") == [(0,)]
    before = project.built()
    project.models("--full-refresh")
    assert project.built() == before


def test_a_load_whose_rows_are_all_superseded_is_not_taken_again(project: Project) -> None:
    project.models()
    notes = project.warehouse("SELECT * FROM staging.el_loads_taken ORDER BY ALL")
    project.models()
    assert project.warehouse("SELECT * FROM staging.el_loads_taken ORDER BY ALL") == notes
    # order_lines is a snapshot each time: of the older loads nothing is left in the table.
    assert len(project.loads("order_lines")) == 3
    assert project.warehouse("SELECT count(DISTINCT _dlt_load_id) FROM sales.order_lines") == [(1,)]


def test_changed_names_the_models_that_have_loads_to_take_and_says_by_its_code_when_there_are_none(
    project: Project,
) -> None:
    project.models("--select", "orders")
    tables = ["customers", "order_lines", "orders", "payments", "products"]
    named = project.el("changed").split()
    models = [name for name in named if ":" not in name]
    assert models == ["customers", "order_lines", "orders_log", "payments", "products"]
    assert named[len(models) :] == [f"source:shop_sales.{table}" for table in tables]
    states = project.dbt("build", "--select", *named)
    assert {"el_source_row_rules__shop_sales_orders", "el_raw_equals_ledger__shop_sales"} <= states.keys()
    assert project.shown() == project.source()
    assert project.el("changed", code=5) == ""


def test_a_load_that_no_build_has_noted_is_taken_again(project: Project) -> None:
    """As after a build that was killed before its last step."""
    project.models()
    before = project.built()
    project.warehouse(
        "DELETE FROM staging.el_loads_taken WHERE state = 'taken'", "DELETE FROM sales.orders WHERE order_id > 4000"
    )
    project.models()
    assert project.built() == before


def test_a_doubled_row_in_raw_fails_the_ledger_test_by_its_table(project: Project) -> None:
    project.warehouse("INSERT INTO shop_sales.payments FROM shop_sales.payments LIMIT 1")
    assert failed(project) == ["payments"]


def test_a_lost_row_in_raw_fails_the_ledger_test_by_its_table(project: Project) -> None:
    project.warehouse(
        "DELETE FROM shop_sales.order_lines WHERE order_id = 8 AND line_no = 1 AND _dlt_load_id = "
        "(SELECT min(_dlt_load_id) FROM shop_sales.order_lines)"
    )
    assert failed(project) == ["order_lines"]


def test_a_raw_table_that_is_gone_fails_the_ledger_test_by_its_name(project: Project) -> None:
    project.warehouse("DROP TABLE shop_sales.payments CASCADE")
    assert set(failed(project)) == {"payments"}


def test_rows_of_an_incomplete_load_are_no_difference(project: Project) -> None:
    project.warehouse(
        "INSERT INTO shop_sales.payments SELECT * REPLACE ('9' AS _dlt_load_id) FROM shop_sales.payments LIMIT 1"
    )
    assert failed(project, code=0) == []


def failed(project: Project, code: int = 1) -> list[str]:
    """The tables that the ledger's test names."""
    states = project.dbt("test", "--select", "test_name:el_raw_equals_ledger", code=code)
    assert list(states) == ["el_raw_equals_ledger__shop_sales"]
    (result,) = [
        found["adapter_response"].get("broken", [])
        for found in json.loads((project.path / "target" / "run_results.json").read_text())["results"]
        if found["unique_id"].startswith("test.")
    ]
    return [line.split(": ")[0] for line in result]


def test_the_freshness_of_what_was_just_loaded_passes(landed: Project) -> None:
    landed.dbt("source", "freshness")


def test_the_documentation_can_be_made_and_knows_the_columns(landed: Project) -> None:
    landed.dbt("docs", "generate")
    catalog = (landed.path / "target" / "catalog.json").read_text()
    assert '"model.el.customers"' in catalog
    assert '"credit_limit"' in catalog
