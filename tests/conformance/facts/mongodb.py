"""MongoDB, as the suite for stores without a schema needs to know it: a server of its protocol that the tests start."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from bson.binary import Binary

from tests.conformance.documents import DocumentFacts, DocumentStock
from tests.servers.mongodb import client_of, shared

VALUES = (b"", b"\x00", bytes(range(256)), "Größe 日本 😀".encode(), b"1", b'"', b"\\", b"{}", b"x" * 400_000)
FIELD = "promote: {value: {path: v, type: binary}}"
# So few that a test can let it forget.
OPLOG = 400


class MongoStock(DocumentStock):
    """Each document stands in two collections, so that both tables have it; the log is a third one."""

    key_column = "_id"
    order_column = "_id"
    more: ClassVar[Mapping[str, str]] = {
        "things": f"strategy: full, {FIELD}",
        "documents": "strategy: full",
        "log": FIELD,
    }

    def __init__(self) -> None:
        self.schema = f"s{uuid.uuid4().hex[:12]}"
        self.output = {**shared("--oplog-max-entries", str(OPLOG)), "database": self.schema}
        self.client = client_of(self.output)
        self.database = self.client[self.schema]
        for name in ("things", "documents", "log"):
            self.database.create_collection(name)
        self.entries = 0

    def put(self, number: int, value: bytes) -> None:
        document = {"_id": f"k{number}", "v": _text_or_bytes(value)}
        for name in ("things", "documents"):
            self.database[name].replace_one({"_id": document["_id"]}, document, upsert=True)

    def remove(self, number: int) -> None:
        for name in ("things", "documents"):
            self.database[name].delete_one({"_id": f"k{number}"})

    def key(self, number: int) -> str:
        return f'"k{number}"'

    def log(self, value: bytes) -> None:
        self.entries += 1
        self.database.log.insert_one({"_id": f"{self.entries:09d}", "v": _text_or_bytes(value)})

    def forget(self) -> None:
        self.database.others.insert_many([{"n": number} for number in range(OPLOG + 1)])
        self.client.admin.command("secantusAdmin.pruneOplog")

    def rows_to_write(self, numbers: range) -> dict[str, list[Any]]:
        return {"_id": [self.key(number) for number in numbers], "v": ["1"] * len(numbers)}


def _text_or_bytes(value: bytes) -> str | Binary:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return Binary(value)


@contextmanager
def _opened() -> Iterator[DocumentStock]:
    stock = MongoStock()
    try:
        yield stock
    finally:
        stock.client.drop_database(stock.schema)
        stock.client.close()


MONGODB = DocumentFacts("mongodb", VALUES, _opened)
