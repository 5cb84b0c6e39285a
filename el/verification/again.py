"""What a person does about a table that differs: SQL that shows such rows on each side, and how they are mended.

The SQL has keys of the data in it. It stands in the output of the comparison itself, and in no record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from el.config.job import Job
from el.connectors.catalog import Catalog
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.dialect import Dialect
from el.errors import ElError, PlanError
from el.loading.warehouse import Warehouse
from el.planning.columns import ColumnPlan
from el.planning.plan import TablePlan
from el.verification.repair import refuse_repair
from el.verification.report import Sample

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
# What raw holds beside a table's own columns, and tells its versions of a row apart by.
_VERSIONS = ("_dlt_load_id", "_el_op", "_el_position")


def advice(table: TablePlan) -> str:
    """What to do about a table that differs."""
    look = f"`python -m el verify --select {table.name} --show-values` prints the values that differ"
    try:
        refuse_repair(table)
    except PlanError:
        return f"{look}; `python -m el run --full-refresh --select {table.name}` takes a new snapshot of it"
    mend = f"`python -m el verify --select {table.name} --repair`"
    return f"{look}; {mend} loads these rows once more, as the source has them"


def dialect_of(job: Job) -> Dialect | None:
    """That in which the source is asked; None where it takes no SQL, or cannot be asked any more."""
    with suppress(ElError):
        connector = open_connector(job.source.settings, str(job.source))
        return connector.dialect if isinstance(connector, SqlConnector) else None
    return None


@dataclass(frozen=True, slots=True)
class ShowAgain:
    """The SQL for one table. source: the dialect that its database is asked in; None where it takes no SQL."""

    warehouse: Warehouse
    table: TablePlan
    catalog: Catalog
    source: Dialect | None

    def of(self, samples: Sequence[Sample]) -> dict[str, str]:
        """Where -> the statement, of each side that can be asked for these rows by literals of a simple kind."""
        keys = [each.key for each in samples if each.key]
        differ = list(dict.fromkeys(name for each in samples for name in each.columns))
        return dict([*self._at_source(keys, differ), *self._in_raw(keys, differ)])

    def _at_source(self, keys: Sequence[Mapping[str, str | None]], differ: Sequence[str]) -> Iterator[tuple[str, str]]:
        at_source = self.catalog.table(self.table.name)
        columns = self._columns
        # What lands otherwise than it is there is found by no literal of it.
        same = all(name in columns and columns[name].mapping.loses is None for name in self.table.key)
        if self.source is None or at_source is None or at_source.kind == "query" or not same:
            return
        quoted = {name: self.source.quote(column.source.name) for name, column in columns.items()}
        where = self._where(keys, quoted, self.source)
        shown = [quoted[name] for name in (*self.table.key, *differ) if not columns[name].masked]
        if where:
            place = self.source.quote_table(self.table.name)
            yield "source", f"SELECT {', '.join(dict.fromkeys(shown)) if differ else '*'} FROM {place} WHERE {where}"

    def _in_raw(self, keys: Sequence[Mapping[str, str | None]], differ: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Each version of such a row: raw keeps all, and the last one of a complete load counts."""
        column = self.warehouse.column
        quoted = {name: column(name) for name in self._columns}
        where = self._where(keys, quoted, self.warehouse.connector.dialect)
        names = [quoted[name] for name in dict.fromkeys((*self.table.key, *differ))]
        versions = [column(name) for name in _VERSIONS]
        order = ", ".join([*(quoted[name] for name in self.table.key), *versions])
        if where:
            place = self.warehouse.qualified(self.table.raw_schema, self.table.raw_table)
            shown = ", ".join([*versions, *names]) if differ else "*"
            yield "raw", f"SELECT {shown} FROM {place} WHERE {where} ORDER BY {order}"

    def _where(
        self, keys: Sequence[Mapping[str, str | None]], quoted: Mapping[str, str], dialect: Dialect
    ) -> str | None:
        """None where no key can be written as literals."""
        if not self.table.key:
            return None
        made = [tuple(self._literal(name, key.get(name), dialect) for name in self.table.key) for key in keys]
        known = list(dict.fromkeys(key for key in made if None not in key))
        names = [quoted[name] for name in self.table.key]
        if not known:
            return None
        if len(names) == 1:
            return f"{names[0]} IN ({', '.join(str(value) for (value,) in known)})"
        pairs = (" AND ".join(f"{n} = {v}" for n, v in zip(names, key, strict=True)) for key in known)
        return " OR ".join(f"({each})" for each in pairs)

    def _literal(self, name: str, value: str | None, dialect: Dialect) -> str | None:
        """Of a number, a day, or a text in which no server reads something else than what stands there."""
        type_ = self.table.landed_schema().field(name).type
        if value is None:
            return None
        if (pa.types.is_integer(type_) or pa.types.is_decimal(type_)) and _NUMBER.fullmatch(value):
            return value
        text = value.isprintable() and "\\" not in value
        if pa.types.is_date(type_) and text:
            return f"CAST({dialect.text_literal(value)} AS DATE)"
        is_text = pa.types.is_string(type_) or pa.types.is_large_string(type_)
        return dialect.text_literal(value) if is_text and text else None

    @property
    def _columns(self) -> dict[str, ColumnPlan]:
        return {column.name: column for column in self.table.columns}
