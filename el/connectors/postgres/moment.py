"""One moment for the parts of a read: a session holds a snapshot, and all that read a part take it over.

PostgreSQL Documentation, "Snapshot Synchronization Functions". The session is opened when the first part is read, and
ends with the last one, or a minute after nobody reads any longer: while it is open, the server removes no old rows.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from el.connectors.postgres.driver import Driver
from el.connectors.sql.select import Statement
from el.connectors.sql.split import Range
from el.errors import ReadError

LINGER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Part(Range):
    """A range of a read. moment: that of all its parts, of which there are `of`. process: where they were planned."""

    one_moment: ClassVar[bool] = True

    moment: str = ""
    number: int = 0
    of: int = 1
    process: int = field(default_factory=os.getpid, compare=False)


def parts(ranges: tuple[Range, ...]) -> tuple[Part, ...]:
    """The same ranges, of one moment."""
    moment = uuid.uuid4().hex
    return tuple(Part(each.where, moment, number, len(ranges)) for number, each in enumerate(ranges))


@dataclass
class _Held:
    """A snapshot that is held. left: the parts that were not read to their end; driver: None after it was let go."""

    left: set[int]
    readers: int = 0
    driver: Driver | None = None
    snapshot: str = ""
    timer: threading.Timer | None = None


_held: dict[str, _Held] = {}
_lock = threading.Lock()


@contextmanager
def held_for(part: Part, connect: Callable[[], Driver]) -> Iterator[tuple[str | None, Callable[[], None]]]:
    """The snapshot of a part, and what says that the part was read to its end.

    None in another process than that which planned the read: there each part sees a moment of its own.
    """
    if part.process != os.getpid():
        yield None, lambda: None
        return
    with _lock:
        found = _held.setdefault(part.moment, _Held(set(range(part.of))))
        if found.driver is None or not found.driver.is_open:
            _take(found, connect)
        if found.timer is not None:
            found.timer.cancel()
            found.timer = None
        found.readers += 1

    def done() -> None:
        found.left.discard(part.number)

    try:
        yield found.snapshot, done
    finally:
        with _lock:
            found.readers -= 1
            if not found.left:
                _let_go(found)
                del _held[part.moment]
            elif not found.readers:
                found.timer = threading.Timer(LINGER_SECONDS, _let_go, (found,))
                found.timer.daemon = True
                found.timer.start()


def _take(held: _Held, connect: Callable[[], Driver]) -> None:
    if held.snapshot:
        raise ReadError("the moment at which the other parts of this table were read is over: run it again")
    driver = connect()
    try:
        driver.begin("ISOLATION LEVEL REPEATABLE READ READ ONLY")
        held.snapshot = str(driver.fetch(Statement("SELECT pg_export_snapshot()"))[0][0])
    except BaseException:
        driver.close()
        raise
    held.driver = driver


def _let_go(held: _Held) -> None:
    driver, held.driver = held.driver, None
    if driver is not None:
        driver.close()
