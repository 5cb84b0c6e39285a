"""A run as one page that can be sent: what ran, what failed and what to do, what was verified, the last runs as charts.

Guarantees: the page is one file that asks for nothing, so it looks the same without a network; whatever stands in a
name or in a message is text on it; it is there as a whole, or the one before is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from el.errors import ConfigError, of_table
from el.planning.plan import Plan
from el.reporting.record import VERIFY, RunRecord, TableVerified
from el.reporting.runs import moment, outcome
from el.reporting.summary import what_happened
from el.reporting.text import in_bytes, writable

# So many runs fit beside one another on a telephone.
LAST_RUNS = 30
_BAR, _GAP = 8, 2
# A bar of what is little beside the greatest can still be seen; and so can a run that failed with nothing.
_LEAST = 2.0
_ORDER = {"failed": 0, "loaded": 1, "paused": 2}
_VERDICTS = {"DIFFERENT": 0, "EQUAL": 2}


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in a chart. kind: a class of the page's style."""

    x: int
    width: int
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, of which the highest is 100. said: for who cannot see it."""

    name: str
    bars: tuple[Bar, ...]
    width: int
    most: str
    first: str
    until: str
    said: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A number of the run."""

    name: str
    value: str
    bad: bool = False


class PageFile:
    """A listener that writes the page when the run is over. history: the runs before, as far as they are known."""

    def __init__(self, path: Path, history: Callable[[RunRecord], Sequence[RunRecord]]) -> None:
        self.path, self.history = writable(path, "--html"), history

    def planned(self, plan: Plan) -> None:
        """Nothing is written yet."""

    def ended(self, record: RunRecord) -> None:
        """Write it."""
        write_page(self.path, record, self.history(record))


def write_page(path: Path, record: RunRecord, history: Sequence[RunRecord]) -> None:
    """The page of a run, with charts of the runs up to it. Raises `ConfigError` where it cannot be written."""
    text = page(record, history)
    beside = writable(path, "--html").with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"--html {path}: {error.strerror}") from None


def page(record: RunRecord, history: Sequence[RunRecord]) -> str:
    """The page as text. history: runs that are known, the oldest first, this one among them or not."""
    made = Environment(
        loader=PackageLoader("el.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    last = _last(record, history)
    return made.get_template("page.html.j2").render(
        record=record,
        head=headline(record),
        began=moment(record.started),
        outcome=outcome(record),
        tiles=_tiles(record),
        verified=sorted(record.verified, key=lambda each: (_VERDICTS.get(each.verdict, 1), each.table)),
        rows_of=_rows_of,
        tables=sorted(record.tables, key=lambda table: (_ORDER.get(table.status, 3), table.table)),
        charts=charts(last, record.run_id) if len(last) > 1 else (),
        last=last,
        told=lambda table: of_table(table.table, str(table.error)),
        what=what_happened,
        number=lambda value: f"{value:,}",
        size=in_bytes,
        moment=moment,
    )


def headline(record: RunRecord) -> str:
    """How it stands, in one line."""
    if record.result in ("killed", "interrupted", "paused", "locked", "refused", "running"):
        said = {"locked": "nothing was done: another run was at work", "running": "still at work"}
        return f"el {record.command}: {said.get(record.result, record.result)}"
    if record.error is not None:
        done = "compared" if record.command == VERIFY else "loaded"
        return f"el {record.command}: failed before anything was {done}"
    if record.command == VERIFY:
        return f"el {record.command}: {_of_verify(record)}"
    if record.failed or record.differing:
        parts = [f"{len(record.failed)} of {_counted(len(record.tables), 'table')} failed"] if record.failed else []
        parts += [f"source and target differ in {_counted(len(record.differing), 'table')}"] if record.differing else []
        return f"el {record.command}: {', '.join(parts)}"
    loaded = f"{_counted(record.rows, 'row')} loaded" if record.loaded else "nothing new"
    return f"el {record.command}: {loaded}, nothing failed"


def _of_verify(record: RunRecord) -> str:
    equal, differ, undecided = len(record.equal), len(record.differing), record.undecided
    parts = [f"{_counted(differ, 'table')} {'differs' if differ == 1 else 'differ'}"] if differ else []
    parts += [f"{_counted(equal, 'table')} equal"] if equal else []
    parts += [f"of {_counted(undecided, 'table')} it is not known"] if undecided else []
    return ", ".join(parts) or "there was no table to compare"


def _rows_of(each: TableVerified) -> list[tuple[str, int, bool]]:
    """What became of a table's rows: in words, how many, and whether that is bad. What is 0 is left out."""
    counts = (
        ("equal", each.equal, False),
        ("late", each.late, False),
        # Where a snapshot is as it was read, the source went on.
        (f"missing {each.sides[1]}", each.missing, not each.is_equal),
        (f"{each.sides[1]} alone", each.extra, not each.is_equal),
        ("different", each.different, not each.is_equal),
        ("gone from the source", each.gone, False),
    )
    return [count for count in counts if count[1]]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def charts(last: Sequence[RunRecord], now: str) -> tuple[Chart, ...]:
    """Rows and seconds of these runs. now: the run that the page is about."""
    return (
        _chart(
            "rows compared" if last[-1].command == VERIFY else "rows loaded",
            last,
            now,
            lambda each: float(each.rows or each.compared),
            lambda value: f"{value:,.0f} rows",
        ),
        _chart("duration", last, now, lambda each: each.seconds, lambda value: f"{value:,.1f} s"),
    )


def _chart(
    name: str,
    last: Sequence[RunRecord],
    now: str,
    value: Callable[[RunRecord], float],
    words: Callable[[float], str],
) -> Chart:
    most = max(value(each) for each in last)
    bars = []
    for place, each in enumerate(last):
        height = 100 * value(each) / most if most else 0.0
        if value(each) or each.in_trouble:
            height = max(height, _LEAST)
        kinds = [kind for kind, holds in (("bad", each.in_trouble), ("now", each.run_id == now)) if holds]
        title = f"{moment(each.started)} UTC, {each.result}: {words(value(each))}"
        bars.append(Bar(place * (_BAR + _GAP), _BAR, round(height, 1), " ".join(kinds), title))
    first, until = moment(last[0].started)[:10], moment(last[-1].started)[:10]
    troubled = sum(1 for each in last if each.in_trouble)
    said = f"{name} of {len(last)} runs from {first} to {until}: at most {words(most)}, {troubled} failed"
    return Chart(name, tuple(bars), len(last) * (_BAR + _GAP) - _GAP, words(most), first, until, said)


def _last(record: RunRecord, history: Sequence[RunRecord]) -> list[RunRecord]:
    before = [
        each
        for each in history
        if each.run_id != record.run_id
        and each.started <= record.started
        and each.command == record.command
        and each.result != "running"
    ]
    return [*before, record][-LAST_RUNS:]


def _tiles(record: RunRecord) -> list[Tile]:
    if record.command == VERIFY:
        differ = len(record.differing)
        return [
            Tile("tables equal", f"{len(record.equal):,}"),
            Tile("tables that differ", f"{differ:,}", bad=bool(differ)),
            Tile("tables not decided", f"{record.undecided:,}"),
            Tile("rows compared", f"{record.compared:,}"),
            Tile("seconds", f"{record.seconds:,.1f}"),
        ]
    quiet = sum(1 for table in record.tables if table.status in ("unchanged", "nothing new"))
    found = [
        Tile("rows loaded", f"{record.rows:,}"),
        Tile("tables loaded", f"{len(record.loaded):,}"),
        Tile("tables without news", f"{quiet:,}"),
        Tile("tables failed", f"{len(record.failed):,}", bad=bool(record.failed)),
    ]
    if record.verified:
        found.append(Tile("tables that differ", f"{len(record.differing):,}", bad=bool(record.differing)))
    return [*found, Tile("seconds", f"{record.seconds:,.1f}")]
