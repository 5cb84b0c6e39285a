"""What is read of a table: the request before its window is known, and the slices of its window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from el.config.filter_value import filter_value
from el.config.settings import Config
from el.config.tables import TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Table
from el.connectors.request import POSITION_READ, ColumnRead, Condition, Op, ReadRequest, Split, SqlText
from el.connectors.type_rules import map_type
from el.errors import PlanError
from el.planning.columns import ColumnPlan
from el.planning.drift import Drift
from el.planning.isolation import isolation_of
from el.planning.query_table import query_text
from el.planning.strategies import TableContext
from el.planning.strategies.window import Kind, Window


def table_request(config: Config, source: Source, table: Table, settings: TableSettings) -> ReadRequest:
    """What is read of this table, before its columns and its window are known."""
    conditions = []
    for wanted in settings.filters:
        column = table.column(wanted.column)
        if column is None:
            raise PlanError(f"{table.name} has no column {wanted.column!r} to filter by")
        if not source.supports(wanted.op, column):
            raise PlanError(
                f"{table.name}.{column.name}: {source.scheme} cannot filter {column.type} by {wanted.op!s}: leave out "
                "the filter, and filter in the warehouse"
            )
        facts = source.facts(column.type)
        value = None if wanted.value is None else filter_value(table.name, column, facts, wanted.text)
        conditions.append(Condition(column.name, wanted.op, value))
    query = settings.query or (query_text(config, settings) if settings.query_file else None)
    return ReadRequest(
        table=None if query else table.unnests.table if table.unnests else table.name,
        unnest=table.unnests.path if table.unnests else None,
        query=SqlText(query) if query else None,
        where=tuple(conditions),
        fields=tuple(column for column in table.columns if column.path is not None),
        isolation=isolation_of(table, settings),
        batch_rows=config.defaults.batch_rows,
        batch_bytes=config.defaults.batch_mb * 1024 * 1024,
    )


def unfilled(source: Source, request: ReadRequest, drift: Drift) -> str | None:
    """Why raw's older rows lack values that the source has: a column that is new is not always empty."""
    for column in drift.added:
        name = column.source.name
        if column.source.path is not None:
            # The rows that raw holds have it in their documents.
            continue
        if column.source.nullable and source.supports(Op.NOT_NULL, column.source):
            condition = Condition(name, Op.NOT_NULL)
            found = replace(request, columns=column.reads(), where=(*request.where, condition), limit=1)
            with source.read_buffer(found) as buffer:
                if not any(batch.num_rows for batch in buffer):
                    continue
        return f"{name} has values in rows that raw holds without it"
    return None


@dataclass(frozen=True, slots=True)
class Reads:
    """The reads of one table that are bounded by a column, or by nothing."""

    config: Config
    source: Source
    context: TableContext
    columns: Sequence[ColumnPlan]
    by_key: bool  # a row that left the filters is told by its key
    splits: tuple[Split, ...] = ()  # the parts of a snapshot; none: it is read as one

    def of(self, window: Window | None, ordered_by: str | None) -> tuple[tuple[ReadRequest, ...], str | None]:
        """The slices of the window, and the buffer's column that holds the position: the values of `ordered_by`."""
        reads = [read for column in self.columns for read in column.reads()]
        position = None
        if ordered_by is not None:
            position = self._landed(ordered_by)
            if position is None:
                position = POSITION_READ
                reads.append(self._position_read(ordered_by))
        if window is None:
            return (), position
        context = self.context
        filters = context.request.where
        if self.by_key and window.kind is Kind.DELTA:
            # What left the filters is read too, and becomes a `D` row of its key alone.
            found = replace(context.request, columns=tuple(reads), where=window.conditions(), kept=filters)
            return (found,), position
        request = replace(context.request, columns=tuple(reads), where=filters + window.conditions())
        splits = self.splits if window.kind is Kind.SNAPSHOT else ()
        return tuple(replace(request, split=split) for split in splits or (None,)), position

    def _landed(self, name: str) -> str | None:
        """The column in raw that holds exactly the values of this one."""
        landed = next((column for column in self.columns if column.source.name == name), None)
        return landed.name if landed is not None and landed.mapping.exact else None

    def _position_read(self, name: str) -> ColumnRead:
        type_ = self.context.column_type(name)
        assert type_ is not None
        mapping = map_type(self.source.scheme, type_)
        if mapping.parts is not None:
            return ColumnRead(name, POSITION_READ, mapping.parts.sort_as)
        return ColumnRead(name, POSITION_READ, mapping.read_as, mapping.arrow)
