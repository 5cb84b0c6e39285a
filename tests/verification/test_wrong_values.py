"""Every type over its edge values is equal where it was loaded, by both warehouses, and each wrong value is found.

A column for each type of SQL Server; floats stand in a table of their own, for they have no digest in the warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from el.cli.app import main
from el.config.profiles import load_output
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from tests.connectors.sqlserver.test_values import fill
from tests.engines import connected, own_database
from tests.shop import inside
from tests.standins.sqlserver.process import StandInProcess
from tests.values import KINDS, Kind
from tests.verification.asked import tables

# The stand-in has no JSON, nor VECTOR.
COLUMNS = {f"c{number:02d}": kind for number, kind in enumerate(KINDS) if kind.declared != "JSON"}
FLOATS = {column: kind for column, kind in COLUMNS.items() if kind.declared in ("FLOAT", "REAL")}
OTHERS = {column: kind for column, kind in COLUMNS.items() if column not in FLOATS}
TABLES: Mapping[str, Mapping[str, Kind]] = {"others": OTHERS, "floats": FLOATS}
ROWS = max(len(kind.edges) for kind in KINDS)
CONFIG = """\
version: 1
source: server
destination: warehouse
raw: {schema: raw_edges}
defaults: {workers: 2, retries: 0}
tables:
  - {name: dbo.others, cursor: id, lag: 0}
  - {name: dbo.floats, cursor: id, lag: 0}
"""


@pytest.fixture(scope="module")
def source(_standin: StandInProcess) -> Iterator[dict[str, Any]]:
    """Rows of edge values, at least 40 of each type; the first one and the last one are all NULL."""
    longest = max(COLUMNS, key=lambda column: len(COLUMNS[column].edges))
    with own_database(_standin.output()) as output, connected(output) as server:
        fill(output, {column: (kind, kind.edges) for column, kind in COLUMNS.items()})
        for name, kinds in TABLES.items():
            declared = ", ".join(f"{column} {kind.declared} NULL" for column, kind in kinds.items())
            values = ", ".join(f"{column}.v" for column in kinds)
            joined = " ".join(f"LEFT JOIN dbo.{column} AS {column} ON {column}.id = n.id" for column in kinds)
            server.execute(Statement(f"CREATE TABLE dbo.{name} (id INT PRIMARY KEY, {declared})"))
            server.execute(Statement(f"INSERT INTO dbo.{name} SELECT n.id, {values} FROM dbo.{longest} AS n {joined}"))
            server.execute(Statement(f"INSERT INTO dbo.{name} (id) VALUES (-1)"))
        yield output


def test_the_types_are_all_that_the_type_table_has() -> None:
    named = {name for rule in SqlServer.rules for name in rule.names}
    compared = {kind.declared.partition("(")[0].lower() for kind in COLUMNS.values()}
    # A column of the first two is compared in test_strategies.py.
    assert named - compared == {"rowversion", "timestamp", "json", "vector"}


@pytest.mark.timeout(600)
@pytest.mark.soak  # the SQL Server stand-in takes seconds for each statement over all types at once
def test_each_value_of_each_type_is_equal_and_each_wrong_one_is_found(
    source: dict[str, Any], warehouse: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with inside(tmp_path):
        profiles = {"server": source, "warehouse": warehouse}
        outputs = {name: {"target": "t", "outputs": {"t": output}} for name, output in profiles.items()}
        Path("profiles.yml").write_text(yaml.safe_dump(outputs))
        Path("el.yml").write_text(CONFIG)
        assert main(["run", "--progress", "none"]) == 0
        methods = {"others": "digest in the warehouse", "floats": "both sides read"}
        for name, found in tables(capsys, "--in-warehouse").items():
            # The last row stands at the cursor's bound, and may not be the last one there.
            assert (found["verdict"], found["counts"]["equal"], found["counts"]["late"]) == ("EQUAL", ROWS + 1, 1), (
                found
            )
            assert found["method"] == methods[name]
        with open_connector(load_output(Path("profiles.yml"), "warehouse", None).settings) as raw:
            assert isinstance(raw, SqlConnector)
            for name, kinds in TABLES.items():
                raw.execute(Statement(wrong_values(name, list(kinds))))
        for way in ((), ("--in-warehouse",)):
            for name, found in tables(capsys, *way).items():
                assert found["verdict"] == "DIFFERENT"
                assert found["columns"] == dict.fromkeys(TABLES[name], 1)
                rows = min(len(TABLES[name]), 40)
                assert found["counts"]["different"] == rows
                assert [each["key"] for each in found["samples"]] == [{"id": str(row)} for row in range(rows)][:20]


def wrong_values(name: str, columns: list[str]) -> str:
    """Give one column after the other, each in a row of its own, the value that the next of its rows has."""
    given = [
        f"{column} = CASE WHEN id <> {row % 40} THEN {column} ELSE (SELECT MAX({column}) FROM raw_edges.{name} "
        f"WHERE {column} <> (SELECT {column} FROM raw_edges.{name} WHERE id = {row % 40})) END"
        for row, column in enumerate(columns)
    ]
    return f"UPDATE raw_edges.{name} SET {', '.join(given)}"
