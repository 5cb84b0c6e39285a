"""The floors of the house: pyproject.toml says which module may import which, and `lint-imports` holds it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = Path(sys.executable).with_name("lint-imports")
# What connectors of SQL databases share is no connector.
SHARED = {"sql"}


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=project, env={}, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "el", tmp_path / "el", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_goes_down_the_floors_and_none_comes_back() -> None:
    found = lint(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("el/connectors/catalog.py", "import el.planning.plan", "A floor imports those below it alone"),
        ("el/connectors/duckdb/types.py", "import el.connectors.snowflake.errors", "A connector knows no other one"),
        ("el/planning/plan.py", "import el.connectors.sqlserver.types", "No other floor knows SQL Server"),
        ("el/loading/ledger.py", "import el.connectors.snowflake.errors", "Snowflake's connector is known to"),
    ],
)
def test_an_import_that_goes_up_or_into_a_connector_is_told_by_name(
    copy: Path, module: str, line: str, broken: str
) -> None:
    path = copy / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    found = lint(copy)
    assert found.returncode == 1
    assert broken in " ".join(found.stdout.split()).partition("Broken contracts")[2]


def test_a_new_connectors_folder_has_to_stand_in_the_contracts() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    folders = {path.parent.name for path in (ROOT / "el" / "connectors").glob("*/__init__.py")} - SHARED
    wanted = {f"el.connectors.{name}" for name in folders}
    independent = {module for contract in contracts for module in contract.get("modules", ())}
    protected = {module for contract in contracts for module in contract.get("protected_modules", ())}
    assert independent == wanted
    assert protected == wanted
