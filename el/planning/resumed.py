"""Whether a snapshot may be gone on with that an earlier run did not bring to its end.

Guarantees: a slice that landed is taken over only where all that decides what it holds is the same, to the letter, and
where the source proves that what changed since comes with the next load: its log, or its versions, still reach back to
the bound that was noted before that snapshot. Everything else is read anew, and the plan says why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from el.config.settings import Config
from el.connectors.abilities import OneMomentSource, SplitSource
from el.connectors.base import Source
from el.connectors.request import Isolation, ReadRequest, Split
from el.planning.plan import TablePlan
from el.planning.strategies.base import Strategy, TableContext
from el.planning.strategies.earlier import EarlierRead
from el.planning.strategies.window import Window


def why_anew(
    config: Config, source: Source, strategy: Strategy, context: TableContext, reads: Sequence[ReadRequest]
) -> str | None:
    """Why a run that is cut short in the middle of this snapshot leaves nothing to go on with; None where it does."""
    if (why := strategy.only_whole(context)) is not None:
        return why
    together = isinstance(source, OneMomentSource) and (source.shares_moment or config.defaults.consistent == "run")
    if together and all(_under_snapshot(read) for read in reads):
        return "all of it is of one point in time, which no later run can see"
    if splits_text(source, reads) is None:
        return "the parts that it is divided into cannot be asked for again"
    return None


def _under_snapshot(read: ReadRequest) -> bool:
    return read.changes is None and read.isolation is Isolation.SNAPSHOT


def splits_text(source: Source, reads: Sequence[ReadRequest]) -> str | None:
    """The splits of these reads as text, from which `splits_of` makes them again; None where that cannot be."""
    kind = source.split_type if isinstance(source, SplitSource) else None
    splits = tuple(read.split for read in reads if type(read.split) is kind and read.split is not None)
    if kind is None or len(splits) < len(reads):
        return None
    return _adapter(kind).dump_json(splits).decode()


def splits_of(source: Source, text: str) -> tuple[Split, ...] | None:
    """Of what `splits_text` wrote; None for a text that this source does not know."""
    kind = source.split_type if isinstance(source, SplitSource) else None
    try:
        return _adapter(kind).validate_json(text) if kind is not None else None
    except ValidationError:
        return None


def _adapter(kind: type[Split]) -> TypeAdapter[tuple[Split, ...]]:
    return TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type]


def resumed(
    source: Source, strategy: Strategy, context: TableContext, snapshot: Window, earlier: EarlierRead
) -> Window | str:
    """The window of the snapshot that is gone on with, or why that cannot be, in words."""
    if earlier.lost is not None:
        return earlier.lost
    if strategy.only_whole(context) is not None or earlier.bound != snapshot.bounded:
        return f"it is read by {strategy.name} now"
    if splits_of(source, earlier.splits) is None:
        return "the parts that it was divided into are not known"
    return strategy.resumed(context, source, snapshot, earlier)


def digest_of_read(plan: TablePlan, around: str) -> str:
    """Of all that decides what the slices of a snapshot hold. around: what is no part of the plan, as text.

    How large a batch is, and how fast it is read, decide nothing; nor does where a feed's snapshot has to meet its log,
    for each slice tells where it did.
    """
    assert plan.window is not None
    window = replace(plan.window, because=None, notes=())
    reads = [replace(read, batch_rows=1, batch_bytes=1, units_per_second=None, changes=None) for read in plan.reads]
    columns = [replace(each, source=replace(each.source, comment=None, default=None)) for each in plan.columns]
    parts: list[object] = [around, plan.source, str(plan.name), plan.table_id, plan.raw_schema, plan.raw_table]
    parts += [plan.strategy, plan.definition, plan.key, plan.equal, plan.position_column, plan.misfits_stop]
    parts += [window, *columns, *reads]
    return hashlib.sha256("\n".join(repr(part) for part in parts).encode()).hexdigest()
