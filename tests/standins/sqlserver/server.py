"""The stand-in as a server: a loopback port, logins, one thread a connection, and the watch for cancels.

Guarantees: `start` returns when the port answers; any number of servers run at once, each with databases of its own;
`stop` ends every connection, so that what was not committed is gone. Not a SQL Server: see the package's docstring.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from .connection import Connection
from .engine import Engine
from .errors import SqlError
from .faults import Faults
from .packets import self_signed_context
from .session import Session
from .wire import Column

T = TypeVar("T")
WATCH_EVERY = 0.05


class _Silent:
    """An `Output` that keeps nothing but the first error."""

    def rows(self, columns: list[Column], reader: pa.RecordBatchReader) -> int:
        return sum(batch.num_rows for batch in reader)

    def done(self, command: str, count: int | None) -> None:
        pass

    def info(self, problem: SqlError) -> None:
        if problem.severity > 10:
            raise problem

    def env(self, token: bytes) -> None:
        pass

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class SqlServerStandIn:
    """A server on `host`; port 0 takes any free one, which `port` tells once it is started.

    users: login -> password. tls: offer encryption, with a certificate made at start (`certificate`, PEM); without it
    a client that insists on encryption is refused. faults: what shall go wrong, changeable while it runs.
    """

    def __init__(
        self, users: dict[str, str] | None = None, *, tls: bool = True, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.users = users or {"sa": "Stand_in_2026"}
        self.sysadmins = {name.lower() for name in self.users}
        self.host = host
        self.port = port
        self.engine = Engine()
        self.faults = Faults()
        self.context: ssl.SSLContext | None = None
        self.certificate = b""
        if tls:
            self.context, self.certificate = self_signed_context()
        self._connections: set[Connection] = set()
        self._threads: set[threading.Thread] = set()
        self._busy: dict[Session, list[socket.socket]] = {}
        self._lock = threading.Lock()
        self._something_runs = threading.Event()
        self.stopping = False
        self._listener: socket.socket | None = None

    def start(self) -> SqlServerStandIn:
        self._listener = socket.create_server((self.host, self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        for work in (self._accept, self._watch):
            threading.Thread(target=work, daemon=True, name=f"sqlserver-{self.port}").start()
        return self

    def stop(self) -> None:
        self.stopping = True
        self._something_runs.set()
        if self._listener is not None:
            # A closed socket alone does not wake the thread that waits in accept.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._lock:
            connections, threads, busy = list(self._connections), list(self._threads), list(self._busy)
        for session in busy:
            session.con.interrupt()
        for connection in connections:
            connection.channel.cut()
        for thread in threads:
            thread.join(10)
        self.engine.close()

    def __enter__(self) -> SqlServerStandIn:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def load(self, script: Path) -> int:
        """Runs a script's batches, which end with GO, as the first login in master; how many there were."""
        session = Session(self, _Silent(), next(iter(self.users)))
        batches = [b for b in re.split(r"(?im)^\s*GO\s*;?\s*$", script.read_text("utf-8")) if b.strip()]
        try:
            for number, batch in enumerate(batches, 1):
                try:
                    session.run(batch)
                except SqlError as error:
                    raise SystemExit(f"{script}, batch {number}: error {error.number}: {error.message}") from None
        finally:
            session.close()
        return len(batches)

    def _accept(self) -> None:
        assert self._listener is not None
        while not self.stopping:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._listener.fileno() < 0:
                    return
                # A client that went before it was taken, or too many open files for a moment: the next one is served.
                time.sleep(0.01)
                continue
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(Connection(self, sock),), daemon=True)
            with self._lock:
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            connection.serve()
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._threads.discard(threading.current_thread())

    # --- what sessions ask

    def sessions_and(self, session: Session) -> list[Session]:
        """All sessions, the asking one among them."""
        with self._lock:
            found = {c.session for c in self._connections if c.session is not None}
        return sorted(found | {session}, key=lambda s: s.spid)

    def interruptible(self, session: Session, work: Callable[[], T]) -> T:
        """Runs `work`; what the client sends meanwhile can only be an attention, and interrupts DuckDB."""
        channel = getattr(session.out, "channel", None)
        if channel is None:
            return work()
        with self._lock:
            # A list of its own for each piece of work: what is heard later is the next request, and no attention.
            self._busy[session] = [channel.sock]
        self._something_runs.set()
        try:
            return work()
        finally:
            with self._lock:
                self._busy.pop(session, None)

    def _watch(self) -> None:
        while not self.stopping:
            self._something_runs.wait()
            with self._lock:
                busy = dict(self._busy)
                if not busy:
                    self._something_runs.clear()
                    continue
            try:
                heard = set(select.select([sock for (sock,) in busy.values()], [], [], WATCH_EVERY)[0])
            except (OSError, ValueError):
                heard = set()
            with self._lock:
                for session, work in busy.items():
                    if work[0] in heard and self._busy.get(session) is work:
                        session.con.interrupt()
            if heard:
                self._something_runs.wait(WATCH_EVERY)
                threading.Event().wait(WATCH_EVERY)
