"""A long read that looks whether it stands in somebody's way at the source, and stops itself where it does.

Guarantees: whoever waits for a read of el waits no longer than `blocked_seconds` and one look more; the version store
is looked at while it can grow, not only before. A statement that reads holds a schema lock until its last row, under
SNAPSHOT too (Microsoft Learn, "Transaction locking and row versioning guide"): a change of the table waits for it, and
everybody else's queries wait behind that change. The look is made on a connection of its own, once a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from el.config.profiles import Output
from el.connectors.base import PressureSource, Source
from el.connectors.registry import open_connector
from el.errors import SourceBusy


@dataclass(frozen=True, slots=True)
class Watch:
    """What stops a read. every: seconds between two looks.

    blocked_seconds: how long another session may wait for the read; None: as long as it takes. version_store_mb: how
    large the version store may be.
    """

    blocked_seconds: int | None = None
    version_store_mb: int | None = None
    every: float = 60

    def begin(self, table: str, source: Source, output: Output) -> Callable[[], None]:
        """What is called after each batch: a look, where one is due. Raises `SourceBusy`."""
        session = source.session if isinstance(source, PressureSource) else None
        if session is None or (self.blocked_seconds is None and self.version_store_mb is None):
            return lambda: None
        last = time.monotonic()

        def look() -> None:
            nonlocal last
            if time.monotonic() - last < self.every:
                return
            with open_connector(output.settings, str(output)) as other:
                assert isinstance(other, PressureSource)
                self._look(table, session, other)
            last = time.monotonic()

        return look

    def _look(self, table: str, session: str, other: PressureSource) -> None:
        waited = other.waiting_for(session) if self.blocked_seconds is not None else None
        if waited is not None and self.blocked_seconds is not None and waited >= self.blocked_seconds:
            raise SourceBusy(
                f"{table}: another session of the source has waited {waited} s for this read, and "
                f"source_limits.blocked_seconds is {self.blocked_seconds}: the read was stopped"
            )
        store = other.pressure().version_store_mb if self.version_store_mb is not None else None
        if store is not None and self.version_store_mb is not None and store > self.version_store_mb:
            raise SourceBusy(
                f"{table}: the version store of the source has grown to {store:,} MB, and "
                f"source_limits.version_store_mb is {self.version_store_mb:,}: the read was stopped"
            )
