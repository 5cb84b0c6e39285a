"""A dbt project that was there before el stays green: el's models come beside its own, which do not change."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.codegen import jaffle
from tests.dbt.project import Project

GREEN = {"success", "pass", "no-op"}


def existing(path: Path) -> Project:
    """The analysts' project under a profile of their own, in the database into which el loads the sample shop."""
    project = Project.create(path)
    shutil.rmtree(path / "dbt_project")
    profiles = yaml.safe_load((path / "profiles.yml").read_text())
    output = {**profiles["warehouse"]["outputs"]["local"], "schema": "shop"}
    profiles["jaffle"] = {"target": "dev", "outputs": {"dev": output}}
    (path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return project


def test_an_existing_project_stays_green_with_els_models_beside_its_own(tmp_path: Path) -> None:
    project = existing(tmp_path / "project")
    files = jaffle.put(project.path / "dbt_project")
    project.load()
    said = project.el("codegen")
    print(said)
    for day in (0, 1, 2):
        if day:
            project.day(day)
            project.load()
        states = project.dbt("build")
        assert set(states.values()) <= GREEN, {name: state for name, state in states.items() if state not in GREEN}
        assert {"customers", "names", "sales__customers", "stg_shop__customers", "payments"} <= states.keys()
        shown = {name: project.warehouse(f"SELECT * FROM shop.{name}") for name in ("customers", "orders")}
        assert sorted(shown["customers"]) == [(1, "Ann", 2), (2, "Ben", 0), (3, "Cy", 1)]
        assert len(shown["orders"]) == 3
        for table, rows in project.source().items():
            name = f"sales__{table}" if table in shown else table
            columns = ", ".join(project.columns(table))
            assert project.warehouse(f"SELECT {columns} FROM shop.{name} ORDER BY ALL") == rows
    assert {name: (project.path / "dbt_project" / name).read_text() for name in files} == files
    assert "0 files to write" in project.el("codegen", "--check")
    # dbt's own rule of schemas puts models of `sales` into that of the raw tables.
    (project.path / "dbt_project" / "macros" / "generate_schema_name.sql").unlink()
    project.dbt("build", "--select", "payments", code=2)
    assert project.warehouse("SELECT count(*) > 0 FROM shop_sales.payments WHERE _el_op = 'S'") == [(True,)]
