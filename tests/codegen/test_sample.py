"""The command: the project's own sample is what it writes, `--check` says what differs, an edit is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dbt.project import Project

ORDERS = Path("dbt_project", "models", "sales", "orders.sql")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project")


def test_the_sample_is_what_codegen_writes(project: Project) -> None:
    assert "0 files to write" in project.el("codegen", "--check")


def test_check_fails_where_the_catalog_and_the_files_differ_and_writes_nothing(project: Project) -> None:
    (project.path / ORDERS).unlink()
    assert "models/sales/orders.sql: new" in project.el("codegen", "--check", code=1)
    assert not (project.path / ORDERS).exists()
    project.el("codegen", "--select", "orders")
    assert (project.path / ORDERS).exists()


def test_a_table_that_el_yml_no_longer_takes_is_reported_and_left(project: Project) -> None:
    settings = project.path / "el.yml"
    settings.write_text(settings.read_text() + "  - {name: sales.payments, exclude: true}\n")
    printed = project.el("codegen", code=0)
    assert "models/sales/payments.sql: generated once, and no longer among the tables of el.yml" in printed
    assert (project.path / "dbt_project" / "models" / "sales" / "payments.sql").exists()
    assert "models/staging/shop/_shop__sources.yml: changed" in printed


def test_a_folder_that_is_no_dbt_project_is_an_error_of_one_line(project: Project) -> None:
    project.el("codegen", "--project-dir", "local", code=2)
