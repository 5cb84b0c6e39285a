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
        # Whoever passes bytes closes what it has: a number that is free again is the next connection's.
        cut, self._open = self._open, []
        for end in cut:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut_after(self, size: int) -> None:
        """Cut it once the server has sent so many bytes more."""
        self._left = size

    @property
    def is_to_be_cut(self) -> bool:
        """Whether the bytes of `cut_after` have not passed yet."""
        return self._left is not None

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                if self._listening.fileno() < 0:
                    return
                continue
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
