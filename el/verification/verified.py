"""The table `_el_verified`: a row for each comparison of a table. el adds rows, and never changes or removes one.

No row has a value of the data but bounds, as the ledger has them, and the border of a share, which is a number or a
date in a key that is not personal: how many rows differ, and in which columns. The database adds its own user, as
`database_user`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pyarrow as pa

from el import __version__
from el.connectors.catalog import TableName
from el.connectors.sql.audit import os_user
from el.connectors.sql.notes import NoteTable, append_notes
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from el.errors import ElError
from el.loading.warehouse import Warehouse
from el.verification.kept import kept_why
from el.verification.report import Found, Verdict, VerifyReport

VERIFIED_TABLE = "_el_verified"

_COLUMNS = {
    "entry_id": pa.string(),
    "verified_at": pa.timestamp("us"),
    "run_id": pa.string(),
    "table_name": pa.string(),
    "source_table": pa.string(),
    "strategy": pa.string(),
    "verdict": pa.string(),
    "why": pa.string(),
    "method": pa.string(),
    "target": pa.string(),  # the schema table that was compared with raw; NULL: raw, with the source
    "how": pa.string(),
    # Where rolling verification goes on from; of what did not pass they are NULL.
    "verified_through": pa.string(),
    "share": pa.string(),  # "3/16"; NULL: all
    "share_through": pa.string(),  # "id 25"; NULL: a round is over
    "load_id": pa.string(),
    "bound_column": pa.string(),
    "bound": pa.string(),
    "source_rows": pa.int64(),
    "raw_rows": pa.int64(),
    "compared_rows": pa.int64(),
    "in_full_rows": pa.int64(),
    "equal_rows": pa.int64(),
    "late_rows": pa.int64(),
    "missing_rows": pa.int64(),
    "extra_rows": pa.int64(),
    "different_rows": pa.int64(),
    "gone_rows": pa.int64(),
    "columns_differ": pa.string(),  # JSON: column -> in how many rows
    "not_compared": pa.string(),  # JSON: column -> why
    "seconds": pa.float64(),
    "os_user": pa.string(),
    "el_version": pa.string(),
}


def note_verified(warehouse: Warehouse, report: VerifyReport, say: Callable[[str], None]) -> None:
    """Add a row for each table. What goes wrong here is said, and changes no verdict."""
    by_schema: dict[str, list[Found]] = {}
    for found in report.tables:
        if found.verdict is Verdict.NOT_DUE:
            continue
        by_schema.setdefault(found.raw.partition(".")[0], []).append(found)
    for schema, tables in by_schema.items():
        table = NoteTable(TableName(warehouse.fold(schema), warehouse.fold(VERIFIED_TABLE)), _COLUMNS, "entry_id")
        try:
            with warehouse.connector as connector:
                assert isinstance(connector, SqlTarget)
                at = _after_others(connector, table, report.started)
                rows = [_row(report, found, at) for found in tables]
                append_notes(connector, connector.writer().types, table, rows)
        except ElError as error:
            say(f"{schema}.{VERIFIED_TABLE} has no row of this: {error}")


def _after_others(connector: SqlTarget, table: NoteTable, started: datetime) -> datetime:
    """When it began, in UTC, but later than all that stands there: of two machines one's clock may be behind."""
    at = started.replace(tzinfo=None)
    with suppress(ElError):  # there is no table yet
        (latest,) = connector.fetch(
            Statement(f"SELECT MAX(verified_at) FROM {connector.dialect.quote_table(table.place)}")
        )[0]
        if isinstance(latest, datetime) and latest >= at:
            return latest + timedelta(microseconds=1)
    return at


def _row(report: VerifyReport, found: Found, at: datetime) -> tuple[object, ...]:
    """As text, which every warehouse casts."""
    counts = found.counts
    given = {
        "entry_id": uuid.uuid4().hex,
        "verified_at": f"{at:%Y-%m-%dT%H:%M:%S.%f}",
        "run_id": report.run_id,
        "table_name": found.raw.partition(".")[2],
        "source_table": found.table,
        "strategy": str(found.strategy),
        "verdict": str(found.verdict),
        "why": kept_why(found) or None,
        "method": str(found.method),
        "target": found.target or None,
        "how": found.how or None,
        "verified_through": found.verified_through,
        "share": found.share,
        "share_through": found.share_through,
        "load_id": found.load_id,
        "bound_column": found.bound_column,
        "bound": found.bound,
        "source_rows": counts.source,
        "raw_rows": counts.raw,
        "compared_rows": counts.compared,
        "in_full_rows": counts.compared if counts.in_full is None else counts.in_full,
        "equal_rows": counts.equal,
        "late_rows": counts.late,
        "missing_rows": counts.missing,
        "extra_rows": counts.extra,
        "different_rows": counts.different,
        "gone_rows": counts.gone,
        "columns_differ": json.dumps(dict(found.columns), ensure_ascii=False),
        "not_compared": json.dumps(dict(found.not_compared), ensure_ascii=False),
        "seconds": found.seconds,
        "os_user": os_user(),
        "el_version": __version__,
    }
    return tuple(None if given[name] is None else str(given[name]) for name in _COLUMNS)
