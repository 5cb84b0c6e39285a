"""The statistics of indexes: sys.dm_db_stats_histogram, as of statistics that were just made with FULLSCAN.

Microsoft Learn, "sys.dm_db_stats_histogram", "Statistics": a histogram has at most 200 steps; the first value is a step
of its own, NULL is one in front of it, and a table without rows has none. It is empty for who may not SELECT the
columns. Each index has statistics of its id. Which steps a real server chooses is not known: these have about as many
rows each, and of a gapless key of unique values three are left, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from . import rights
from .catalog import TableDef, from_json
from .convert import Bound, convert
from .scope import OutColumn, Scope
from .sqltypes import BIGINT, INT, MAX, VARIANT, SqlType

if TYPE_CHECKING:
    from .binder import Binder
    from .session import Session

_STEPS = 200
_REAL = SqlType("real")
COLUMNS = {
    "object_id": INT,
    "stats_id": INT,
    "step_number": INT,
    "range_high_key": VARIANT,
    "range_rows": _REAL,
    "equal_rows": _REAL,
    "distinct_range_rows": BIGINT,
    "average_range_rows": _REAL,
}
# Of each value whether it is a step, then what lies between the steps.
_OF_COLUMN = """WITH v AS (SELECT {column} AS hi, count(*) AS n FROM {table} GROUP BY ALL),
p AS (SELECT hi, n, row_number() OVER o AS place, sum(n) OVER o AS passed,
sum(n) OVER o * {steps} // (sum(n) OVER () + 1) AS bucket, {gapless} AS gapless,
row_number() OVER o = 1 OR lag(hi) OVER o IS NULL OR lead(hi) OVER o IS NULL AS ends
FROM v WINDOW o AS (ORDER BY {order} NULLS FIRST)),
k AS (SELECT *, lead(bucket) OVER (ORDER BY place) AS following FROM p),
c AS (SELECT hi, n, place, row_number() OVER o AS step, passed - n - lag(passed, 1, 0) OVER o AS below,
place - 1 - lag(place, 1, 0) OVER o AS others
FROM k WHERE ends OR (NOT gapless AND bucket <> following) WINDOW o AS (ORDER BY place))
SELECT {object_id} AS object_id, {stats_id} AS stats_id, CAST(step AS INTEGER) AS step_number,
{variant} AS range_high_key, CAST(below AS REAL) AS range_rows, CAST(n AS REAL) AS equal_rows,
CAST(others AS BIGINT) AS distinct_range_rows,
CAST(CASE WHEN others > 0 THEN below / others ELSE 1 END AS REAL) AS average_range_rows FROM c"""


def histogram(
    session: Session, binder: Binder, args: list[exp.Expression], scope: Scope
) -> tuple[str, list[OutColumn]]:
    """As a relation: its two arguments may be columns of what it is applied to."""
    object_id, stats_id = binder.values(args[:2], scope)
    found = [_OF_NOTHING]
    database = session.database
    bodies = session.execute(f"SELECT body FROM {database.quoted}.cat.objects WHERE type = 'U'")
    for table in (from_json(body) for (body,) in bodies):
        for key in table.keys:
            columns = [table.by_id(column_id) for column_id, _ in key.columns]
            if not _is_key(columns[0].type):
                continue
            if all(rights.has(session, database, "SELECT", table.schema, table.name, c.name) for c in columns):
                found.append(_of(table, key.index_id, columns[0].physical, columns[0].type))
    listed = " UNION ALL ".join(f"({each})" for each in found)
    asked = f"object_id = {object_id.sql} AND stats_id = {stats_id.sql}"
    columns = [OutColumn(name, type_) for name, type_ in COLUMNS.items()]
    return f"(SELECT {', '.join(COLUMNS)} FROM ({listed}) WHERE {asked})", columns


def _is_key(type_: SqlType) -> bool:
    """Of other types there is no index ("CREATE INDEX")."""
    return type_.length != MAX and type_.name not in ("text", "ntext", "image", "xml", "sql_variant", "timestamp")


_OF_NOTHING = "SELECT " + ", ".join(f"CAST(NULL AS {t.stored}) AS {n}" for n, t in COLUMNS.items()) + " WHERE false"


def _of(table: TableDef, index_id: int, column: str, type_: SqlType) -> str:
    whole = type_.name in ("tinyint", "smallint", "int", "bigint")
    return _OF_COLUMN.format(
        object_id=table.object_id,
        stats_id=index_id,
        variant=convert(Bound("hi", type_), VARIANT).sql,
        column=column,
        order="tds_guid_key(hi)" if type_.family == "guid" else "hi",
        table=table.sql,
        steps=_STEPS - 2,
        gapless="max(n) OVER () = 1 AND max(hi) OVER () - min(hi) OVER () + 1 = count(*) OVER ()" if whole else "false",
    )
