"""Runs that were kept, as a list and one by one, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table as Grid

from el.errors import ConfigError
from el.reporting.record import RunRecord, TableVerified
from el.reporting.summary import grid_of_tables
from el.reporting.text import console


def print_runs(found: Sequence[RunRecord]) -> None:
    """The newest first, a line each."""
    if not found:
        print("no run is known; `python -m el run` begins one")
        return
    grid = Grid(box=None, pad_edge=False)
    for name in ("run", "began (UTC)", "what", "result"):
        grid.add_column(name)
    for name in ("tables", "rows", "failed", "s"):
        grid.add_column(name, justify="right")
    grid.add_column("why")
    for record in reversed(found):
        grid.add_row(
            record.run_id,
            moment(record.started),
            record.command,
            record.result,
            str(len(record.verified or record.loaded)),
            f"{record.rows or record.compared:,}",
            str(len(record.failed) + len(record.differing) + len(record.broken)),
            f"{record.seconds:.1f}",
            why(record),
        )
    console().print(grid)


def print_run(record: RunRecord) -> None:
    """One run, with each of its tables."""
    print(f"run {record.run_id} ({record.command}): {record.source} -> {record.destination}")
    print(f"began {moment(record.started)} UTC, took {record.seconds:.1f} s, {outcome(record)}")
    by = f"by {record.os_user} on {record.host}" + (f" as {record.el_role}" if record.el_role else "")
    print(f"{by}; {', '.join(f'{name} {number}' for name, number in record.versions.items())}")
    if record.tables:
        console().print(grid_of_tables(record.tables))
    for load_id in record.finished:
        print(f"load {load_id} of an earlier run was brought to its end")
    for each in record.verified:
        print("\n".join(_verified(each)))
    if record.error is not None:
        print(f"FAILED {record.error}" if record.in_trouble else record.error)
    if record.advice is not None:
        print(record.advice)
    for table in record.failed:
        print(f"FAILED {table.table}: {table.error}")


def _verified(each: TableVerified) -> list[str]:
    """A table's comparison."""
    lines = [f"{each.verdict}  {each.table}" + (f"  ->  {each.raw}  ({each.strategy})" if each.raw else "")]
    if each.method:
        numbers = ("equal", "late", "missing", "extra", "different", "gone")
        counts = ", ".join(f"{number:,} {name}" for name in numbers if (number := getattr(each, name)))
        through = f", up to {each.through}" if each.through else ""
        lines.append(f"  {each.compared:,} rows compared ({each.method}){through}: {counts or 'none'}")
    lines += [f"  {each.why}"] if each.why else []
    lines += [f"  columns that differ: {', '.join(each.columns)}"] if each.columns else []
    lines += [f"  not compared: {column}" for column in each.not_compared]
    lines += [f"  {note}" for note in each.notes]
    return lines + ([f"  what to do: {each.advice}"] if each.advice else [])


def find_run(found: Sequence[RunRecord], wanted: str | None) -> RunRecord:
    """The last run, or that whose id begins so. Raises `ConfigError` where there is none, or more than one."""
    matching = [record for record in found if wanted is None or record.run_id.startswith(wanted)]
    if wanted is None:
        matching = matching[-1:]
    if not matching:
        raise ConfigError(f"no run {wanted} is known: python -m el runs" if wanted else "no run is known")
    if len(matching) > 1:
        raise ConfigError(f"{wanted}: more than one run begins so: {', '.join(each.run_id for each in matching)}")
    return matching[0]


def moment(when: datetime) -> str:
    """In UTC, to the second."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def outcome(record: RunRecord) -> str:
    """How it ended, in words."""
    code = "" if record.exit_code is None else f" (exit code {record.exit_code})"
    return f"{record.result}{code}"


def why(record: RunRecord) -> str:
    """In a few words, why it did not end well; empty where it did."""
    if record.error is not None:
        return record.error
    names = [table.table for table in record.failed] + [each.table for each in (*record.differing, *record.broken)]
    names = list(dict.fromkeys(names))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
