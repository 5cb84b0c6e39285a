"""A line to a server that can be cut: whoever talks over it learns of it, and may come back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Line:
    """Passes bytes between a port of its own and a server, until it is cut; new connections pass again."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._left: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def cut_after(self, size: int) -> None:
        """Cut it once the server has sent so many bytes more."""
        self._left = size

    @property
    def is_to_be_cut(self) -> bool:
        """Whether the bytes of `cut_after` have not passed yet."""
        return self._left is not None

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for passing, here, there in ((self._pass, client, server), (self._pass_counted, server, client)):
                    threading.Thread(target=passing, args=(here, there), daemon=True).start()

    def _pass_counted(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                left = self._left
                if left is not None and len(data) >= left:
                    client.sendall(data[:left])
                    self._left = None
                    self.cut()
                    return
                self._left = None if left is None else left - len(data)
                client.sendall(data)
        self._end(server, client)

    def _pass(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65_536):
                there.sendall(data)
        self._end(here, there)

    @staticmethod
    def _end(here: socket.socket, there: socket.socket) -> None:
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
