"""MongoDB, as `documents.py` needs to know it: a collection on the server of the tests, which is started for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

TABLE = "shop.orders"


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The profile output of the server."""
    from tests.servers.mongodb import server

    with server() as output:
        yield output


def collection() -> Any:
    from pymongo import MongoClient

    found = json.loads(os.environ["EL_BENCH_OUTPUT"])
    return MongoClient(found["host"], found["port"])["shop"]["orders"]


def fill(documents: Iterable[dict[str, Any]]) -> None:
    """With the types that MongoDB has and JSON has not."""
    from bson.decimal128 import Decimal128

    orders = collection()
    rest = iter(documents)
    while some := list(islice(rest, 5_000)):
        for each in some:
            each["total"] = Decimal128(f"{each['total']:.2f}")
            each["placed_at"] = datetime.fromisoformat(each["placed_at"])
        orders.insert_many(some)


def drain() -> int:
    """The bare driver: every document thrown away."""
    return sum(1 for _ in collection().find())


def documents() -> Iterator[dict[str, Any]]:
    """As dlt's source has them: ids and decimals as text."""
    from bson.decimal128 import Decimal128
    from bson.objectid import ObjectId
    from dlt.common.utils import map_nested_in_place

    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, ObjectId | Decimal128) else value

    return (map_nested_in_place(plain, document) for document in collection().find())
