"""What a person sees: progress while a run works, its summary after.

On a terminal every table has a line with rows, rows/s, bytes and the time left where the catalog knows the row
count; where there is none, plain lines; `--json` prints the summary as one JSON object and nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from datetime import datetime
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as Grid

from el.planning.plan import Plan, TablePlan


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table's part of a run. status: loaded | unchanged | nothing new | paused | failed. deleted: of the rows."""

    table: str
    raw: str
    strategy: str
    status: str
    kind: str | None = None
    rows: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    window: str | None = None
    attempts: int = 1
    load_id: str | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. `finished`: loads of an earlier run that this one brought to their end."""

    run_id: str
    started: datetime
    seconds: float
    tables: tuple[TableReport, ...]
    finished: tuple[str, ...] = ()
    exit_code: int = 0

    @property
    def rows(self) -> int:
        """Rows that were loaded."""
        return sum(table.rows for table in self.tables if table.status == "loaded")

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps({**asdict(self), "rows": self.rows}, default=str, ensure_ascii=False)


class Reporter(ABC):
    """Told of a run's steps as they happen; called from several threads."""

    @abstractmethod
    def planned(self, plan: Plan) -> None:
        """The plan is made; extraction begins."""

    @abstractmethod
    def progress(self, table: str, rows: int, size: int) -> None:
        """A batch of a table was written; negative when a failed attempt is taken back."""

    @abstractmethod
    def extracted(self, table: TablePlan, rows: int, seconds: float) -> None:
        """A table is wholly read."""

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

    def extracted(self, table: TablePlan, rows: int, seconds: float) -> None:
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

    def extracted(self, table: TablePlan, rows: int, seconds: float) -> None:
        rate = f", {rows / seconds:,.0f} rows/s" if rows and seconds > 0.05 else ""
        self.say(f"{table.name}: {rows:,} rows read in {seconds:.1f} s{rate}")

    def say(self, text: str) -> None:
        print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Bars(Reporter):
    """A line for each table on a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:>12,.0f} rows"),
            TextColumn("{task.fields[rate]:>14}"),
            TextColumn("{task.fields[size]:>9}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
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
                self._tasks[str(table.name)] = self._progress.add_task(str(table.name), total=total, rate="", size="")

    def progress(self, table: str, rows: int, size: int) -> None:
        task = self._tasks[table]
        with self._lock:
            self._bytes[table] = self._bytes.get(table, 0) + size
            self._progress.update(task, advance=rows, size=in_bytes(self._bytes[table]))
            found = next(item for item in self._progress.tasks if item.id == task)
            self._progress.update(task, rate=f"{found.completed / max(found.elapsed or 0, 0.001):,.0f} rows/s")

    def extracted(self, table: TablePlan, rows: int, seconds: float) -> None:
        task = self._tasks[str(table.name)]
        self._progress.update(task, total=max(rows, 1), completed=max(rows, 1) if rows == 0 else rows)
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


def in_bytes(size: int) -> str:
    """A size for people: "1.2 GB"."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def print_report(report: RunReport) -> None:
    """The summary on standard output."""
    grid = Grid(box=None, pad_edge=False)
    for name, justify in (("table", "left"), ("strategy", "left"), ("what", "left"), ("rows", "right")):
        grid.add_column(name, justify=justify)  # type: ignore[arg-type]
    grid.add_column("size", justify="right")
    grid.add_column("s", justify="right")
    grid.add_column("into")
    for table in report.tables:
        what = f"{table.kind} {table.status}" if table.status == "loaded" else table.status
        what += f", {table.deleted:,} deleted" if table.deleted else ""
        grid.add_row(
            table.table,
            table.strategy,
            what,
            f"{table.rows:,}",
            in_bytes(table.bytes),
            f"{table.seconds:.1f}",
            table.raw,
        )
    _console().print(grid)
    for table in report.tables:
        for note in table.notes:
            print(f"{table.table}: {note}")
    for load_id in report.finished:
        print(f"load {load_id} of an earlier run was brought to its end")
    failed = [table for table in report.tables if table.status == "failed"]
    for table in failed:
        named = str(table.error).startswith(table.table)
        print(f"FAILED {table.error}" if named else f"FAILED {table.table}: {table.error}")
    loaded = [table for table in report.tables if table.status == "loaded"]
    outcome = f"{report.rows:,} rows into {len(loaded)} tables" if loaded else "nothing new"
    print(f"{outcome}, {len(failed)} failed, in {report.seconds:.1f} s (run {report.run_id})")


def print_plan(plan: Plan) -> None:
    """For every table: strategy and why, key, rows and size as the catalog knows them, what will be taken."""
    for note in plan.notes:
        print(note)
    for right in plan.catalog.missing:
        print(f"right     not granted, needed for {right.needed_for}: {right.grant}")
    for table in plan.tables:
        rows = "?" if table.rows is None else f"{table.rows:,}"
        size = f", {in_bytes(table.bytes)}" if table.bytes is not None else ""
        print(f"{table.name}  ({rows} rows{size})  ->  {table.raw_schema}.{table.raw_table}")
        print(f"  strategy  {table.strategy}: {table.why}")
        print(f"  gives     {table.guarantee}")
        print(f"  key       {', '.join(table.key) or 'none: only whole snapshots can stand for its state'}")
        if table.equal is not None and (how := table.equal.words()):
            print(f"  compares  {how}")
        print(f"  takes     {_takes(table)}")
        if table.keys is not None:
            print("  deletes   the key set is read, and what is gone from it becomes D rows")
        if len(table.reads) > 1:
            print(f"  slices    {len(table.reads)}")
        for note in table.notes:
            print(f"  note      {note}")
    # Last, where they are seen: the tables above are taken all the same.
    stopped = [table.stopped for table in plan.tables if table.stopped is not None]
    for reason in (*stopped, *(str(refused) for refused in plan.refused)):
        print(f"STOPPED {reason}")
    if plan.stopped:
        print(f"{plan.stopped} of {len(plan.tables) + len(plan.refused)} tables are stopped; the others are taken")


def _takes(table: TablePlan) -> str:
    since = "never loaded" if table.last is None else f"last load {table.last.load_id}, {table.last.rows:,} rows"
    if table.stopped is not None:
        return f"nothing: it is stopped ({since})"
    if table.window is None:
        return f"nothing: no value went past the last bound ({since})"
    return f"{table.window.kind}: {table.window} ({since})"


def _console() -> Console:
    # Piped output is for other programs and logs: no line is cut to a terminal's width there.
    return Console() if sys.stdout.isatty() else Console(width=max(200, 80), soft_wrap=True)
