"""In which parts a snapshot is read: those that el.yml asks for, else those that a large table can have unharmed.

Guarantee: by itself the plan divides a table only where its parts are of one moment, or where a log brings with the
next load whatever changed between their moments. Parts of other kinds el.yml asks for by name (`partition_by`).
"""

from __future__ import annotations

from dataclasses import dataclass

from el.config.settings import Config
from el.connectors.abilities import CapacitySource, OneMomentSource, SplitSource
from el.connectors.base import Source
from el.connectors.catalog import Column
from el.connectors.request import Isolation, Split
from el.errors import PlanError
from el.planning.strategies import TableContext

# What no column is needed for has as many parts as are asked for.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """splits: none where the table is read as one."""

    splits: tuple[Split, ...] = ()
    notes: tuple[str, ...] = ()


def find_parts(config: Config, source: Source, context: TableContext, *, corrected: bool) -> Parts:
    """The parts of a snapshot. Raises `PlanError` where el.yml asks for what cannot be.

    corrected: the next load brings, by their keys, the rows that change while it is read.
    """
    if _asked(source, context):
        return _as_asked(config, source, context)
    settings, rows = context.settings, context.table.rows or 0
    wanted = settings.partitions or min(_MOST, -(-rows // config.defaults.partition_rows))
    if wanted < 2 or not isinstance(source, SplitSource) or isinstance(source, CapacitySource):
        # What a source counts of its own is spent by whoever asks for it.
        return Parts()
    found = _by_itself(config, source, context, wanted, corrected)
    return Parts(notes=(f"not divided, with about {rows:,} rows: {found}",)) if isinstance(found, str) else found


def _asked(source: Source, context: TableContext) -> bool:
    """Whether el.yml asks for parts, in a way that means something to this source; or the source itself does."""
    settings = context.settings
    if isinstance(source, SplitSource) and source.always_splits:
        return True
    by_itself = isinstance(source, SplitSource) and not source.split_by_column
    return settings.partition_by is not None or (settings.partitions is not None and by_itself)


def _as_asked(config: Config, source: Source, context: TableContext) -> Parts:
    settings, table = context.settings, context.table
    by = None if settings.partition_by is None else table.column(settings.partition_by)
    if settings.partition_by is not None and by is None:
        raise PlanError(f"{table.name}: partition_by: there is no column {settings.partition_by!r}")
    if not isinstance(source, SplitSource):
        raise PlanError(f"{table.name}: a snapshot of {source.scheme} cannot be divided: leave out `partition_by`")
    wanted = settings.partitions or -(-(table.rows or 0) // config.defaults.partition_rows)
    try:
        splits = source.splits(context.request, wanted, by)
    except PlanError as error:
        raise PlanError(f"{table.name}: {error}") from None
    if by is not None and wanted > 1 and not splits:
        return Parts(notes=(f"not divided: {_unknown(source, by)}",))
    return Parts(splits)


def _by_itself(config: Config, source: SplitSource, context: TableContext, wanted: int, corrected: bool) -> Parts | str:
    """The parts; or why there are none, in words."""
    shares = isinstance(source, OneMomentSource) and source.shares_moment
    snapshot = context.request.isolation is Isolation.SNAPSHOT
    if shares and snapshot and isinstance(source, OneMomentSource) and not source.can_share_moment():
        return "the server does not tell that several connections see one moment, so one would read all parts"
    if not shares and config.defaults.consistent == "run":
        return "one connection alone sees the moment of `consistent: run`"
    by, key = _leading(context) if source.split_by_column else None, context.settings.key
    if not (shares and snapshot):
        # A row that moves between parts has to be told from itself: by the key that it had there.
        moves = by is not None and key is not None and by.name not in key
        if not corrected or moves:
            asked = "partition_by" if source.split_by_column else "partitions"
            return f"its parts would be of different moments; `{asked}` asks for them by name"
    if source.split_by_column and by is None:
        return "it has no key whose first column is taken as it is; `partition_by` names another column"
    if by is not None and not source.lies_by(context.request, by):
        return f"its rows do not lie in the order of {by.name}, so each part would pass over all of them"
    try:
        splits = source.splits(context.request, wanted, by)
    except PlanError as error:
        return str(error).removeprefix("partition_by: ")
    if by is not None and 2 * len(splits) < wanted:
        return _unknown(source, by)
    return Parts(splits)


def _leading(context: TableContext) -> Column | None:
    """The first column of the table's own key: values of one that is masked or left out stand in no plan."""
    table, settings = context.table, context.settings
    nullable = {column.name for column in table.columns if column.nullable}
    keys = [table.primary_key, *(key for key in table.uniques if not nullable & set(key.columns))]
    key = next((key for key in keys if key is not None), None)
    column = table.column(key.columns[0]) if key is not None else None
    chosen = settings.columns.get(column.name) if column is not None else None
    hidden = chosen is not None and bool(chosen.exclude or chosen.mask or chosen.pii)
    return None if hidden or column is None or column.masked or column.encrypted else column


def _unknown(source: SplitSource, by: Column) -> str:
    told = f"; {source.statistics} gathers that" if source.statistics else ""
    return f"the database does not know at which values of {by.name} ({by.type}) to cut it{told}"
