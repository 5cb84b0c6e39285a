"""What a comparison found, as values: of each table a verdict, counts, and the first keys that differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from el.errors import ElError, PlanError


class Verdict(StrEnum):
    """DIFFERENT is said of what cannot be explained by the source's going on; UNDECIDED where only that is possible."""

    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    UNDECIDED = "UNDECIDED"
    REFUSED = "REFUSED"
    NOT_DUE = "NOT DUE"


class Method(StrEnum):
    """How the two sides met."""

    BOTH_READ = "both sides read"
    IN_WAREHOUSE = "digest in the warehouse"
    MODEL = "schema table joined with raw in the warehouse"
    ROLLING = "keys and a share"


@dataclass(frozen=True, slots=True)
class Sample:
    """A row that differs. key: its columns, or all columns of a table without one. values: (source, raw) by column."""

    kind: str  # "missing" in raw, "extra" in raw, "different", "doubled" in raw
    key: Mapping[str, str | None]
    columns: tuple[str, ...] = ()
    values: Mapping[str, tuple[str | None, str | None]] | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows. late: keys that changed behind the bound. gone: in raw alone, where the strategy sees no deletes.

    in_full: of `compared`, those of which more than the key was; None: all.
    """

    source: int = 0
    raw: int = 0
    compared: int = 0
    equal: int = 0
    late: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    gone: int = 0
    in_full: int | None = None

    @property
    def differ(self) -> int:
        return self.missing + self.extra + self.different


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome for one table. columns: in how many rows each differs; not_compared: why, by column.

    target: the schema table that was compared with raw; "" where raw was, with the source. Of the former, what is said
    of the source is said of raw, and what is said of raw of the schema table; strategy is the model's kind.
    failed: the kind of the error that kept it from being compared or mended; `why` is what that said. again: where, and
    SQL that shows rows that differ.
    how: why by this method. verified_through: up to where in the source it passed; share: which of how many did, and
    share_through where in the key it ends, as "id 25".
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
    failed: str = ""
    advice: str = ""
    again: Mapping[str, str] = field(default_factory=dict)
    how: str = ""
    verified_through: str | None = None
    share: str | None = None
    share_through: str | None = None

    @property
    def ends(self) -> tuple[str, str]:
        """What was compared with what, by their names."""
        return (self.raw, self.target or "its schema table") if self.of_model else (self.table, self.raw)

    @property
    def sides(self) -> tuple[str, str]:
        """Where a row stands, in words."""
        return ("in raw", "in the schema table") if self.of_model else ("at the source", "in raw")

    @property
    def statements(self) -> tuple[tuple[str, str], ...]:
        """`again`, with where they are for in words."""
        places = dict(zip(("source", "raw"), self.sides, strict=True))
        return tuple((places[where], sql) for where, sql in self.again.items())

    @property
    def of_model(self) -> bool:
        """Whether a schema table was compared with raw."""
        return self.method is Method.MODEL


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
        return 4 if Verdict.DIFFERENT in verdicts else 1 if verdicts - {Verdict.EQUAL, Verdict.NOT_DUE} else 0

    def to_json(self) -> str:
        """As one JSON object."""
        said = {**asdict(self), "exit_code": self.exit_code}
        return json.dumps(said, default=lambda value: f"{value:%Y-%m-%dT%H:%M:%S}", ensure_ascii=False)

    def lines(self) -> list[str]:
        """As text."""
        return [line for each in self.tables for line in _lines(each)]


def _lines(found: Found) -> list[str]:
    counts, said = found.counts, str(found.verdict)
    if found.verdict is Verdict.EQUAL and found.not_compared:
        said += f" ({len(found.not_compared)} columns not compared)"
    one, other = found.ends
    lines = [f"{said}  {one}  ->  {other}{f'  ({found.strategy})' if found.strategy else ''}"]
    if found.why:
        lines.append(f"  {found.why}")
    if found.verdict not in (Verdict.REFUSED, Verdict.NOT_DUE):
        bound = f", up to {found.bound_column} {found.bound}" if found.bound is not None else ""
        numbers = ("equal", "late", "missing", "extra", "different", "gone")
        shown = [f"{number:,} {name}" for name in numbers if (number := getattr(counts, name)) or name == "equal"]
        full = f", {counts.in_full:,} of them in full" if counts.in_full is not None else ""
        lines.append(f"  {counts.compared:,} rows compared{full}{bound}: {', '.join(shown)}")
        lines.append(f"  {found.method}{': ' if found.how else ''}{found.how}")
    if found.verified_through is not None:
        lines.append(f"  verified through {found.verified_through}")
    if found.columns:
        lines.append(f"  columns that differ: {', '.join(f'{name} ({n:,})' for name, n in found.columns.items())}")
    lines += [f"  {sample_line(sample, found.sides)}" for sample in found.samples]
    lines += [f"  not compared: {name}: {why}" for name, why in found.not_compared.items()]
    lines += [f"  {note}" for note in found.notes]
    lines += [f"  to see them {where}: {sql}" for where, sql in found.statements]
    return lines + ([f"  what to do: {found.advice}"] if found.advice else [])


def sample_line(sample: Sample, sides: tuple[str, str]) -> str:
    """A row that differs, as text. sides: what the two are called."""
    key = ", ".join(f"{name}={_shown(value)}" for name, value in sample.key.items())
    if sample.values:
        one, other = sides
        pairs = (f"{name}: {_shown(a)} {one}, {_shown(b)} {other}" for name, (a, b) in sample.values.items())
        return f"{sample.kind}: {key}: {'; '.join(pairs)}"
    return f"{sample.kind}: {key}{': ' if sample.columns else ''}{', '.join(sample.columns)}"


def _shown(value: str | None) -> str:
    return "NULL" if value is None else repr(value)


def kind_of(error: ElError | None) -> str:
    """Of an error, the kind; of none, and of one that is a refusal in el's own words, nothing."""
    return "" if error is None or isinstance(error, PlanError) else type(error).__name__
