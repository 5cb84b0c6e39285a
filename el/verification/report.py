"""What a comparison found, as values: of each table a verdict, counts, and the first keys that differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """DIFFERENT is said of what cannot be explained by the source's going on; UNDECIDED where only that is possible."""

    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    UNDECIDED = "UNDECIDED"
    REFUSED = "REFUSED"


class Method(StrEnum):
    """How the two sides met."""

    BOTH_READ = "both sides read"
    IN_WAREHOUSE = "digest in the warehouse"
    MODEL = "schema table joined with raw in the warehouse"


@dataclass(frozen=True, slots=True)
class Sample:
    """A row that differs. key: its columns, or all columns of a table without one. values: (source, raw) by column."""

    kind: str  # "missing" in raw, "extra" in raw, "different", "doubled" in raw
    key: Mapping[str, str | None]
    columns: tuple[str, ...] = ()
    values: Mapping[str, tuple[str | None, str | None]] | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows. late: keys that changed behind the bound. gone: in raw alone, where the strategy sees no deletes."""

    source: int = 0
    raw: int = 0
    compared: int = 0
    equal: int = 0
    late: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    gone: int = 0

    @property
    def differ(self) -> int:
        return self.missing + self.extra + self.different


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome for one table. columns: in how many rows each differs; not_compared: why, by column.

    target: the schema table that was compared with raw; "" where raw was, with the source. Of the former, what is said
    of the source is said of raw, and what is said of raw of the schema table; strategy is the model's kind.
    """

    table: str
    raw: str
    strategy: str
    verdict: Verdict
    why: str = ""
    method: Method = Method.BOTH_READ
    bound_column: str | None = None
    bound: str | None = None
    loaded_at: datetime | None = None
    load_id: str | None = None
    one_moment: bool = False
    counts: Counts = field(default_factory=Counts)
    columns: Mapping[str, int] = field(default_factory=dict)
    not_compared: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    target: str = ""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """All tables of one comparison."""

    run_id: str
    started: datetime
    tables: tuple[Found, ...]

    @property
    def exit_code(self) -> int:
        """4 where something differs, 1 where something could not be compared."""
        verdicts = {each.verdict for each in self.tables}
        return 4 if Verdict.DIFFERENT in verdicts else 1 if verdicts - {Verdict.EQUAL} else 0

    def to_json(self) -> str:
        """As one JSON object."""
        said = {**asdict(self), "exit_code": self.exit_code}
        return json.dumps(said, default=lambda value: f"{value:%Y-%m-%dT%H:%M:%S}", ensure_ascii=False)

    def lines(self) -> list[str]:
        """As text."""
        return [line for each in self.tables for line in _lines(each)]


_SIDES = {False: ("at the source", "in raw"), True: ("in raw", "in the schema table")}


def _lines(found: Found) -> list[str]:
    counts, said = found.counts, str(found.verdict)
    if found.verdict is Verdict.EQUAL and found.not_compared:
        said += f" ({len(found.not_compared)} columns not compared)"
    model = found.method is Method.MODEL
    ends = (found.raw, found.target or "its schema table") if model else (found.table, found.raw)
    lines = [f"{said}  {ends[0]}  ->  {ends[1]}{f'  ({found.strategy})' if found.strategy else ''}"]
    if found.why:
        lines.append(f"  {found.why}")
    if found.verdict is not Verdict.REFUSED:
        bound = f", up to {found.bound_column} {found.bound}" if found.bound is not None else ""
        numbers = ("equal", "late", "missing", "extra", "different", "gone")
        shown = [f"{number:,} {name}" for name in numbers if (number := getattr(counts, name)) or name == "equal"]
        lines.append(f"  {counts.compared:,} rows compared{bound}: {', '.join(shown)}")
    if found.columns:
        lines.append(f"  columns that differ: {', '.join(f'{name} ({n:,})' for name, n in found.columns.items())}")
    lines += [f"  {_sample(sample, _SIDES[model])}" for sample in found.samples]
    lines += [f"  not compared: {name}: {why}" for name, why in found.not_compared.items()]
    return lines + [f"  {note}" for note in found.notes]


def _sample(sample: Sample, sides: tuple[str, str]) -> str:
    key = ", ".join(f"{name}={_shown(value)}" for name, value in sample.key.items())
    if sample.values:
        one, other = sides
        pairs = (f"{name}: {_shown(a)} {one}, {_shown(b)} {other}" for name, (a, b) in sample.values.items())
        return f"{sample.kind}: {key}: {'; '.join(pairs)}"
    return f"{sample.kind}: {key}{': ' if sample.columns else ''}{', '.join(sample.columns)}"


def _shown(value: str | None) -> str:
    return "NULL" if value is None else repr(value)
