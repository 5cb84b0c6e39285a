"""The examples for schedulers: each is loaded by its own tool, which `make examples` installs beside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TOOLS = ROOT / ".venv" / "examples"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one table and a dbt project, as the examples expect it."""
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as shop:
        shop.execute("CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO orders VALUES (1), (2)")
    (tmp_path / "profiles.yml").write_text(
        "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb}}}\n"
        "warehouse: {target: prod, outputs: {prod: {type: duckdb, path: warehouse.duckdb}}}\n"
    )
    (tmp_path / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: main.orders, cursor: id}]\n"
    )
    shutil.copytree(ROOT / "dbt_project", tmp_path / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    return tmp_path


def by(tool: str, project: Path, lines: str) -> str:
    """What these lines print in the tool's own environment."""
    python = TOOLS / tool / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{tool} is not installed: make examples")
    home = {"EL_PROJECT": str(project), "AIRFLOW_HOME": str(project / "airflow"), "DAGSTER_HOME": "", "PYTHONPATH": ""}
    done = subprocess.run(
        [python, "-c", lines], cwd=project, env={**os.environ, **home}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_airflow_imports_the_dag_and_cosmos_finds_the_models_behind_the_load(project: Path) -> None:
    path = EXAMPLES / "airflow" / "el_dag.py"
    said = by("airflow", project, f"import runpy; d = runpy.run_path({str(path)!r})['dag']; print(*sorted(d.task_ids))")
    tasks = said.splitlines()[-1].split()
    assert "load" in tasks
    assert any(task.startswith("models.") for task in tasks)


def test_dagster_materializes_the_tables_of_the_plan_and_notes_what_was_loaded(project: Path) -> None:
    path = EXAMPLES / "dagster" / "definitions.py"
    lines = f"""
import runpy
from dagster import materialize
tables = runpy.run_path({str(path)!r})["tables"]
for _ in range(2):
    done = materialize([tables])
    for event in done.get_asset_materialization_events():
        found = event.materialization
        print("SAW", found.asset_key.to_user_string(), found.metadata["rows"].value)
"""
    said = [line.split()[1:] for line in by("dagster", project, lines).splitlines() if line.startswith("SAW")]
    assert [rows for _, rows in said] == ["2", "0"]
    assert said[0][0].endswith("/orders")


def test_prefect_loads_the_flow_and_its_load_runs(project: Path) -> None:
    path = EXAMPLES / "prefect" / "flow.py"
    lines = f"import runpy; m = runpy.run_path({str(path)!r}); m['load'].fn(); print('FLOW', m['el'].name)"
    assert "FLOW el" in by("prefect", project, lines)
    with duckdb.connect(str(project / "warehouse.duckdb")) as warehouse:
        assert warehouse.execute("SELECT sum(row_count) FROM shop_main._el_ledger").fetchone() == (2,)


def test_the_workflow_is_one_that_github_takes() -> None:
    """By the schema of GitHub's workflows that SchemaStore keeps."""
    checked = [
        "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        EXAMPLES / "github_actions" / "el.yml",
    ]
    done = subprocess.run([Path(os.sys.executable).parent / checked[0], *checked[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_takes_the_objects() -> None:
    """By Kubernetes' own OpenAPI schema, strictly: an unknown field is refused."""
    validate = pytest.importorskip("kubernetes_validate")
    objects = list(yaml.safe_load_all((EXAMPLES / "kubernetes" / "cronjob.yaml").read_text()))
    assert [found["kind"] for found in objects] == ["CronJob", "PersistentVolumeClaim"]
    for found in objects:
        validate.validate(found, "1.30", strict=True)


def test_the_crontab_is_five_times_and_a_command_that_el_has() -> None:
    lines = (EXAMPLES / "cron" / "crontab").read_text().splitlines()
    (line,) = [line for line in lines if line and not line.startswith("#")]
    assert re.match(r"(\S+ ){5}cd ", line)


@pytest.mark.parametrize(
    "path", sorted(path for path in EXAMPLES.rglob("*") if path.is_file()), ids=lambda path: path.parent.name
)
def test_every_command_of_el_in_an_example_is_one_that_it_takes(path: Path) -> None:
    from el.cli.app import _parser

    found = re.findall(r"python -m el ((?:[\w-]+ ?)+)", path.read_text())
    for arguments in found:
        _parser().parse_args(arguments.split())
    assert found or '"-m", "el"' in path.read_text()
