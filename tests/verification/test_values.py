"""Every type over its edge values is equal where it was loaded, by both warehouses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from el.config.job import Job
from el.config.profiles import load_output
from el.config.settings import load_config
from el.verification.report import Method, Verdict
from el.verification.verify import Options, verify
from tests.connectors.sqlserver.test_values import Values, fill, move
from tests.dbt.project import Project, copy_project
from tests.engines import own_database
from tests.shop import inside
from tests.values import KINDS


@pytest.fixture(scope="module")
def edges(sqlserver_server: dict[str, Any]) -> Iterator[Values]:
    with own_database(sqlserver_server) as output:
        yield fill(output, {f"t{number:02d}": (kind, kind.edges) for number, kind in enumerate(KINDS)})


def test_each_value_of_each_type_is_equal(edges: Values, warehouse: dict[str, Any], tmp_path: Path) -> None:
    move(edges, warehouse, tmp_path, "raw_edges")
    with inside(tmp_path):
        source, destination = (load_output(Path("profiles.yml"), name, None) for name in ("server", "warehouse"))
        report = verify(Job(load_config(Path("el.yml")), source, destination), lambda line: None, Options(values=True))
    taken = [found for found in report.tables if found.table.split(".")[1] not in edges.lacks]
    unequal = {edges.kinds[found.table.split(".")[1]].declared: found for found in taken if found.counts.differ}
    assert unequal == {}
    assert {str(found.verdict) for found in taken} == {"EQUAL"}
    assert all(found.counts.equal == len(edges.truth[found.table.split(".")[1]]) for found in taken)


@pytest.mark.timeout(900)
@pytest.mark.soak  # codegen and a whole build by dbt, for each warehouse
def test_each_value_of_each_type_is_equal_in_the_schema_table(
    edges: Values, warehouse: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if warehouse["type"] == "duckdb":
        warehouse |= {"path": str(tmp_path / "warehouse.duckdb"), "schema": "main"}
    move(edges, warehouse, tmp_path, "raw_edges")
    copy_project(tmp_path, generated=False)
    project = Project(tmp_path)
    project.el("codegen")
    project.models()
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    with inside(tmp_path):
        source, destination = (load_output(Path("profiles.yml"), name, None) for name in ("server", "warehouse"))
        job = Job(load_config(Path("el.yml")), source, destination)
        report = verify(job, lambda line: None, Options(values=True, models=Path("dbt_project")))
    found = {each.table.split(".")[1]: each for each in report.tables if each.method is Method.MODEL}
    unequal = {edges.kinds[name].declared: each for name, each in found.items() if each.verdict is not Verdict.EQUAL}
    assert unequal == {}
    rows = {name: len(edges.truth[name]) for name in edges.kinds if name not in edges.lacks}
    assert {name: each.counts.equal for name, each in found.items()} == rows
    assert not any(each.not_compared for each in found.values())
