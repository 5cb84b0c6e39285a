"""A database on each kind of server, emptied for each test, and `el run` from it into DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from el.connectors.catalog import TableName
from el.connectors.redis import Redis
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from tests.connectors.documents.shop import DocumentShop
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


class Shop(DocumentShop):
    """A store, and a warehouse that takes it."""

    def __init__(self, store: Store, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__("db0", folder, capsys)
        self.store = store

    def take(self, tables: dict[str, Any], *entries: str) -> None:
        """tables: of the profile. entries: of el.yml, with their schema."""
        self.profiles({**self.store.output, "tables": tables})
        self.el_yml(entry.removeprefix("db0.") for entry in entries)


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
