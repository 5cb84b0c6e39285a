"""A database on each kind of server, emptied for each test, and `el run` from it into DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redis
import yaml

from el.cli.app import main
from el.connectors.catalog import TableName
from el.connectors.redis import Redis
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from tests.servers.redis import KINDS, shared


@dataclass
class Store:
    """A server's database. `client` is the tests' own way to it."""

    output: dict[str, Any]
    client: Any

    def opened(self, **tables: Any) -> Redis:
        found = open_connector({**self.output, "tables": tables or {"keys": "*"}})
        assert isinstance(found, Redis)
        return found

    def read(self, table: Any, name: str = "t") -> list[dict[str, Any]]:
        """The rows of a table, sorted."""
        with self.opened(**{name: table}) as source:
            found = source.read_buffer(ReadRequest(table=TableName("db0", name))).to_arrow().to_pylist()
        return sorted(found, key=repr)


@dataclass
class Shop:
    """A store, and a warehouse that takes it."""

    store: Store
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def take(self, tables: dict[str, Any], *entries: str) -> None:
        warehouse = {"type": "duckdb", "path": str(self.folder / "warehouse.duckdb")}
        named = {"shop": {**self.store.output, "tables": tables}, "warehouse": warehouse}
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in named.items()}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
        text = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {retries: 0}\ntables:\n"
        (self.folder / "el.yml").write_text(text + "".join(f"  - {{name: {entry}}}\n" for entry in entries))

    def el(self, *arguments: str) -> str:
        self.code = main(list(arguments))
        out, err = self.capsys.readouterr()
        return " ".join((out + err).split())

    def run(self, *arguments: str) -> dict[str, dict[str, Any]]:
        main(["run", "--json", *arguments])
        out, err = self.capsys.readouterr()
        assert out, err
        return {table["table"].partition(".")[2]: table for table in json.loads(out)["tables"]}

    def raw(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as warehouse:
            return warehouse.execute(sql.replace("raw.", "shop_db0.")).fetchall()


def _emptied(kind: str) -> Iterator[Store]:
    output = shared(kind)
    client: Any = redis.Redis(port=output["port"], password=output["password"], protocol=2)
    client.flushall()
    yield Store(output, client)
    client.close()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from _emptied(request.param)


@pytest.fixture
def one_store() -> Iterator[Store]:
    """On one kind of server: where a whole run is tested, and what servers differ in is tested without one."""
    yield from _emptied("valkey")


@pytest.fixture
def shop(one_store: Store, folder: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(one_store, folder, capsys)
