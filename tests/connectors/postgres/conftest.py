"""A schema of one's own on the PostgreSQL of this process."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from el.cli.app import main
from el.connectors.postgres import Postgres
from el.connectors.postgres.config import PostgresConfig
from el.connectors.sql.select import Statement
from el.extraction.slice import STEP
from tests.servers.postgres import shared


@dataclass
class PostgresShop:
    """A schema, whoever reads it, and a warehouse that takes its tables by `el run`."""

    output: dict[str, Any]
    server: Postgres
    schema: str
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.server.execute(Statement(statement.replace("{schema}", self.schema)))

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        return self.server.fetch(Statement(query.replace("{schema}", self.schema)))

    def configure(self, *tables: str, defaults: str = "", retries: int | None = 0, **signed_in: str) -> None:
        """el.yml with these entries, and a profile: of whoever else signs in, where one is named."""
        listed = "".join(f"  - {{name: {self.schema}.{table}}}\n" for table in tables)
        tried = "" if retries is None else f", retries: {retries}"
        (self.folder / "el.yml").write_text(
            "version: 1\nsource: shop\ndestination: warehouse\n"
            f"defaults: {{workers: 2{tried}{defaults}}}\ntables:\n{listed}"
        )
        warehouse = {"type": "duckdb", "path": str(self.folder / "warehouse.duckdb")}
        named = {"shop": {**self.output, **signed_in}, "warehouse": warehouse}
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in named.items()}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump(profiles, allow_unicode=True), encoding="utf-8")

    def run(self, *tables: str, says: int = 0, defaults: str = "", retries: int | None = 0) -> dict[str, Any]:
        """`el run` with these entries of el.yml; the report."""
        self.configure(*tables, defaults=defaults, retries=retries)
        found = main(["run", "--json"])
        out, err = self.capsys.readouterr()
        assert found == says, out + err
        return dict(json.loads(out))

    def raw(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as warehouse:
            return warehouse.sql(query.replace("{raw}", f"shop_{self.schema}")).fetchall()

    def another(self, **changes: Any) -> Postgres:
        return Postgres(PostgresConfig.model_validate({**self.output, **changes}))

    def table(self, **columns: pa.Array) -> pa.Table:
        return pa.table(columns)


@pytest.fixture
def output() -> dict[str, Any]:
    return shared()


@pytest.fixture
def shop(
    output: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[PostgresShop]:
    monkeypatch.chdir(tmp_path)
    with Postgres(PostgresConfig.model_validate(output)) as server:
        schema = f"s_{uuid.uuid4().hex[:12]}"
        server.execute(Statement(f"CREATE SCHEMA {schema}"))
        yield PostgresShop(output, server, schema, tmp_path, capsys)
        server.execute(Statement(f"DROP SCHEMA {schema} CASCADE"))


@pytest.fixture
def steps() -> Iterator[Callable[..., None]]:
    """Calls something at a step of a run."""
    waiting: list[tuple[str, Callable[[Any], None]]] = []

    def listen(event: str, arguments: Any) -> None:
        if event == STEP and waiting and waiting[0][0] == arguments[0]:
            waiting.pop()[1](arguments)

    sys.addaudithook(listen)

    def at(step: str, what: Callable[[Any], None], *, once: bool) -> None:
        assert once
        waiting.append((step, what))

    yield at
    waiting.clear()
