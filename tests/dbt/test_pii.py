"""Personal data: readers of the staging schema find none there, and the schema tables are built from all of it."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from el.sample import shop as sample
from tests.dbt.project import ROOT, Project, copy_project

COLUMNS = "SELECT column_name FROM duckdb_columns() WHERE schema_name = '{}' AND table_name = 'stg_shop__customers'"
PERSONAL = "  - {name: sales.customers, cursor: updated_at, columns: {email: {pii: email}}}"
MORE = PERSONAL + "\n  - {name: sales.customers, columns: {born_on: {pii: birth_date}}}"
VIEWS = ["stg_shop__customers", "stg_shop__customers__masked"]


ENTRY = "  - {name: sales.customers, cursor: updated_at}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One table, built before its settings called anything personal."""
    path = tmp_path_factory.mktemp("pii") / "project"
    (path / "local").mkdir(parents=True)
    sample.create(path / "local" / "shop.duckdb")
    shutil.copy(ROOT / "profiles.example.yml", path / "profiles.yml")
    (path / "el.yml").write_text(f"version: 1\nsource: shop\ndestination: warehouse\ntables:\n{ENTRY}\n")
    copy_project(path, generated=False)
    project = Project(path)
    project.load()
    project.el("codegen")
    project.models()
    return project


def columns(project: Project, schema: str) -> set[str]:
    return {row[0] for row in project.warehouse(COLUMNS.format(schema))}


def shop(project: Project) -> list[tuple[int, int]]:
    with duckdb.connect(str(project.path / "local" / "shop.duckdb"), read_only=True) as source:
        return source.execute("SELECT count(*), count(email) FROM sales.customers").fetchall()


def test_a_view_without_them_takes_the_place_of_the_staging_view_at_the_next_build(project: Project) -> None:
    every = columns(project, "staging")
    assert {"email", "born_on"} <= every
    text = (project.path / "el.yml").read_text()
    (project.path / "el.yml").write_text(text.replace(ENTRY, PERSONAL))
    project.el("codegen")
    # No load is new, and the view is to be made anew all the same.
    changed = project.el("changed").split()
    assert changed == VIEWS
    built = project.models("--select", *changed)
    assert built == {"stg_shop__customers": "success", "stg_shop__customers__masked": "success"}
    assert columns(project, "staging") == every - {"email"}
    assert columns(project, "staging_pii") == every
    project.el("changed", code=5)

    (project.path / "el.yml").write_text(text.replace(ENTRY, MORE))
    project.el("codegen")
    assert project.el("changed").split() == VIEWS
    project.day(1)
    project.load()
    project.models("--full-refresh", "--select", "+customers", "stg_shop__customers__masked")
    assert columns(project, "staging") == every - {"email", "born_on"}
    assert project.warehouse("SELECT count(*), count(email) FROM sales.customers") == shop(project)

    # Not personal any longer: the files that made the second view are named.
    (project.path / "el.yml").write_text((project.path / "el.yml").read_text().replace(MORE, ENTRY))
    said = project.el("codegen")
    for suffix in ("sql", "yml"):
        file = f"models/staging/shop/stg_shop__customers__masked.{suffix}"
        assert f"{file}: generated once, and no longer" in said
