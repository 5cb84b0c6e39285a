"""What a run did, as a value, as a page and as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.table import Table as Grid

from el.errors import of_table
from el.reporting.text import console, gathered, in_bytes


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
        """Rows that were loaded, also of a table of which a file failed."""
        return sum(table.rows for table in self.tables if table.status == "loaded" or table.load_id is not None)

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps({**asdict(self), "rows": self.rows}, default=str, ensure_ascii=False)


def grid_of_tables(tables: Sequence[TableReport]) -> Grid:
    """A line for each table."""
    grid = Grid(box=None, pad_edge=False)
    for name, justify in (("table", "left"), ("strategy", "left"), ("what", "left"), ("rows", "right")):
        grid.add_column(name, justify=justify)  # type: ignore[arg-type]
    grid.add_column("size", justify="right")
    grid.add_column("s", justify="right")
    grid.add_column("into")
    for table in tables:
        grid.add_row(
            table.table,
            table.strategy,
            what_happened(table),
            f"{table.rows:,}",
            in_bytes(table.bytes),
            f"{table.seconds:.1f}",
            table.raw,
        )
    return grid


def what_happened(table: TableReport) -> str:
    """Such as "delta loaded, 3 deleted"."""
    what = f"{table.kind} {table.status}" if table.status == "loaded" else table.status
    what += " in part" if table.status == "failed" and table.load_id is not None else ""
    return what + (f", {table.deleted:,} deleted" if table.deleted else "")


def print_report(report: RunReport) -> None:
    """The summary on standard output."""
    console().print(grid_of_tables(report.tables))
    for line in gathered((table.table, note) for table in report.tables for note in table.notes):
        print(line)
    for load_id in report.finished:
        print(f"load {load_id} of an earlier run was brought to its end")
    failed = [table for table in report.tables if table.status == "failed"]
    for table in failed:
        print(f"FAILED {of_table(table.table, str(table.error))}")
    loaded = [table for table in report.tables if table.status == "loaded"]
    outcome = f"{report.rows:,} rows into {len(loaded)} tables" if loaded else "nothing new"
    print(f"{outcome}, {len(failed)} failed, in {report.seconds:.1f} s (run {report.run_id})")
