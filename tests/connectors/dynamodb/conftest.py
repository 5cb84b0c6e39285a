"""DynamoDB Local, emptied for each test, and `el run` from it into DuckDB."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from el.connectors.catalog import TableName
from el.connectors.dynamodb import DynamoDb
from el.connectors.dynamodb.items import text_of
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from tests.connectors.documents.shop import DocumentShop
from tests.servers.dynamodb import client_of, make_table, shared
from tests.tsql_shop import state_from_raw

ORDERS = "orders, strategy: changes"


@dataclass
class Store:
    """A region. `client` is the tests' own way to it."""

    output: dict[str, Any]
    client: Any

    def opened(self, **changed: Any) -> DynamoDb:
        found = open_connector({**self.output, **changed})
        assert isinstance(found, DynamoDb)
        return found

    def table(self, name: str, **key: str) -> None:
        make_table(self.client, name, **(key or {"id": "S"}))

    def put(self, table: str, *items: dict[str, Any]) -> None:
        for begin in range(0, len(items), 25):
            wanted = [{"PutRequest": {"Item": item}} for item in items[begin : begin + 25]]
            self.client.batch_write_item(RequestItems={table: wanted})

    def read(self, table: str, **asked: Any) -> list[dict[str, Any]]:
        """The rows of a table, as they come."""
        with self.opened() as source:
            found = source.read_buffer(ReadRequest(table=TableName("dynamodb", table), **asked)).to_arrow()
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


class Shop(DocumentShop):
    """A store, and a warehouse that takes it."""

    def __init__(self, store: Store, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__("dynamodb", folder, capsys)
        self.store = store

    def take(self, *entries: str, limits: str = "", **profile: Any) -> None:
        """el.yml with these tables, such as "orders, strategy: full"."""
        self.profiles({**self.store.output, **profile})
        self.el_yml(entries, limits)


@pytest.fixture
def store() -> Iterator[Store]:
    output = shared()
    client = client_of(output)
    yield Store(output, client)
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    client.close()


@pytest.fixture
def shop(store: Store, folder: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(store, folder, capsys)


@pytest.fixture
def orders(shop: Shop) -> Shop:
    shop.store.table("orders")
    shop.take(ORDERS)
    return shop


def source_of(shop: Shop) -> list[tuple[str, str]]:
    pages = shop.store.client.get_paginator("scan").paginate(TableName="orders", ConsistentRead=True)
    return sorted((item["id"]["S"], text_of(item).decode()) for page in pages for item in page["Items"])


def state_of(shop: Shop) -> list[tuple[Any, ...]]:
    return state_from_raw(shop.raw, "shop_dynamodb", "orders", "id", "id, document")


def change(shop: Shop, chance: random.Random, count: int) -> None:
    client = shop.store.client
    for _ in range(count):
        key = {"id": {"S": str(chance.randint(0, 20))}}
        if chance.random() < 0.3:
            client.delete_item(TableName="orders", Key=key)
        else:
            values = {"n": {"N": str(chance.random())}, "s": {"SS": ["b", "a"]}, "b": {"B": chance.randbytes(3)}}
            client.put_item(TableName="orders", Item={**key, **values})
