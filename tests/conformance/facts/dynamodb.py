"""DynamoDB, as the suite for stores without a schema needs to know it: Amazon's own server for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from tests.conformance.documents import DocumentFacts, DocumentStock
from tests.servers.dynamodb import client_of, make_table, shared

VALUES = (b"", b"\x00", bytes(range(256)), "Größe 日本 😀".encode(), b"1", b'"', b"\\", b"{}", b"x" * 390_000)
TABLES = ("things", "documents")


class DynamoStock(DocumentStock):
    """Each document is an item in two tables, so that both have it."""

    key_column = "id"
    text_of_v = "$.v.S"
    schema = "dynamodb"
    more: ClassVar[dict[str, str]] = {"things": "promote: {value: {path: v, type: binary}}"}

    def __init__(self) -> None:
        self.output = shared()
        self.client: Any = client_of(self.output)
        for name in TABLES:
            make_table(self.client, name, id="S")

    def put(self, number: int, value: bytes) -> None:
        for name in TABLES:
            self.client.put_item(TableName=name, Item={"id": {"S": self.key(number)}, "v": _text_or_bytes(value)})

    def remove(self, number: int) -> None:
        for name in TABLES:
            self.client.delete_item(TableName=name, Key={"id": {"S": self.key(number)}})

    def key(self, number: int) -> str:
        return f"k{number}"

    def log(self, value: bytes) -> None:
        raise NotImplementedError

    def forget(self) -> None:
        raise NotImplementedError

    def rows_to_write(self, numbers: range) -> dict[str, list[Any]]:
        return {"id": [self.key(number) for number in numbers], "v": ["1"] * len(numbers)}


def _text_or_bytes(value: bytes) -> dict[str, Any]:
    try:
        return {"S": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"B": value}


@contextmanager
def _opened() -> Iterator[DocumentStock]:
    stock = DynamoStock()
    try:
        yield stock
    finally:
        for name in TABLES:
            stock.client.delete_table(TableName=name)
        stock.client.close()


DYNAMODB = DocumentFacts("dynamodb", VALUES, _opened, has_log=False)
