"""The sessions of the source that a run's slices read over: one that is done with is kept for the next slice.

A login costs a server and a network 10 ms to a second, and a run of a thousand tables asked for one each. Guarantees: a
session is used by one slice at a time; one in which anything went wrong is closed; there are never more than slices at
work, so that `source_limits.connections` holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from el.config.profiles import Output
from el.connectors.base import Source
from el.connectors.registry import open_source
from el.errors import ElError


class SessionLost(Exception):
    """A session broke before it gave a row, and it had been kept from an earlier slice: a server or a firewall may
    have ended it while nobody used it. Another one will do."""


class Sessions:
    """The sessions of one source."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = Lock()
        self._free: list[Source] = []

    @contextmanager
    def session(self) -> Iterator[tuple[Source, bool]]:
        """An open session, and whether it was kept. It is kept if what is done with it ends well, else closed."""
        with self._lock:
            kept = self._free.pop() if self._free else None
        source = kept or opened(self._output)
        try:
            yield source, kept is not None
        except BaseException:
            with suppress(ElError):
                source.close()
            raise
        with self._lock:
            self._free.append(source)

    def close(self) -> None:
        """End those that nobody uses."""
        with self._lock:
            free, self._free = self._free, []
        for source in free:
            with suppress(ElError):
                source.close()


def opened(output: Output) -> Source:
    """A session of its own. Raises as `open_source` and `Connector.connect`."""
    source = open_source(output.settings, str(output))
    source.connect()
    return source
