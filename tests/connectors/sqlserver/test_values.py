"""Every value of every type of SQL Server arrives as it was: written by T-SQL, read back from raw, compared one by one.

The ground truth is what the server itself says of each value. On another T-SQL engine than SQL Server the same holds;
what such an engine lacks is a skip that names it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from el.config.job import Job
from el.config.profiles import load_output
from el.config.settings import load_config
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from el.connectors.type_rules import find_rule
from el.errors import ElError
from el.pipeline import run
from el.reporting.progress import Silent
from tests.engines import connected, database, sqlserver_engine
from tests.shop import inside
from tests.standins.snowflake import SnowflakeStandIn
from tests.values import KINDS, TEXT_TRUTH, VARIANTS, Kind, variant

PLAIN = [kind for kind in KINDS if kind.more is not None]


@dataclass
class Values:
    """Kinds in a database: a table each, what the engine lacks or refused, and what it says of each row."""

    output: dict[str, Any]
    kinds: dict[str, Kind]
    lacks: dict[str, str] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    other_engine: bool = False
    truth: dict[str, dict[int, str | None]] = field(default_factory=dict)


def fill(output: dict[str, Any], values: dict[str, tuple[Kind, Sequence[str]]]) -> Values:
    """A table (id, v) for each kind, by its name, with these values."""
    found = Values(output, {name: kind for name, (kind, _) in values.items()})
    with connected(output) as server:
        # SQL Server's text is UTF-16; an engine whose text is not is another one that speaks T-SQL.
        utf16 = server.fetch(Statement("SELECT CAST(N'A' AS VARBINARY(4))"))[0][0] == b"A\x00"
        found.other_engine = not utf16
        for name, (kind, literals) in values.items():
            try:
                server.execute(Statement(f"CREATE TABLE dbo.{name} (id INT PRIMARY KEY, v {kind.declared})"))
            except ElError as error:
                found.lacks[name] = str(error)
                continue
            rows = list(enumerate(literals))
            for start in range(0, len(rows), 100):
                found.refused.setdefault(name, []).extend(_insert(server, name, rows[start : start + 100]))
            server.execute(Statement(f"INSERT INTO dbo.{name} (id, v) VALUES (99999, NULL)"))
            # An engine whose text is not UTF-16 shows it by its rows, which are not read by columns as el reads them.
            marked = kind.truth == TEXT_TRUTH and not utf16
            # By rows, a driver takes a leading U+FEFF for a mark of byte order.
            truth = "N'|' + CAST(v AS NVARCHAR(MAX))" if marked else kind.truth
            said = server.fetch(Statement(f"SELECT id, {truth} FROM dbo.{name}"))
            shown = {
                int(str(key)): None if value is None else kind.shown(str(value)[1:] if marked else value)
                for key, value in said
            }
            found.truth[name] = {key: text for key, text in shown.items() if utf16 or _possible(kind, text)}
        for table in server.describe(["dbo"]).tables:
            column = table.column("v")
            assert column is not None, f"{table.name} lost a column"
            if found.other_engine and find_rule("sqlserver", column.type) is None:
                found.lacks[table.name.name] = f"its catalog calls the type {column.type}"
    return found


def _possible(kind: Kind, text: str | None) -> bool:
    """Whether SQL Server could hold it: another engine may round up to 24:00, and fill NCHAR by characters."""
    if text is None:
        return True
    return not text.startswith("24:00") and not (kind.declared.startswith("NCHAR") and len(text) > 4 * 40)


def _insert(server: SqlServer, name: str, rows: Sequence[tuple[int, str]]) -> list[str]:
    """Insert these rows; what the server refuses, one by one."""
    listed = ", ".join(f"({key}, {value})" for key, value in rows)
    try:
        server.execute(Statement(f"INSERT INTO dbo.{name} (id, v) VALUES {listed}"))
    except ElError as error:
        if len(rows) == 1:
            return [f"{rows[0][1]}: {error}"]
        return [text for row in rows for text in _insert(server, name, [row])]
    return []


def move(values: Values, warehouse: dict[str, Any], folder: Path, raw: str) -> dict[str, dict[int, Any]]:
    """One run of el; then what raw holds, by table and id."""
    names = [name for name in values.kinds if name not in values.lacks]
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "version": 1,
        "source": "server",
        "destination": "warehouse",
        "raw": {"schema": raw},
        "defaults": {"workers": 2, "retries": 0, "digest": True},
        "tables": [{"name": f"dbo.{name}"} for name in names],
    }
    profiles = {
        "server": {"target": "t", "outputs": {"t": values.output}},
        "warehouse": {"target": "t", "outputs": {"t": warehouse}},
    }
    (folder / "el.yml").write_text(yaml.safe_dump(config))
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    with inside(folder):
        source, destination = (load_output(Path("profiles.yml"), name, None) for name in ("server", "warehouse"))
        report = run(Job(load_config(Path("el.yml")), source, destination), Silent())
        failed = {table.table.split(".")[1]: str(table.error) for table in report.tables if table.status != "loaded"}
        if values.other_engine:
            values.lacks.update({name: text for name, text in failed.items() if text.startswith("database error: ")})
        assert {name: text for name, text in failed.items() if name not in values.lacks} == {}
        with open_connector(destination.settings) as connector:
            assert isinstance(connector, SqlConnector)
            return {
                name: {
                    int(str(key)): value
                    for key, value in connector.fetch(Statement(f"SELECT id, v FROM {raw}.{name}"))
                    if int(str(key)) in values.truth[name]
                }
                for name in names
                if name not in values.lacks
            }


def differences(kind: Kind, truth: dict[int, str | None], found: dict[int, Any]) -> list[str]:
    """Where raw does not hold what the source does; a value that stands for NULL is none."""
    shown = {key: None if value is None else kind.shown(value) for key, value in found.items()}
    wrong = [key for key in truth.keys() | shown.keys() if truth.get(key, "no row") != shown.get(key, "no row")]
    return [f"row {key}: {truth.get(key, 'no row')} became {shown.get(key, 'no row')}" for key in sorted(wrong)]


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    with sqlserver_engine() as output:
        yield output


@contextmanager
def own_database(output: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name = f"el_values_{uuid.uuid4().hex[:8]}"
    with database(output, name) as found:
        yield found
    # Where the server still holds it for a connection that was closed a moment ago, it stays.
    with suppress(ElError), connected({**output, "database": "master"}) as admin:
        admin.execute(Statement(f"DROP DATABASE {name}"))


@pytest.fixture(scope="module")
def edges(server: dict[str, Any]) -> Iterator[Values]:
    with own_database(server) as output:
        yield fill(output, {f"t{number:02d}": (kind, kind.edges) for number, kind in enumerate(KINDS)})


@pytest.fixture(scope="module", params=["duckdb", "snowflake", "duckdb by pyodbc"])
def moved(
    request: pytest.FixtureRequest, edges: Values, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[int, Any]]:
    folder = tmp_path_factory.mktemp("values")
    if request.param == "duckdb by pyodbc":
        by_rows = replace(edges, output={**edges.output, "reader": "pyodbc"})
        return move(by_rows, {"type": "duckdb", "path": "warehouse.duckdb"}, folder, "raw_edges")
    if request.param == "duckdb":
        return move(edges, {"type": "duckdb", "path": "warehouse.duckdb"}, folder, "raw_edges")
    with SnowflakeStandIn() as standin:
        return move(edges, standin.dbt_output(), folder, "raw_edges")


@pytest.mark.parametrize("name", [f"t{number:02d}" for number in range(len(KINDS))], ids=[str(kind) for kind in KINDS])
def test_every_edge_value_of_a_type_arrives(edges: Values, moved: dict[str, dict[int, Any]], name: str) -> None:
    kind = edges.kinds[name]
    if name in edges.lacks:
        pytest.skip(f"this engine lacks {kind}: {edges.lacks[name]}")
    assert len(edges.truth[name]) - 1 >= 40, edges.refused[name]
    if kind.declared == "SQL_VARIANT":
        expected = {key: variant(text) for key, (_, text) in enumerate(VARIANTS)} | {99999: None}
        arrived = {key: variant(value) for key, value in moved[name].items()}
        assert arrived == {**arrived, **{key: text for key, text in expected.items() if arrived[key] != text}}
        assert arrived.keys() == expected.keys()
    else:
        assert differences(kind, edges.truth[name], moved[name]) == []


# A failure names type, row and value by itself: to shrink it would run the whole chain a hundred times. The first
# example is the simplest one.
BOUNDED = settings(
    max_examples=2, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)


@pytest.mark.parametrize("part", range(2))
@BOUNDED
@given(data=st.data())
def test_any_value_of_any_type_arrives(
    server: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, part: int, data: st.DataObject
) -> None:
    _any_values_arrive(server, tmp_path_factory.mktemp("any"), PLAIN[part::2], data)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(3))
@settings(BOUNDED, max_examples=20)
@given(data=st.data())
def test_any_value_of_any_type_arrives_many_times(
    server: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, part: int, data: st.DataObject
) -> None:
    _any_values_arrive(server, tmp_path_factory.mktemp("any"), PLAIN[part::3], data)


def _any_values_arrive(server: dict[str, Any], folder: Path, kinds: Sequence[Kind], data: st.DataObject) -> None:
    drawn = {
        f"t{number:02d}": (kind, data.draw(st.lists(kind.more, min_size=10, max_size=10)))
        for number, kind in enumerate(kinds)
        if kind.more is not None
    }
    with own_database(server) as output:
        values = fill(output, drawn)
        found = move(values, {"type": "duckdb", "path": "warehouse.duckdb"}, folder, "raw_any")
    wrong = {
        str(kind): differences(kind, values.truth[name], found[name])
        for name, kind in values.kinds.items()
        if name not in values.lacks
    }
    assert {kind: texts for kind, texts in wrong.items() if texts} == {}
