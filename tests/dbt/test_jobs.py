"""The jobs as code and the selectors: what they run exists, and a job of a change writes nothing of production's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from tests.dbt.project import ROOT, Project

VARS = {"account_id": 1, "project_id": 2, "production_environment_id": 3, "ci_environment_id": 4}


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    """The file as dbt-jobs-as-code reads it: rendered with the variables, then YAML."""
    text = (ROOT / "dbt_cloud_jobs.yml").read_text()
    rendered = Environment(undefined=StrictUndefined, autoescape=False).from_string(text).render(VARS)
    found: dict[str, Any] = yaml.safe_load(rendered)["jobs"]
    return found


def test_the_build_leaves_out_what_has_nothing_new_and_another_job_tests_all_and_documents(
    jobs: dict[str, Any],
) -> None:
    (build,), (check,) = jobs["build"]["execute_steps"], jobs["check"]["execute_steps"]
    assert build == "dbt build --exclude-resource-type unit_test --vars '{el_tests: changed}'"
    assert check == "dbt test --exclude-resource-type unit_test"
    assert jobs["check"]["generate_docs"]
    for job in ("build", "check"):
        assert jobs[job]["environment_id"] == VARS["production_environment_id"]
        assert jobs[job]["triggers"]["schedule"] is True


def test_a_source_that_is_old_is_told_beside_the_steps_and_stops_none(jobs: dict[str, Any]) -> None:
    """dbt's documentation, "Source freshness": a step that fails lets the job fail, the job's setting does not."""
    assert jobs["build"]["run_generate_sources"] is True
    assert not [step for job in jobs.values() for step in job["execute_steps"] if "freshness" in step]


def test_a_change_is_compared_with_production_and_built_apart_from_it(jobs: dict[str, Any]) -> None:
    assert jobs["ci"]["environment_id"] == VARS["ci_environment_id"]
    assert jobs["ci"]["deferring_environment_id"] == VARS["production_environment_id"]
    assert jobs["ci"]["triggers"]["github_webhook"] is True
    macro = (ROOT / "dbt_project" / "macros" / "generate_schema_name.sql").read_text()
    assert f"'{jobs['build']['settings']['target_name']}'" in macro
    assert f"'{jobs['ci']['settings']['target_name']}'" not in macro


def test_a_change_notes_its_loads_in_a_table_of_its_own(jobs: dict[str, Any]) -> None:
    """What is not selected is deferred to production, and models write into el_loads_taken."""
    clone, adopt, step = jobs["ci"]["execute_steps"]
    assert step.split("--select ")[1].split() == ["state:modified+", "el_loads_taken"]
    assert clone.split("--select ")[1].split()[1] == "el_loads_taken"
    assert adopt == "dbt run-operation el_adopt_notes"


def test_no_job_needs_a_package_hub(jobs: dict[str, Any]) -> None:
    assert not [step for job in jobs.values() for step in job["execute_steps"] if "deps" in step]
    assert not (ROOT / "dbt_project" / "packages.yml").exists()
    assert not (ROOT / "dbt_project" / "dependencies.yml").exists()


def test_the_selectors_are_those_that_people_ask_for() -> None:
    found = yaml.safe_load((ROOT / "dbt_project" / "selectors.yml").read_text())["selectors"]
    assert [item["name"] for item in found] == ["staging", "schema_tables", "tests", "changed"]
    assert all(item["description"] for item in found)


def test_a_change_built_against_production_leaves_productions_notes_as_they_were(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    project.load()
    project.models()
    state = shutil.copytree(project.path / "target", project.path / "state")
    notes = project.warehouse("SELECT * FROM staging.el_loads_taken ORDER BY ALL")
    profiles = yaml.safe_load((project.path / "profiles.yml").read_text())
    outputs = profiles["warehouse"]["outputs"]
    outputs["ci"] = {**outputs["local"], "schema": "pr_1"}
    (project.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    model = project.path / "dbt_project" / "models" / "sales" / "customers.sql"
    model.write_text(model.read_text() + "\n-- changed\n")

    deferred = ("--target", "ci", "--defer", "--state", str(state))
    # A job that someone wrote without the notes in mind.
    assert set(project.models(*deferred, "--select", "state:modified")) == {"customers"}
    assert project.warehouse("SELECT * FROM staging.el_loads_taken ORDER BY ALL") == notes
    states = project.models(*deferred, "--selector", "changed")

    assert set(states) == {"customers", "el_loads_taken"}
    assert project.warehouse("SELECT * FROM staging.el_loads_taken ORDER BY ALL") == notes
    assert project.warehouse("SELECT DISTINCT model FROM pr_1_staging.el_loads_taken WHERE state <> 'built'") == [
        ("pr_1_sales.customers",)
    ]
