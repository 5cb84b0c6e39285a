"""Redis and Valkey, as the suite for stores without a schema needs to know them: servers that the tests start."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from tests.conformance.documents import DocumentFacts, DocumentStock
from tests.servers.redis import KINDS, shared

VALUES = (b"", b"\x00", bytes(range(256)), "Größe 日本 😀".encode(), b"1", b'"', b"\\", b"{}", b"x" * 400_000)


@dataclass
class RedisStock(DocumentStock):
    """Each document is a hash with the field `v`; the log is a stream."""

    def __init__(self, output: Mapping[str, Any]) -> None:
        self.prefix = f"s{uuid.uuid4().hex[:12]}"
        tables = {
            "things": {"match": f"{self.prefix}:*", "type": "hash"},
            "documents": {"match": f"{self.prefix}:*", "type": "hash", "document": True},
            "log": {"stream": f"{self.prefix}-log"},
        }
        self.output = {**output, "tables": tables}
        self.schema = "db0"
        self.client: Any = redis.Redis(port=output["port"], password=output["password"], protocol=2)

    def put(self, number: int, value: bytes) -> None:
        self.client.hset(f"{self.prefix}:{number}", "v", value)

    def remove(self, number: int) -> None:
        self.client.delete(f"{self.prefix}:{number}")

    def key(self, number: int) -> bytes:
        return f"{self.prefix}:{number}".encode()

    def log(self, value: bytes) -> None:
        self.client.xadd(f"{self.prefix}-log", {"v": value})

    def forget(self) -> None:
        self.client.execute_command("XTRIM", f"{self.prefix}-log", "MAXLEN", 0)

    def rows_to_write(self, numbers: range) -> dict[str, list[Any]]:
        return {"key": [self.key(number) for number in numbers], "v": ["1"] * len(numbers)}


@contextmanager
def _opened(kind: str) -> Iterator[DocumentStock]:
    stock = RedisStock(shared(kind))
    try:
        yield stock
    finally:
        stock.client.flushall()
        stock.client.close()


REDIS = tuple(
    DocumentFacts(f"redis-{kind}", VALUES, lambda kind=kind: _opened(kind))  # type: ignore[misc]
    for kind in KINDS
)
