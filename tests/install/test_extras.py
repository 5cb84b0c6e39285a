"""What a small install has, and what is said where a library is missing: one line, with the command that brings it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from el.connectors.registry import connector_class
from tests.shop import Workspace

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Of each type: a connection, and the library that is away.
SOURCES: dict[str, tuple[dict[str, Any], str]] = {
    "sqlserver": ({"database": "d"}, "mssql_python"),
    "mysql": ({"database": "d"}, "pymysql"),
    "postgres": ({"database": "d"}, "psycopg"),
    "redis": ({}, "redis"),
}
SERVER = {"host": "127.0.0.1", "port": 1, "user": "u", "password": "p"}
SNOWFLAKE = {"type": "snowflake", "account": "a", "user": "u", "password": "p", "database": "d", "warehouse": "w"}


def without(library: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a process in which this library cannot be imported."""
    lines = f"import sys; sys.modules[{library!r}] = None; from el.cli.app import leave, main; leave(main())"
    return subprocess.run(
        [sys.executable, "-c", lines, *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def job(folder: Path, source: dict[str, Any], warehouse: dict[str, Any]) -> None:
    outputs = {"shop": source, "warehouse": warehouse}
    profiles = {name: {"target": "one", "outputs": {"one": output}} for name, output in outputs.items()}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles), encoding="utf-8")
    found = {"version": 1, "source": "shop", "destination": "warehouse", "tables": [{"name": "a.b"}]}
    (folder / "el.yml").write_text(yaml.safe_dump(found), encoding="utf-8")


@pytest.mark.parametrize("scheme", sorted(SOURCES))
def test_a_driver_that_is_missing_is_one_line_with_the_command_that_brings_it(scheme: str, tmp_path: Path) -> None:
    settings, library = SOURCES[scheme]
    job(tmp_path, {"type": scheme, **SERVER, **settings}, {"type": "duckdb", "path": "raw.duckdb"})
    done = without(library, tmp_path, "plan")
    assert done.returncode == 3, done
    assert re.fullmatch(rf'error: .*: pip install "el-loader\[{scheme}\]"', done.stderr.strip())


def test_a_warehouse_whose_driver_is_missing_is_the_same_line(tmp_path: Path) -> None:
    job(tmp_path, {"type": "duckdb", "path": "shop.duckdb"}, SNOWFLAKE)
    done = without("snowflake", tmp_path, "plan")
    assert done.returncode == 3, done
    assert re.fullmatch(r'error: .*: pip install "el-loader\[snowflake\]"', done.stderr.strip())


def test_a_source_without_its_driver_is_a_line_of_check_beside_all_others(tmp_path: Path) -> None:
    job(tmp_path, {"type": "redis", **SERVER}, {"type": "duckdb", "path": "raw.duckdb"})
    done = without("redis", tmp_path, "check")
    wrong = [line for line in done.stdout.splitlines() if line.startswith("error")]
    assert done.returncode == 3
    assert len(wrong) == 1
    assert 'pip install "el-loader[redis]"' in wrong[0]


def test_a_run_says_so_too(tmp_path: Path) -> None:
    job(tmp_path, {"type": "redis", **SERVER}, {"type": "duckdb", "path": "raw.duckdb"})
    done = without("redis", tmp_path, "run")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done
    assert 'pip install "el-loader[redis]"' in done.stderr


@pytest.mark.parametrize(
    ("extra", "library", "where"), [("processes", "loky", "processes:2"), ("dask", "distributed", "dask://127.0.0.1:1")]
)
def test_an_executor_that_is_missing_is_one_line_before_anything_is_read(
    extra: str, library: str, where: str, tmp_path: Path
) -> None:
    Workspace(tmp_path).create()
    done = without(library, tmp_path, "run", "--progress", "none", "--executor", where)
    assert done.returncode == 3, done
    assert done.stderr.strip() == f'error: executor: {extra} needs a library: pip install "el-loader[{extra}]"'


@pytest.mark.parametrize("scheme", sorted(set(PROJECT["entry-points"]["el.connectors"]) - {"duckdb"}))
def test_each_database_has_an_extra_of_its_name_with_its_drivers(scheme: str) -> None:
    brought = {re.split(r"[\[><=;]", line)[0].lower() for line in EXTRAS[scheme]}
    found = connector_class(scheme)
    config = found.config_type.model_construct()
    for package in found(config).packages():
        assert package in brought or package in ("hiredis",), f"{scheme}: {package}"


def test_the_extra_all_has_each_other_but_the_developers() -> None:
    named = {name for line in EXTRAS["all"] for name in re.findall(r"[\w-]+", line.partition("[")[2])}
    assert named == set(EXTRAS) - {"all", "dev"}


def test_no_driver_is_imported_by_the_command_line_itself() -> None:
    """Help is there at once, and `pip install el-loader` alone has it."""
    lines = (
        "import sys; from el.cli.app import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=60, check=True)
    heavy = {"dlt", "duckdb", "pyarrow", "pandas", "sqlglot", "pydantic", "snowflake", "boto3", "redis", "pymysql"}
    assert not heavy & set(done.stdout.split())
