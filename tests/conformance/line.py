"""A line to a server that can be cut: whoever talks over it learns of it, and may come back.

It passes bytes in a process of its own: a driver that holds Python's lock while it waits for the server would keep a
thread of the same process from ever passing or cutting anything.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class Line:
    """The line, as a test has it in hand."""

    def __init__(self, host: str, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), host, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.port = int(self._said())

    def cut(self) -> None:
        """Cut what is open now; new connections pass again."""
        self._ask("cut")

    def cut_after(self, size: int) -> None:
        """Cut it once the server has sent so many bytes more."""
        self._ask("cut_after", size)

    @property
    def is_to_be_cut(self) -> bool:
        """Whether the bytes of `cut_after` have not passed yet."""
        return bool(self._ask("is_to_be_cut"))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)

    def _ask(self, *words: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        return self._said()

    def _said(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class _Passing:
    """What passes the bytes, in the line's own process."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._left: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        # Whoever passes bytes closes what it has: a number that is free again is the next connection's.
        cut, self._open = self._open, []
        for end in cut:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut_after(self, size: int) -> None:
        self._left = size

    def is_to_be_cut(self) -> bool:
        return self._left is not None

    def _accept(self) -> None:
        while True:
            with suppress(OSError):
                client, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        """Pass both ways until either end is gone. A server that does not answer is the client's to hear of."""
        with client, suppress(OSError), socket.create_connection(self._server) as server:
            self._open += [client, server]
            back = threading.Thread(target=self._pass, args=(server, client, True), daemon=True)
            back.start()
            self._pass(client, server, False)
            back.join()

    def _pass(self, here: socket.socket, there: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := here.recv(65_536):
                left = self._left
                if counted and left is not None and len(data) >= left:
                    there.sendall(data[:left])
                    self._left = None
                    self.cut()
                elif counted and left is not None:
                    self._left = left - len(data)
                    there.sendall(data)
                else:
                    there.sendall(data)
        for end in (here, there):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(host: str, port: int) -> Iterator[Line]:
    line = Line(host, port)
    try:
        yield line
    finally:
        line.close()


def main() -> None:
    """Pass bytes to the server of the arguments, and do what standard input says, until it ends."""
    passing = _Passing(sys.argv[1], int(sys.argv[2]))
    print(json.dumps(passing.port), flush=True)
    for asked in sys.stdin:
        name, *arguments = json.loads(asked)
        print(json.dumps(getattr(passing, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
