"""DynamoDB, as `documents.py` needs to know it: a table on the server of the tests, which is started for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any

TABLE = "dynamodb.orders"


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The profile output of the server."""
    from tests.servers.dynamodb import server

    with server() as output:
        yield output


def client() -> Any:
    from tests.servers.dynamodb import client_of

    return client_of(json.loads(os.environ["EL_BENCH_OUTPUT"]))


def fill(documents: Iterable[dict[str, Any]]) -> None:
    """In requests of 25 items, the most that one takes."""
    from boto3.dynamodb.types import TypeSerializer

    from tests.servers.dynamodb import make_table

    store, typed = client(), TypeSerializer().serialize
    make_table(store, "orders", number="N")
    rest = iter(documents)
    while some := list(islice(rest, 25)):
        exact = json.loads(json.dumps(some), parse_float=Decimal)  # boto3 takes no float
        puts = [{"PutRequest": {"Item": typed(each)["M"]}} for each in exact]
        if store.batch_write_item(RequestItems={"orders": puts})["UnprocessedItems"]:
            raise RuntimeError("the server did not take all items")


def items() -> Iterator[dict[str, Any]]:
    for page in client().get_paginator("scan").paginate(TableName="orders", ConsistentRead=True):
        yield from page["Items"]


def drain() -> int:
    """The bare driver: every item thrown away."""
    return sum(1 for _ in items())


def documents() -> Iterator[dict[str, Any]]:
    """As dlt's users read it: boto3's own values, numbers as decimals."""
    from boto3.dynamodb.types import TypeDeserializer

    value = TypeDeserializer().deserialize
    return ({name: value(each) for name, each in item.items()} for item in items())
