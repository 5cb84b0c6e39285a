"""An unseen database of 64 tables: run, codegen, dbt build, green in one go, with no edit by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.codegen.unseen import batches
from tests.dbt.project import ROOT, Project
from tests.engines import connected, own_database, real_sqlserver, sqlserver_engine, statement
from tests.standins.snowflake import SnowflakeStandIn

EL_YML = """\
version: 1
source: erp
destination: warehouse
tables:
  - {name: "hr.*"}
  - {name: "sales.*"}
  - {name: "ref data.*"}
  - {name: "archive.*"}
  - {name: sales.product, model: [current, history]}
  - {name: hr.employee, model: {kind: [current, log], deleted: flag}}
"""


@pytest.fixture(scope="module")
def source() -> Iterator[dict[str, Any]]:
    with sqlserver_engine() as engine, own_database(engine) as output:
        with connected(output) as server:
            for batch in batches(whole=real_sqlserver() is None):
                server.driver.execute(statement(batch))
        yield output


def prepared(folder: Path, source: dict[str, Any], warehouse: dict[str, Any]) -> Project:
    """A folder with el.yml, the two connections, and the dbt project without the sample."""
    (folder / "local").mkdir(parents=True)
    (folder / "el.yml").write_text(EL_YML)
    profiles = {
        "erp": {"target": "local", "outputs": {"local": source}},
        "warehouse": {"target": "local", "outputs": {"local": warehouse}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    ignored = shutil.ignore_patterns("target", "logs", "sales", "staging", "*exposures*")
    shutil.copytree(ROOT / "dbt_project", folder / "dbt_project", ignore=ignored)
    return Project(folder)


@pytest.fixture(scope="module")
def built(source: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, str]]:
    """Loaded, generated and built in DuckDB; the state of every node."""
    folder = tmp_path_factory.mktemp("unseen") / "project"
    output = {"type": "duckdb", "path": str(folder / "local" / "warehouse.duckdb"), "schema": "main", "threads": 4}
    project = prepared(folder, source, output)
    project.load()
    project.el("codegen")
    return project, project.dbt("build")


def test_it_is_green_on_duckdb_in_one_go(built: tuple[Project, dict[str, str]]) -> None:
    _, states = built
    assert set(states.values()) <= {"success", "pass"}
    assert len([name for name in states if name.startswith("stg_")]) == 64
    assert len([name for name in states if name.startswith("relationships__")]) >= 48


def test_the_schema_tables_hold_what_the_source_holds(built: tuple[Project, dict[str, str]]) -> None:
    project, _ = built
    assert project.warehouse("SELECT first_name, last_name, status FROM hr.employee ORDER BY employee_id") == [
        ("Zoë", "Ångström", "active"),
        ("李", "小龙", "left"),
    ]
    assert project.warehouse("SELECT order_, group_, select_, date FROM sales.order_ ORDER BY 1")[0][:3] == (10, "a", 1)
    assert project.warehouse("SELECT count(*) FROM hr.log") == [(2,)]


def test_a_second_build_with_nothing_new_changes_nothing_and_codegen_finds_nothing_to_write(
    built: tuple[Project, dict[str, str]],
) -> None:
    project, _ = built
    before = project.warehouse("SELECT * FROM sales.product_history ORDER BY ALL")
    assert set(project.models("--select", "sales").values()) == {"success"}
    assert project.warehouse("SELECT * FROM sales.product_history ORDER BY ALL") == before
    assert "0 files to write" in project.el("codegen", "--check")


def test_the_generated_sql_passes_sqlfluff(built: tuple[Project, dict[str, str]]) -> None:
    project, _ = built
    shutil.copytree(ROOT / "tests" / "dbt" / "lint", project.path / "tests" / "dbt" / "lint", dirs_exist_ok=True)
    done = subprocess.run(
        [Path(sys.executable).parent / "sqlfluff", "lint", "dbt_project/models", "--config", ROOT / ".sqlfluff"],
        cwd=project.path,
        env={**os.environ, "DO_NOT_TRACK": "1"},
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def on_snowflake(source: dict[str, Any], folder: Path, *selection: str, more: str = "") -> dict[str, str]:
    """more: what el.yml says besides."""
    with SnowflakeStandIn() as standin:
        project = prepared(folder / "project", source, standin.dbt_output(threads=4))
        (project.path / "el.yml").write_text(EL_YML + more)
        project.load()
        project.el("codegen")
        return project.dbt("build", *selection)


def test_it_is_green_on_snowflake_in_one_go(source: dict[str, Any], tmp_path: Path) -> None:
    """Of the many that are alike a few are loaded, and one schema is built and tested; all of it in `make soak`."""
    selection = ("--select", "el_loads_taken", "+path:models/hr", "--exclude", "source:*")
    alike = '  - {name: "archive.fact[0-3][2-9]", exclude: true}\n  - {name: "ref data.[d-z]*", exclude: true}\n'
    states = on_snowflake(source, tmp_path, *selection, more=alike)
    assert set(states.values()) <= {"success", "pass"}
    assert len([name for name in states if name.startswith("stg_")]) == 6


@pytest.mark.soak
def test_all_of_it_is_green_on_snowflake_in_one_go(source: dict[str, Any], tmp_path: Path) -> None:
    states = on_snowflake(source, tmp_path)
    assert set(states.values()) <= {"success", "pass"}
    assert len([name for name in states if name.startswith("stg_")]) == 64
