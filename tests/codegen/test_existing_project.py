"""A dbt project that was there before el stays green: el's models come beside its own, which do not change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
import yaml

from tests.codegen import jaffle
from tests.dbt.project import Project
from tests.standins.snowflake import SnowflakeStandIn

GREEN = {"success", "pass"}
TAKEN = ("customers", "orders")
"""Names that the analysts have given to models of their own."""


def existing(path: Path, warehouse: dict[str, Any] | None = None) -> Project:
    """The analysts' project under a profile of their own, in the database into which el loads the sample shop."""
    project = Project.create(path)
    shutil.rmtree(path / "dbt_project")
    jaffle.put(path / "dbt_project")
    profiles = yaml.safe_load((path / "profiles.yml").read_text())
    if warehouse is not None:
        profiles["warehouse"]["outputs"] = {"local": warehouse}
    output = {**profiles["warehouse"]["outputs"]["local"], "schema": "shop"}
    profiles["jaffle"] = {"target": "dev", "outputs": {"dev": output}}
    (path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return project


def built(project: Project, day: int) -> None:
    """A day of business, loaded and built; all of it is green."""
    if day:
        project.day(day)
    project.load()
    states = project.dbt("build")
    assert set(states.values()) <= GREEN, {name: state for name, state in states.items() if state not in GREEN}
    assert {"customers", "names", "sales__customers", "stg_shop__customers", "payments"} <= states.keys()


def test_an_existing_project_stays_green_with_els_models_beside_its_own(tmp_path: Path) -> None:
    project = existing(tmp_path / "project")
    project.el("codegen")
    for day in (0, 1):
        built(project, day)
        customers = [(1, "Ann", 2), (2, "Ben", 0), (3, "Cy", 1)]
        assert project.warehouse("SELECT * FROM shop.customers ORDER BY ALL") == customers
        assert project.warehouse("SELECT count(*) FROM shop.orders") == [(3,)]
        for table, rows in project.source().items():
            name = f"sales__{table}" if table in TAKEN else table
            columns = ", ".join(project.columns(table))
            assert project.warehouse(f"SELECT {columns} FROM shop.{name} ORDER BY ALL") == rows
    own = {name: text for name, text in jaffle.FILES.items() if name != "dbt_project.yml"}
    assert {name: (project.path / "dbt_project" / name).read_text() for name in own} == own
    assert "0 files to write" in project.el("codegen", "--check")
    # dbt's own rule of schemas puts models of `sales` into that of the raw tables.
    (project.path / "dbt_project" / "macros" / "generate_schema_name.sql").unlink()
    project.dbt("build", "--select", "payments", code=2)
    assert project.warehouse("SELECT count(*) > 0 FROM shop_sales.payments WHERE _el_op = 'S'") == [(True,)]


@pytest.mark.soak
def test_an_existing_project_stays_green_on_snowflake(tmp_path: Path) -> None:
    with SnowflakeStandIn() as standin:
        project = existing(tmp_path / "project", standin.dbt_output())
        project.el("codegen")
        for day in (0, 1):
            built(project, day)
        with snowflake.connector.connect(**standin.connection_parameters()) as connection:
            for table, rows in project.source().items():
                name = f"sales__{table}" if table in TAKEN else table
                found = connection.cursor().execute(f'SELECT count(*) FROM shop."{name}"').fetchall()
                assert found == [(len(rows),)]
