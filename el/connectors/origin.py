"""What a server is told of who asks: the run and the role. A process does one run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from el.connectors.access import Access

_runs: list[str] = []


@contextmanager
def of_run(run_id: str) -> Iterator[None]:
    """Connections that are opened inside, in any thread, say that they are of this run."""
    _runs.append(run_id)
    try:
        yield
    finally:
        _runs.remove(run_id)


def current_run() -> str | None:
    """The run of this process; None where there is none, as in a program that reads and writes by itself."""
    return _runs[-1] if _runs else None


def in_words(access: Access) -> str:
    """Such as "el run=1f2e3d4c5b6a role=engineer": short enough for every server's field."""
    run = current_run()
    return f"el run={run} role={access}" if run else f"el role={access}"
