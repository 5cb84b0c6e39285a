"""A database of its own for each test, on a server for all of them, and `el run` from it into DuckDB."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from pymongo.database import Database

from el.cli.app import main
from el.connectors.catalog import TableName
from el.connectors.mongodb import MongoDb
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from tests.servers.mongodb import client_of, shared


@dataclass
class Store:
    """A database. `database` is the tests' own way to it."""

    output: dict[str, Any]
    database: Database[dict[str, Any]]

    def opened(self, **changed: Any) -> MongoDb:
        found = open_connector({**self.output, **changed})
        assert isinstance(found, MongoDb)
        return found

    def name(self, collection: str) -> TableName:
        return TableName(self.database.name, collection)

    def read(self, collection: str, **asked: Any) -> list[dict[str, Any]]:
        """The rows of a collection, as they come."""
        with self.opened() as source:
            found = source.read_buffer(ReadRequest(table=self.name(collection), **asked)).to_arrow()
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


@dataclass
class Shop:
    """A store, and a warehouse that takes it."""

    store: Store
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def take(self, *entries: str, **profile: Any) -> None:
        """el.yml with these tables, such as "orders, strategy: full"."""
        warehouse = {"type": "duckdb", "path": str(self.folder / "warehouse.duckdb")}
        named = {"shop": {**self.store.output, **profile}, "warehouse": warehouse}
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in named.items()}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
        text = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {retries: 0}\ntables:\n"
        schema = self.store.database.name
        (self.folder / "el.yml").write_text(text + "".join(f"  - {{name: {schema}.{entry}}}\n" for entry in entries))

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
            return warehouse.execute(sql.replace("raw.", f"shop_{self.store.database.name}.")).fetchall()


@contextmanager
def on_a_store(*options: str) -> Iterator[Store]:
    """A database that is dropped behind, on the server that was started with these options."""
    output = {**shared(*options), "database": f"s{uuid.uuid4().hex[:12]}"}
    with client_of(output) as client:
        yield Store(output, client[output["database"]])
        client.drop_database(output["database"])


@pytest.fixture
def store() -> Iterator[Store]:
    with on_a_store() as found:
        yield found


@pytest.fixture
def shop(store: Store, folder: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(store, folder, capsys)
