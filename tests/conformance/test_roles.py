"""Who may do what: role and operation, of each connector, from Python and at the command line."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from el import ReadRequest, TableName, WriteMode, connect
from el.cli.app import main
from el.connectors.registry import open_connector
from el.connectors.request import ColumnRead, SqlText
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.errors import AccessDenied
from tests.conformance.conftest import Place, numbered
from tests.conformance.facts import DUCKDB, SNOWFLAKE, SQLSERVER, Facts
from tests.shop import inside

ROLES = ("owner", "engineer", "staging")
ALL, ENGINEER, OWNER = set(ROLES), {"owner", "engineer"}, {"owner"}


@dataclass
class Scene:
    """A connection of a role, and three schemas: of staging data, of a target, of raw."""

    connector: Any
    staging: TableName
    target: TableName
    raw: TableName

    def write(self, table: TableName, mode: WriteMode) -> Any:
        key = ["id"] if mode is WriteMode.MERGE else []
        return self.connector.write_buffer(table, numbered(7), mode, key=key, run_id=uuid.uuid4().hex)

    def read(self, table: TableName, **request: Any) -> int:
        return int(self.connector.read_buffer(ReadRequest(table=table, **request)).to_arrow().num_rows)

    def query(self) -> int:
        sql = f"SELECT id FROM {self.connector.dialect.quote_table(self.staging)}"
        return int(self.connector.read_buffer(ReadRequest(query=SqlText(sql))).to_arrow().num_rows)


# What is tried from Python -> who may.
FROM_PYTHON: dict[str, tuple[Callable[[Scene], Any], set[str]]] = {
    "ping": (lambda s: s.connector.ping(), ALL),
    "read staging": (lambda s: s.read(s.staging), ALL),
    "read columns of staging": (lambda s: s.read(s.staging, columns=(ColumnRead("id", "n"),)), ALL),
    "read an expression": (lambda s: s.read(s.staging, columns=(ColumnRead("id", "n", "1"),)), ENGINEER),
    "read a query": (lambda s: s.query(), ENGINEER),
    "read a target": (lambda s: s.read(s.target), ENGINEER),
    "read raw": (lambda s: s.read(s.raw), ENGINEER),
    "describe": (lambda s: s.connector.describe([s.staging.schema]), ENGINEER),
    "fetch": (lambda s: s.connector.fetch(Statement("SELECT 1")), ENGINEER),
    "append to staging": (lambda s: s.write(s.staging, WriteMode.APPEND), ENGINEER),
    "replace a target": (lambda s: s.write(s.target, WriteMode.REPLACE), ENGINEER),
    "append to raw": (lambda s: s.write(s.raw, WriteMode.APPEND), ENGINEER),
    "replace raw": (lambda s: s.write(s.raw, WriteMode.REPLACE), OWNER),
    "merge into raw": (lambda s: s.write(s.raw, WriteMode.MERGE), OWNER),
    "write the ledger": (lambda s: s.write(TableName(s.raw.schema, "_el_ledger"), WriteMode.APPEND), OWNER),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_from_python_what_the_matrix_says(
    place: Place, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is refused leaves every table as it was."""
    schemas = _schemas(place)
    profile = {**place.output, "access": role, "staging_data": [schemas["staging"].schema]}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump({"shop": {"target": "it", "outputs": {"it": profile}}}))
    monkeypatch.delenv("EL_ROLE", raising=False)
    found: dict[str, bool] = {}
    said: list[str] = []
    place.close()
    with connect("shop", profiles_dir=tmp_path) as connector:
        scene = Scene(connector, **schemas)
        for name, (act, _) in FROM_PYTHON.items():
            try:
                act(scene)
                found[name] = True
            except AccessDenied as error:
                found[name] = False
                said.append(str(error))
    assert found == {name: role in allowed for name, (_, allowed) in FROM_PYTHON.items()}
    assert [text for text in said if f"role {role} " not in text] == []
    place.connector.connect()
    assert len(place.rows(schemas["staging"])) == (1 if role == "staging" else 2)
    if role != "staging":
        noted = _audit(place.connector, schemas["staging"].schema, "write_buffer append", role)
        assert {row[0] for row in noted} == {str(schemas["staging"])}
        # The row with which the table began is the owner's.
        assert len(noted) == (2 if role == "owner" else 1)
        assert all(user for _, user in noted)
    kept = {"staging": [1], "engineer": [1, 7], "owner": [7]}[role]
    assert sorted(row[0] for row in place.rows(schemas["raw"])) == kept


def _audit(connector: SqlConnector, schema: str, command: str, role: str) -> list[tuple[object, ...]]:
    """The tables, and the database's user, of these entries in a schema's audit."""
    name = "_EL_AUDIT" if connector.scheme == "snowflake" else "_el_audit"
    place = connector.dialect.quote_table(TableName(schema, name))
    said = f"command = '{command}' AND el_role = '{role}'"
    return connector.fetch(Statement(f"SELECT table_names, database_user FROM {place} WHERE {said}"))


def _schemas(place: Place) -> dict[str, TableName]:
    """One table with one row in each of three schemas; raw has a ledger."""
    found = {}
    for name in ("staging", "target", "raw"):
        schema = f"{name}_{uuid.uuid4().hex[:8]}"
        place.run(f"CREATE SCHEMA {place.connector.dialect.quote(schema)}")
        own = Place(place.facts, place.output, place.connector, schema)
        found[name] = own.plain()
        own.write(found[name], numbered(1))
        if name == "raw":
            own.plain("_el_ledger")
    return found


def test_staging_access_opens_no_connection_where_no_schema_is_known(
    facts: Facts, outputs: Callable[[Facts], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_ROLE", "staging")
    connector = open_connector(outputs(facts))
    with pytest.raises(AccessDenied, match="no schema here is known to hold staging data"):
        connector.connect()
    assert isinstance(connector, SqlConnector)
    assert not connector.is_open


# -- at the command line

COMMANDS: dict[str, tuple[list[str], set[str]]] = {
    "plan": (["plan"], ENGINEER),
    "run": (["run", "--progress", "none"], ENGINEER),
    "run --full-refresh": (["run", "--full-refresh", "--progress", "none"], ENGINEER),
    "state": (["state"], ENGINEER),
    "codegen": (["codegen"], ENGINEER),
    "state set": (["state", "set", "orders", "2024-01-01T00:00:00", "--yes"], OWNER),
    "state reset": (["state", "reset", "orders", "--yes"], OWNER),
    "purge": (["purge", "--yes"], OWNER),
    "grants": (["grants", "--role", "staging"], OWNER),
}
PAIRS = {
    "sqlserver-duckdb": (SQLSERVER[0], DUCKDB),
    "duckdb-snowflake": (DUCKDB, SNOWFLAKE),
}
TABLE = "CREATE TABLE {}.orders (id {} NOT NULL PRIMARY KEY, updated_at {})"


@pytest.fixture(scope="module", params=list(PAIRS))
def loaded(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    outputs: Callable[[Facts], dict[str, Any]],
) -> Iterator[Path]:
    """A folder with el.yml and profiles.yml, whose table is in raw."""
    folder = tmp_path_factory.mktemp("roles")
    source, warehouse = (outputs(facts) for facts in PAIRS[request.param])
    if warehouse["type"] == "duckdb":
        warehouse = {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}
    schema = f"r_{uuid.uuid4().hex[:8]}"
    with open_connector(source) as connector:
        assert isinstance(connector, SqlConnector)
        time = "DATETIME2(3)" if source["type"] == "sqlserver" else "TIMESTAMP"
        for sql in (f"CREATE SCHEMA {schema}", TABLE.format(schema, "INTEGER", time)):
            connector.execute(Statement(sql))
        connector.execute(Statement(f"INSERT INTO {schema}.orders VALUES (1, '2024-01-02')"))
    profiles = {
        "shop": {"target": "it", "outputs": {"it": source}},
        "warehouse": {"target": "it", "outputs": {"it": warehouse}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    (folder / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\nraw: {keep: 30d}\ndbt: {loads_taken: none}\n"
        "defaults: {workers: 1, retries: 0}\n"
        f"tables:\n  - {{name: {schema}.orders, cursor: updated_at, lag: 0s}}\n"
    )
    (folder / "dbt_project").mkdir()
    (folder / "dbt_project" / "dbt_project.yml").write_text("name: shop\n")
    with inside(folder):
        assert main(["run", "--progress", "none"]) == 0
        yield folder


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_at_the_command_line_what_the_matrix_says(
    loaded: Path, role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EL_ROLE", role)
    found: dict[str, bool] = {}
    for name, (arguments, _) in COMMANDS.items():
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        found[name] = code == 0
        if code:
            assert (code, said.out, len(said.err.splitlines())) == (3, "", 1), said
            assert f"role {role} " in said.err
    assert found == {name: role in allowed for name, (_, allowed) in COMMANDS.items()}
    if role == "owner":
        schema = (loaded / "el.yml").read_text().rpartition("name: ")[2].partition(".orders")[0]
        with connect("warehouse", profiles_dir=loaded) as warehouse:
            raw = f"shop_{schema}".upper() if warehouse.scheme == "snowflake" else f"shop_{schema}"
            for command in ("run", "state set", "state reset"):
                assert f"{schema}.orders" in {row[0] for row in _audit(warehouse, raw, command, role)}
