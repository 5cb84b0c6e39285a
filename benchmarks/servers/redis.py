"""Redis, as `documents.py` needs to know it: JSON in strings, of a Valkey that is started for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

TABLE = "db0.orders"


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The profile output of the server. Nobody encrypts: what is compared is the readers."""
    from tests.servers.redis import server

    with server("valkey") as output:
        yield {**output, "tables": {"orders": {"match": "order:*", "type": "string", "document": True}}}


def connect() -> Any:
    import redis

    found = json.loads(os.environ["EL_BENCH_OUTPUT"])
    return redis.Redis(port=found["port"], password=found["password"], protocol=2)


def fill(documents: Iterable[dict[str, Any]]) -> None:
    client = connect()
    rest = iter(documents)
    while some := list(islice(rest, 10_000)):
        client.mset({f"order:{each['number']}": json.dumps(each, ensure_ascii=False) for each in some})


def texts() -> Iterator[tuple[bytes, int]]:
    """Values, and when they expire: what el has of them too."""
    client = connect()
    cursor = None
    while cursor != 0:
        cursor, keys = client.scan(cursor or 0, match="order:*", count=1_000)
        if keys:
            pipe = client.pipeline(transaction=False)
            for key in keys:
                pipe.pexpiretime(key)
            yield from zip(client.mget(keys), pipe.execute(), strict=True)


def drain() -> int:
    """The bare driver: every value thrown away."""
    return sum(1 for _ in texts())


def documents() -> Iterator[dict[str, Any]]:
    return ({**json.loads(text), "expires": expires} for text, expires in texts())
