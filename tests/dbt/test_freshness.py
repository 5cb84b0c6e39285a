"""Freshness is of the run: a source whose runs succeed is fresh, whether or not rows came; one that fails grows old."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.dbt.project import Project

LONG_AGO = "'One row a table and load. The last whole run of el that failed nowhere began at 2024-01-01 00:00:00'"


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A load, of which the ledger says that it is from long ago."""
    project = Project.create(tmp_path_factory.mktemp("landed") / "project")
    project.load()
    project.warehouse(f"COMMENT ON TABLE shop_sales._el_ledger IS {LONG_AGO}")
    return project


@pytest.fixture
def project(landed: Project, tmp_path: Path) -> Project:
    return landed.copied(tmp_path)


def freshness(project: Project) -> dict[str, str]:
    """The state of each source table that is asked."""
    project.dbt("source", "freshness")
    found = json.loads((project.path / "target" / "sources.json").read_text())["results"]
    return {result["unique_id"].split("shop_sales.")[1]: result["status"] for result in found}


def test_a_run_that_finds_nothing_new_keeps_a_source_fresh_and_it_is_asked_once(project: Project) -> None:
    assert freshness(project) == {"_el_ledger": "warn"}
    rows = project.warehouse("SELECT sum(row_count) FROM shop_sales._el_ledger")
    began = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    project.load()
    assert project.warehouse("SELECT sum(row_count) FROM shop_sales._el_ledger") == rows
    assert freshness(project) == {"_el_ledger": "pass"}
    (result,) = json.loads((project.path / "target" / "sources.json").read_text())["results"]
    assert abs(datetime.fromisoformat(result["max_loaded_at"][:19]) - began) < timedelta(minutes=2)
    assert project.dbt("test", "--select", "el_recent_run__shop_sales") == {"el_recent_run__shop_sales": "pass"}


@pytest.mark.parametrize("command", [["--select", "orders"], []], ids=["of some tables", "in which a table fails"])
def test_a_run_that_does_not_take_all_tables_leaves_a_source_old(project: Project, command: list[str]) -> None:
    if not command:
        settings = project.path / "el.yml"
        settings.write_text(settings.read_text() + "  - {name: sales.payments, cursor: no_such_column}\n")
    project.el("run", "--progress", "none", *command, code=0 if command else 1)
    assert freshness(project) == {"_el_ledger": "warn"}
    assert project.dbt("test", "--select", "el_recent_run__shop_sales") == {"el_recent_run__shop_sales": "warn"}
