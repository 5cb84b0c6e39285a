"""A database of its own for each test, on a server for all of them, and `el run` from it into DuckDB."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from el.connectors.catalog import TableName
from el.connectors.mongodb import MongoDb
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from tests.connectors.documents.shop import DocumentShop
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


class Shop(DocumentShop):
    """A store, and a warehouse that takes it."""

    def __init__(self, store: Store, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(store.database.name, folder, capsys)
        self.store = store

    def take(self, *entries: str, **profile: Any) -> None:
        """el.yml with these tables, such as "orders, strategy: full"."""
        self.profiles({**self.store.output, **profile})
        self.el_yml(entries)


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
