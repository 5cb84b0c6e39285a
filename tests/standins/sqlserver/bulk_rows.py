"""Rows that came as INSERT BULK: staged as those of an INSERT are, and checked in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from . import dml, staging
from .binder import Binder
from .errors import SqlError, invalid_column
from .scope import OutColumn, Query

if TYPE_CHECKING:
    from .session import Session


def insert(session: Session, parts: list[str], columns: list[str], batch: pa.RecordBatch, options: set[str]) -> int:
    """How many rows were written. Without KEEP_NULLS a NULL becomes the column's default; see "BULK INSERT"."""
    table = dml.writable(session, parts, "INSERT")
    targets = []
    for name in columns:
        column = table.column(name)
        if column is None:
            invalid_column(name)
        targets.append(column)
    explicit = any(c.identity for c in targets)
    places = [f"b{i}" for i in range(len(columns))]
    session.con.register("bulk_rows", pa.Table.from_batches([batch.rename_columns(places)]))
    try:
        binder = Binder(session)
        outs = []
        for place, column in zip(places, targets, strict=True):
            value = f"CAST({place} AS {column.type.stored})"
            if column.default is not None and "KEEP_NULLS" not in options:
                value = f"coalesce({value}, {dml.default_of(binder, column)})"
            if column.type.length and column.type.length > 0:
                size = f"octet_length({place})" if column.type.family == "bin" else f"length({place})"
                if session.run_sql(f"SELECT 1 FROM bulk_rows WHERE {size} > {column.type.length} LIMIT 1"):
                    raise SqlError(
                        4815,
                        f"Received an invalid column length from the bcp client for colid {targets.index(column) + 1}.",
                    )
            outs.append(f"{value} AS {place}")
        query = Query(f"SELECT {', '.join(outs)} FROM bulk_rows", [OutColumn(c.name, c.type) for c in targets])
        kept, session.identity_insert = (
            session.identity_insert,
            table.object_id if explicit else session.identity_insert,
        )
        try:
            dml.stage_insert(session, binder, table, query, targets)
            return staging.apply(session, table, "INSERT")
        finally:
            session.identity_insert = kept
    finally:
        session.con.unregister("bulk_rows")
