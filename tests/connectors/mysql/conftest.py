"""A schema of one's own on the MariaDB of this process."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from el.cli.app import main
from el.connectors.catalog import Table, TableName
from el.connectors.mysql import MySql
from el.connectors.mysql.changes import LoggedChanges
from el.connectors.mysql.config import MySqlConfig
from el.connectors.request import ColumnRead, ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.type_rules import map_type
from tests.servers.mariadb import shared
from tests.tsql_shop import state_from_raw


@dataclass
class MySqlShop:
    """A schema, whoever reads it, and a warehouse that takes its tables by `el run`."""

    output: dict[str, Any]
    server: MySql
    schema: str
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.server.execute(Statement(statement.replace("{schema}", self.schema)))

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self.server.fetch(Statement(query.replace("{schema}", self.schema)))

    def run(self, *tables: str, command: str = "run", says: int = 0, defaults: str = "retries: 0") -> dict[str, Any]:
        """`el run` with these entries of el.yml; the report."""
        self.configure(*tables, defaults=defaults)
        found = main([*command.split(), "--json"])
        out, err = self.capsys.readouterr()
        assert found == says, out + err
        return dict(json.loads(out))

    def plan(self, *tables: str, defaults: str = "retries: 0") -> str:
        """What `el plan` says."""
        self.configure(*tables, defaults=defaults)
        assert main(["plan"]) == 0
        return str(self.capsys.readouterr().out)

    def configure(self, *tables: str, defaults: str = "retries: 0") -> None:
        """el.yml with these entries, and profiles.yml."""
        listed = "".join(f"  - {{name: {self.schema}.{table}}}\n" for table in tables)
        (self.folder / "el.yml").write_text(
            f"version: 1\nsource: shop\ndestination: warehouse\ndefaults: {{workers: 2, {defaults}}}\ntables:\n{listed}"
        )
        warehouse = {"type": "duckdb", "path": str(self.folder / "warehouse.duckdb")}
        named = {"shop": self.output, "warehouse": warehouse}
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in named.items()}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump(profiles, allow_unicode=True), encoding="utf-8")

    def raw(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as warehouse:
            return warehouse.sql(query.replace("{raw}", f"shop_{self.schema}")).fetchall()

    def logged(self, name: str, since: str, columns: tuple[ColumnRead, ...] = (), **more: Any) -> pa.Table:
        """What the binary log has of a table behind this position, as a plan reads it."""
        table = self.server.describe([self.schema]).table(TableName(self.schema, name))
        assert table is not None
        types = tuple((column.name, column.type) for column in table.columns)
        changes = LoggedChanges(since, self.server.binary_log.now().text, types, ("id",))
        request = ReadRequest(table=table.name, columns=columns or as_planned(table), changes=changes, **more)
        return self.server.read_buffer(request).to_arrow()

    def state(self, table: str, key: str, columns: str) -> list[tuple[Any, ...]]:
        """Current state from raw."""
        return state_from_raw(self.raw, f"shop_{self.schema}", table, key, columns)

    def another(self, **changes: Any) -> MySql:
        return MySql(MySqlConfig.model_validate({**self.output, **changes}))

    def table(self, **columns: pa.Array) -> pa.Table:
        return pa.table(columns)


def as_planned(table: Table, **read_as: str) -> tuple[ColumnRead, ...]:
    """The columns of a table as a plan reads them; those that are named as this SQL does, as text."""
    found = []
    for column in table.columns:
        mapping, own = map_type("mysql", column.type), read_as.get(column.name)
        arrow = pa.string() if own else mapping.arrow
        found.append(ColumnRead(column.name, column.name, own or mapping.read_as, arrow))
    return tuple(found)


@pytest.fixture
def output() -> dict[str, Any]:
    return shared()


@pytest.fixture
def shop(
    output: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MySqlShop]:
    monkeypatch.chdir(tmp_path)
    with MySql(MySqlConfig.model_validate(output)) as server:
        schema = f"s_{uuid.uuid4().hex[:12]}"
        server.execute(Statement(f"CREATE SCHEMA {schema}"))
        yield MySqlShop(output, server, schema, tmp_path, capsys)
        server.execute(Statement(f"DROP SCHEMA {schema}"))
