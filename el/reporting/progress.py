"""Progress while a run works, told to a `Reporter`.

On a terminal every table has a line with rows, rows/s, bytes and the time left where the catalog knows the row
count; where there is none, plain lines.
"""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from el.connectors.catalog import TableName
from el.planning.plan import Plan
from el.reporting.text import in_bytes


class Named(Protocol):
    """What is planned for one raw table."""

    @property
    def name(self) -> TableName:
        """Its name at the source, or in el.yml."""


class Reporter(ABC):
    """Told of a run's steps as they happen; called from several threads."""

    @abstractmethod
    def planned(self, plan: Plan) -> None:
        """The plan is made; extraction begins."""

    @abstractmethod
    def progress(self, table: str, rows: int, size: int) -> None:
        """A batch of a table was written; none yet when its read begins; negative when an attempt is taken back."""

    @abstractmethod
    def extracted(self, table: Named, rows: int, seconds: float) -> None:
        """A table is wholly read."""

    @abstractmethod
    def stopped(self, table: Named, how: str) -> None:
        """A table is not read to its end. how: failed, or paused."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Something worth a line."""

    @abstractmethod
    def close(self) -> None:
        """The run is over."""


class Silent(Reporter):
    """Says nothing."""

    def planned(self, plan: Plan) -> None:
        pass

    def progress(self, table: str, rows: int, size: int) -> None:
        pass

    def extracted(self, table: Named, rows: int, seconds: float) -> None:
        pass

    def stopped(self, table: Named, how: str) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(Reporter):
    """Plain lines, one each time there is something to say and every ten seconds for a table that takes long."""

    EVERY = 10.0

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: dict[str, list[float]] = {}

    def planned(self, plan: Plan) -> None:
        waiting = [table for table in plan.tables if table.window is not None]
        self.say(f"{plan.source}: {len(plan.tables)} tables, {len(waiting)} to read")

    def progress(self, table: str, rows: int, size: int) -> None:
        now = time.monotonic()
        with self._lock:
            seen = self._seen.setdefault(table, [now, now, 0, 0])
            seen[2] += rows
            seen[3] += size
            if now - seen[1] < self.EVERY:
                return
            seen[1] = now
            rate = seen[2] / max(now - seen[0], 0.001)
            text = f"{table}: {int(seen[2]):,} rows, {rate:,.0f} rows/s, {in_bytes(int(seen[3]))}"
        self.say(text)

    def extracted(self, table: Named, rows: int, seconds: float) -> None:
        rate = f", {rows / seconds:,.0f} rows/s" if rows and seconds > 0.05 else ""
        self.say(f"{table.name}: {rows:,} rows read in {seconds:.1f} s{rate}")

    def stopped(self, table: Named, how: str) -> None:
        self.say(f"{table.name}: {how}")

    def say(self, text: str) -> None:
        # Who reads no further has not asked for the run to end.
        with suppress(BrokenPipeError):
            print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Mark(ProgressColumn):
    """How a table stands: it waits, is read, is done, or was stopped."""

    max_refresh = None

    def __init__(self) -> None:
        super().__init__()
        self._spinner = SpinnerColumn()

    def render(self, task: Task) -> RenderableType:
        """The sign of its state."""
        if task.fields["how"]:
            return Text("✗", style="red")
        if task.finished:
            return Text("✓", style="green")
        return self._spinner.render(task) if task.started else Text("·")


class Bars(Reporter):
    """A line for each table on a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            Mark(),
            # A name may hold what rich takes for markup.
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:>12,.0f} rows"),
            TextColumn("{task.fields[rate]:>14}"),
            TextColumn("{task.fields[size]:>9}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}
        self._bytes: dict[str, int] = {}
        self._lock = Lock()

    def planned(self, plan: Plan) -> None:
        self._progress.start()
        for table in plan.tables:
            if table.window is not None:
                # The catalog's row count says how long a snapshot takes; of a delta it says nothing.
                total = table.rows if table.window.lower is None else None
                self._add(str(table.name), total)

    def _add(self, name: str, total: float | None) -> TaskID:
        self._tasks[name] = self._progress.add_task(name, start=False, total=total, rate="", size="", how="")
        return self._tasks[name]

    def progress(self, table: str, rows: int, size: int) -> None:
        with self._lock:
            # Of files nobody knows how many rows they have: their line begins with the first of them.
            task = self._tasks[table] if table in self._tasks else self._add(table, None)
            self._progress.start_task(task)
            if not rows and not size:
                return
            self._bytes[table] = self._bytes.get(table, 0) + size
            self._progress.update(task, advance=rows, size=in_bytes(self._bytes[table]))
            found = next(item for item in self._progress.tasks if item.id == task)
            self._progress.update(task, rate=f"{found.completed / max(found.elapsed or 0, 0.001):,.0f} rows/s")

    def extracted(self, table: Named, rows: int, seconds: float) -> None:
        task = self._tasks[str(table.name)]
        # A bar that is full at none: what is done is done, also where there was nothing.
        self._progress.update(task, total=rows, completed=rows)
        self._progress.stop_task(task)

    def stopped(self, table: Named, how: str) -> None:
        task = self._tasks.get(str(table.name))
        if task is not None:
            self._progress.update(task, how=how, rate=how)
            self._progress.stop_task(task)

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._progress.stop()


def reporter(choice: str) -> Reporter:
    """auto: bars on a terminal, else lines; log: lines; none: nothing."""
    if choice == "none":
        return Silent()
    if choice == "auto" and sys.stderr.isatty():
        return Bars()
    return Lines()
