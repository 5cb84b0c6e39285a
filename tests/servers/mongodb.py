"""A server of MongoDB's protocol in a process of its own, in a private folder and on a free port: SecantusDB.

It keeps a log and has transactions, as a replica set of one server. What it does otherwise: docs/mongodb.md.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.servers.certificate import signed_by_itself
from tests.servers.place import Process, free_port

USER, PASSWORD = "owner", "Kx7-quartz-19-ß"


@contextmanager
def server(*options: str, tls: bool = False, users: bool = False) -> Iterator[dict[str, Any]]:
    """The profile output of a server that is started, and ended with its folder. users: it asks who it is."""
    if find_spec("secantus") is None:
        pytest.skip("no server of MongoDB's protocol (pip install secantusdb)")
    with tempfile.TemporaryDirectory(prefix="el-mongodb-") as name:
        folder, port = Path(name), free_port()
        output: dict[str, Any] = {"type": "mongodb", "host": "127.0.0.1", "port": port, "database": "shop"}
        output["encrypt"] = tls
        more = list(options)
        if tls:
            certificate = str(signed_by_itself(folder))
            more += ["--tls-cert-file", certificate, "--tls-key-file", certificate]
            output["ssl_ca"] = str(folder / "ca.pem")
        if users:
            _with_owner(folder, port)
            more += ["--auth"]
            output |= {"user": USER, "password": PASSWORD, "auth_source": "admin"}
        process = _started(folder, port, *more)
        try:
            yield output
        finally:
            process.stop()
            shutil.rmtree(folder / "data", ignore_errors=True)


def client_of(output: dict[str, Any]) -> MongoClient[dict[str, Any]]:
    """The tests' own way to a server."""
    return MongoClient(
        output["host"],
        output["port"],
        username=output.get("user"),
        password=output.get("password"),
        authSource=output.get("auth_source", "admin"),
        tls=output["encrypt"],
        tlsCAFile=output.get("ssl_ca"),
        serverSelectionTimeoutMS=15_000,
    )


@cache
def shared(*options: str, users: bool = False) -> dict[str, Any]:
    """That of a server for all tests of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(server(*options, users=users))


def _started(folder: Path, port: int, *options: str) -> Process:
    command = [sys.executable, "-m", "secantus", "--port", str(port), "--storage-path", str(folder / "data")]
    (folder / "secantusd.toml").write_text("")
    return Process([*command, "--config", str(folder / "secantusd.toml"), *options], port, folder / "output")


def _with_owner(folder: Path, port: int) -> None:
    process = _started(folder, port)
    try:
        with MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=15_000) as client:
            client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
    finally:
        process.process.terminate()
        process.process.wait(30)
