"""What shall go wrong, on request: a server that cuts, stalls, refuses or dawdles, exactly where a test says.

Each fault is used up when it has struck `times` times. Counts begin when the fault is set.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .errors import SqlError

if TYPE_CHECKING:
    from .packets import Channel

# number: (text, severity, state) of what a server may answer at any time.
ERRORS = {
    1205: (
        "Transaction (Process ID 51) was deadlocked on lock resources with another process and has been chosen as the "
        "deadlock victim. Rerun the transaction.",
        13,
        51,
    ),
    3961: (
        "Snapshot isolation transaction failed in database 'shop' because the object accessed by the statement has "
        "been modified by a DDL statement in another concurrent transaction since the start of this transaction.",
        16,
        1,
    ),
    1222: ("Lock request time out period exceeded.", 16, 51),
    40613: (
        "Database 'shop' on server 'db01' is not currently available. Please retry the connection later.",
        17,
        1,
    ),
    40197: ("The service has encountered an error processing your request. Please try again.", 20, 1),
}
# Waits so many seconds, or until the client asks to stop.
Waits = Callable[[float], None]


@dataclass
class _Fault:
    kind: str
    after: int
    value: float = 0
    error: SqlError | None = None
    like: str = ""
    times: int = 1
    seen: int = 0


@dataclass
class Faults:
    """The faults of a server; set through its methods, `clear` ends them."""

    _set: list[_Fault] = field(default_factory=list)
    # What SERVERPROPERTY and DATABASEPROPERTYEX answer instead, by their names in lower case.
    told: dict[str, str | int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        with self._lock:
            self._set.clear()
            self.told.clear()

    def cut_after_bytes(self, count: int, times: int = 1) -> None:
        """Ends a connection when it was sent `count` more bytes, within a packet or between two."""
        self._add(_Fault("bytes", count, times=times))

    def cut_after_rows(self, count: int, times: int = 1) -> None:
        """Ends a connection when `count` rows more have gone out."""
        self._add(_Fault("rows", count, times=times))

    def stall_after_rows(self, count: int, seconds: float, times: int = 1) -> None:
        """Sends nothing for that long after `count` rows."""
        self._add(_Fault("stall", count, seconds, times=times))

    def rows_per_second(self, rate: float) -> None:
        """Sends rows no faster, until `clear`."""
        self._add(_Fault("slow", 0, rate))

    def fail_statement(self, nth: int = 1, error: int = 1205, like: str = "", times: int = 1) -> None:
        """Answers the nth batch or call that holds the text `like` with an error of `ERRORS`, in place of doing it."""
        text, severity, state = ERRORS[error]
        problem = SqlError(error, text, severity, state)
        self._add(_Fault("statement", nth, error=problem, like=like.lower(), times=times))

    def hang_statement(self, nth: int = 1, seconds: float = 3600, like: str = "", times: int = 1) -> None:
        """Lets the nth batch or call wait that long before it is done: what a client's timeout is for."""
        self._add(_Fault("hang", nth, seconds, like=like.lower(), times=times))

    def fail_login(self, nth: int = 1, times: int = 1, error: int | None = None) -> None:
        """Refuses the nth login from now, right or not, and the `times` - 1 after it: 18456, or one of `ERRORS`."""
        problem = SqlError(error, *ERRORS[error]) if error is not None else None
        self._add(_Fault("login", nth, error=problem, times=times))

    def tell(self, name: str, value: str | int) -> None:
        """Lets SERVERPROPERTY or DATABASEPROPERTYEX answer this, as another edition or version would.

        "language" is that of logins from now on, "rowcount_big" what that function gives.
        """
        self.told[name.lower()] = value

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._set.append(fault)

    def login_error(self, failed: SqlError) -> SqlError | None:
        """With what a login is refused by a fault, `failed` where it says nothing else; None where none strikes."""
        struck = [fault for fault in self.of("login") if self.strike(fault, 1)]
        return (struck[0].error or failed) if struck else None

    def of(self, kind: str) -> list[_Fault]:
        return [fault for fault in list(self._set) if fault.kind == kind] if self._set else []

    def strike(self, fault: _Fault, count: int) -> bool:
        """Counts; whether the fault strikes now."""
        with self._lock:
            fault.seen += count
            if fault.seen < fault.after:
                return False
            fault.times -= 1
            if fault.times <= 0 and fault in self._set:
                self._set.remove(fault)
            return True


class FaultyWire:
    """The faults as one connection meets them."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def sent(self, data: bytes) -> bytes:
        """What of `data` goes out; less than all means that the line is cut there."""
        for fault in self.faults.of("bytes"):
            room = fault.after - fault.seen
            if self.faults.strike(fault, len(data)):
                return data[: max(0, room)]
        return data

    def statement(self, sql: str, wait: Waits) -> None:
        """Raises the error that was set for this statement, or waits as was set."""
        for fault in self.faults.of("statement") + self.faults.of("hang"):
            if fault.like in sql.lower() and self.faults.strike(fault, 1):
                if fault.error is not None:
                    raise fault.error
                wait(fault.value)

    def slices(self, ends: np.ndarray, size: int) -> Iterator[tuple[int, int, int]]:
        """Start, stop and rows of the pieces in which rows that end at `ends` go out; faults cut them at their row."""
        at, row = 0, 0
        while row < len(ends):
            until = max(row + 1, int(np.searchsorted(ends, at + size, side="right")))
            for fault in self.faults.of("rows") + self.faults.of("stall"):
                if fault.after > fault.seen:
                    until = min(until, row + fault.after - fault.seen)
            for fault in self.faults.of("slow"):
                until = min(until, row + max(1, int(fault.value / 20)))
            yield at, int(ends[until - 1]), until - row
            at, row = int(ends[until - 1]), until

    def rows_sent(self, channel: Channel, count: int, wait: Waits) -> None:
        for fault in self.faults.of("slow"):
            wait(count / fault.value)
        for fault in self.faults.of("stall"):
            if self.faults.strike(fault, count):
                channel.flush()
                wait(fault.value)
        for fault in self.faults.of("rows"):
            if self.faults.strike(fault, count):
                channel.flush()
                channel.cut()
