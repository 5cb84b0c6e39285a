"""File dumps into Snowflake: parquet through a stage, and COPY."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from tests.dumps.workspace import Dumps
from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


def test_files_are_loaded_once_with_their_ledger_and_their_rejects(dumps: Dumps, standin: SnowflakeStandIn) -> None:
    dumps.entry("rejects: 1", "changed: replace")
    profiles = yaml.safe_load((dumps.path / "profiles.yml").read_text())
    profiles["warehouse"]["outputs"]["local"] = standin.dbt_output()
    (dumps.path / "profiles.yml").write_text(yaml.safe_dump(profiles))

    def fetch(sql: str) -> list[tuple[Any, ...]]:
        connector = open_connector(standin.dbt_output())
        assert isinstance(connector, SqlConnector)
        with connector:
            return [tuple(row) for row in connector.fetch(Statement(sql))]

    dumps.file("a.csv", 'id,note\n1,\n2,""\n3\n')
    dumps.file("b.csv", "note,id,more\nx,4,m\n")
    assert dumps.run() == 0, dumps.out
    rows = "SELECT id, note, more, _el_row FROM old_sales.orders ORDER BY id, _el_row"
    first = [("1", None, None, 1), ("2", "", None, 2), ("4", "x", "m", 1)]
    assert fetch(rows) == first
    assert fetch("SELECT row_number, byte_offset, record FROM old_sales._el_rejects") == [(3, 16, b"3\n")]
    assert dumps.run() == 0, dumps.out
    assert fetch(rows) == first
    dumps.file("b.csv", "note,id,more\nx,4,new\n")
    assert dumps.run() == 0, dumps.out
    assert fetch(rows) == [*first, ("4", "x", "new", 1)]
    assert fetch("SELECT count(*), count(replaces) FROM old_sales._el_files") == [(3, 1)]
    assert dumps.run(command="state") == 0
    assert "3 files, 4 rows, 1 rejected records" in dumps.out
