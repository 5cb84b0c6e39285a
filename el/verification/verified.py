"""The table `_el_verified`: a row for each comparison of a table. el adds rows, and never changes or removes one.

No row has a value of the data, not even a key: how many rows differ, and in which columns.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pyarrow as pa

from el import __version__
from el.connectors.catalog import TableName
from el.connectors.sql.audit import os_user
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from el.errors import ElError
from el.loading.warehouse import Warehouse
from el.verification.report import Found, VerifyReport

VERIFIED_TABLE = "_el_verified"

VERIFIED_SCHEMA = pa.schema(
    [
        pa.field("entry_id", pa.string()),
        pa.field("verified_at", pa.timestamp("us")),
        pa.field("run_id", pa.string()),
        pa.field("table_name", pa.string()),
        pa.field("source_table", pa.string()),
        pa.field("strategy", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("why", pa.string()),
        pa.field("method", pa.string()),
        pa.field("target", pa.string()),  # the schema table that was compared with raw; NULL: raw, with the source
        pa.field("load_id", pa.string()),
        pa.field("bound_column", pa.string()),
        pa.field("bound", pa.string()),
        pa.field("source_rows", pa.int64()),
        pa.field("raw_rows", pa.int64()),
        pa.field("compared_rows", pa.int64()),
        pa.field("equal_rows", pa.int64()),
        pa.field("late_rows", pa.int64()),
        pa.field("missing_rows", pa.int64()),
        pa.field("extra_rows", pa.int64()),
        pa.field("different_rows", pa.int64()),
        pa.field("gone_rows", pa.int64()),
        pa.field("columns_differ", pa.string()),  # JSON: column -> in how many rows
        pa.field("not_compared", pa.string()),  # JSON: column -> why
        pa.field("seconds", pa.float64()),
        pa.field("os_user", pa.string()),
        pa.field("el_version", pa.string()),
    ]
)


def note_verified(warehouse: Warehouse, report: VerifyReport, say: Callable[[str], None]) -> None:
    """Add a row for each table. What goes wrong here is said, and changes no verdict."""
    by_schema: dict[str, list[Found]] = {}
    for found in report.tables:
        by_schema.setdefault(found.raw.partition(".")[0], []).append(found)
    for schema, tables in by_schema.items():
        place = TableName(warehouse.fold(schema), warehouse.fold(VERIFIED_TABLE))
        try:
            with warehouse.connector as connector:
                assert isinstance(connector, SqlTarget)
                _append(connector, connector.writer().types, place, [_row(report, found) for found in tables])
        except ElError as error:
            say(f"{schema}.{VERIFIED_TABLE} has no row of this: {error}")


def _append(session: SqlConnector, types: ColumnTypes, table: TableName, rows: list[dict[str, object]]) -> None:
    columns = {field.name: str(types.of(field.type)) for field in VERIFIED_SCHEMA}
    place = session.dialect.quote_table(table)
    values = ", ".join(f"{types.cast(type_)} AS {name}" for name, type_ in columns.items())
    names = ", ".join(columns)
    selects = " UNION ALL ".join([f"SELECT {values}"] * len(rows))
    parameters = tuple(row[name] for row in rows for name in columns)
    insert = Statement(f"INSERT INTO {place} ({names}) SELECT {names} FROM ({selects}) AS q", parameters)
    try:
        session.execute(insert)
    except ElError:
        made = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        session.execute(Statement(f"CREATE TABLE {place} ({made})"))
        session.execute(insert)


def _row(report: VerifyReport, found: Found) -> dict[str, object]:
    counts = found.counts
    return {
        "entry_id": uuid.uuid4().hex,
        "verified_at": f"{report.started:%Y-%m-%dT%H:%M:%S.%f}",
        "run_id": report.run_id,
        "table_name": found.raw.partition(".")[2],
        "source_table": found.table,
        "strategy": str(found.strategy),
        "verdict": str(found.verdict),
        "why": found.why or None,
        "method": str(found.method),
        "target": found.target or None,
        "load_id": found.load_id,
        "bound_column": found.bound_column,
        "bound": found.bound,
        "source_rows": counts.source,
        "raw_rows": counts.raw,
        "compared_rows": counts.compared,
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
