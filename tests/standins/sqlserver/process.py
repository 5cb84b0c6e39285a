"""The stand-in in a process of its own, which is how tests run it.

mssql-python holds Python's lock while it reads long values: a server in the same process could never send them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class RemoteFaults:
    """`Faults` of the other process: same methods, same arguments."""

    def __init__(self, process: StandInProcess) -> None:
        self._process = process

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: object, **keywords: object) -> None:
            self._process.tell([name, arguments, keywords])

        return call


class StandInProcess:
    """Starts when entered or with `start`; ends with `stop`, or when this process ends. Memory is its own."""

    def __init__(self, *, tls: bool = True, load: Path | None = None) -> None:
        self.user, self.password = "sa", "Stand_in_2026"
        self.host, self.port = "127.0.0.1", 0
        self.tls = tls
        self.faults = RemoteFaults(self)
        self._load = load
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> StandInProcess:
        command = [sys.executable, "-m", "tests.standins.sqlserver", "--port", "0", "--control"]
        command += ["--user", self.user, "--password", self.password] + ([] if self.tls else ["--no-tls"])
        command += ["--load", str(self._load)] if self._load else []
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
        )
        while not (line := self._line()).startswith("listens on"):
            pass
        self.port = int(line.split()[2].rpartition(":")[2])
        return self

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stand-in ended with {self._process.wait()}")
        return line

    def tell(self, message: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        self._line()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.communicate()

    def __enter__(self) -> StandInProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def output(self, database: str = "master") -> dict[str, Any]:
        """The server as an output of profiles.yml."""
        return {
            "type": "sqlserver",
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": database,
            "encrypt": self.tls,
            "trust_cert": True,
        }
