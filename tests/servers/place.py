"""A place with files: what the tests of stores need of any of them."""

from __future__ import annotations

import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


class Place(ABC):
    """One folder, bucket or container. settings: of a profile that may read it, but for `url`."""

    root: str  # "s3://bucket", "file:///folder"
    missing: str  # the root of one that is not there
    settings: Mapping[str, Any] = {}
    many = 3000  # how many files make several pages of a list, in a time that a test may take

    @abstractmethod
    def put(self, name: str, data: bytes) -> None: ...

    @abstractmethod
    def delete(self, name: str) -> None: ...

    def put_many(self, names: list[str]) -> None:
        """Files that are small."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: self.put(name, b"x"), names))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server in a process of its own, up when its port answers."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise RuntimeError(
                        f"{command[0]} did not start: {log.read_text(errors='replace')[-500:]}"
                    ) from None
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
