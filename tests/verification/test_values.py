"""Every type over its edge values is equal where it was loaded, by both warehouses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from el.config.job import Job
from el.config.profiles import load_output
from el.config.settings import load_config
from el.verification.verify import Options, verify
from tests.connectors.sqlserver.test_values import Values, fill, move
from tests.engines import own_database
from tests.shop import inside
from tests.standins.snowflake import SnowflakeStandIn
from tests.values import KINDS


@pytest.fixture(scope="module")
def edges(sqlserver_server: dict[str, Any]) -> Iterator[Values]:
    with own_database(sqlserver_server) as output:
        yield fill(output, {f"t{number:02d}": (kind, kind.edges) for number, kind in enumerate(KINDS)})


@pytest.fixture(params=["duckdb", "snowflake"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    if request.param == "duckdb":
        yield {"type": "duckdb", "path": "warehouse.duckdb"}
    else:
        with SnowflakeStandIn() as standin:
            yield standin.dbt_output()


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
