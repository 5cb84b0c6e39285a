"""A real MariaDB (Debian's mariadb-server) in a private folder and on a free port; it is no service of the system.

Its own settings are such as must not reach a session of el: another time zone, another sql_mode, few rows of a SELECT.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificate import signed_by_itself
from tests.servers.place import Process, free_port

PASSWORD = "Kx7-quartz-19-ß"
HOSTILE = ("ANSI_QUOTES", "PAD_CHAR_TO_FULL_LENGTH", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "NO_ZERO_IN_DATE")


def missing() -> str | None:
    """What is not installed, or None."""
    absent = [name for name in ("mariadbd", "mariadb-install-db") if _found(name) is None]
    return f"{' and '.join(absent)} (apt-get install mariadb-server)" if absent else None


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def mariadb(*options: str) -> Iterator[dict[str, Any]]:
    """The profile output of a server that is started, and ended with its folder."""
    with tempfile.TemporaryDirectory(prefix="el-mariadb-") as name:
        folder = Path(name)
        installed = [
            str(_found("mariadb-install-db")),
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            "--skip-test-db",
        ]
        subprocess.run(
            [*installed, "--auth-root-authentication-method=normal", *_as_root()],
            check=True,
            capture_output=True,
            timeout=120,
        )
        (folder / "users.sql").write_text(
            f"CREATE USER 'el'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO 'el'@'%' WITH GRANT OPTION;\n"
        )
        port, certificate = free_port(), signed_by_itself(folder)
        # Of its own: a server that starts removes from it the tables that another has there for the time being.
        (folder / "tmp").mkdir()
        settings = {
            "datadir": folder / "data",
            "tmpdir": folder / "tmp",
            "port": port,
            "bind-address": "127.0.0.1",
            "socket": folder / "socket",
            "pid-file": folder / "pid",
            "init-file": folder / "users.sql",
            "character-set-server": "utf8mb4",
            "default-time-zone": "+05:30",
            "sql-mode": ",".join(HOSTILE),
            "ssl-cert": certificate,
            "ssl-key": certificate,
            "server-id": 7,
            "log-bin": "log",
            "binlog-format": "ROW",
            "binlog-row-metadata": "FULL",
            # Fast, and nothing of it has to outlive this machine's crash.
            "innodb-buffer-pool-size": "64M",
            "innodb-log-file-size": "16M",
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-doublewrite": 0,
            "sync-binlog": 0,
            "performance-schema": "OFF",
        }
        command = [str(_found("mariadbd")), "--no-defaults", *_as_root()]
        command += [*(f"--{key}={value}" for key, value in settings.items()), *options]
        server = Process(command, port, folder / "output")
        try:
            yield {
                "type": "mysql",
                "host": "localhost",
                "port": port,
                "user": "el",
                "password": PASSWORD,
                "ssl_ca": str(folder / "ca.pem"),
            }
        finally:
            server.stop()


def _as_root() -> list[str]:
    # A server that root starts has to be told that this is meant.
    return ["--user=root"] if os.geteuid() == 0 else []


@cache
def shared() -> dict[str, Any]:
    """That of a server for all tests of this process. A test that asks for it is skipped where there is none."""
    if (absent := missing()) is not None:
        pytest.skip(f"no MariaDB: {absent}")
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(mariadb())
