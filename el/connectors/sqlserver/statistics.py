"""How a column's values lie, as far as SQL Server keeps statistics of it, and whether its rows lie in their order.

Microsoft Learn: "sys.dm_db_stats_histogram" (SQL Server 2016 SP1 CU2; with SELECT on the columns of the statistics),
"sys.stats", "sys.stats_columns", "sys.indexes".
"""

from __future__ import annotations

from itertools import groupby

from el.connectors.catalog import Column
from el.connectors.sql.connector import canonical
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.select import Statement
from el.connectors.sql.split import Step
from el.connectors.sqlserver.server import Fetch, rows_if_supported

# Statistics with a filter are those of some rows.
_HISTOGRAM = """SELECT s.stats_id, h.step_number, {shown}, h.range_rows, h.equal_rows
FROM sys.stats AS s
JOIN sys.stats_columns AS k ON k.object_id = s.object_id AND k.stats_id = s.stats_id AND k.stats_column_id = 1
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
CROSS APPLY sys.dm_db_stats_histogram(s.object_id, s.stats_id) AS h
WHERE s.object_id = OBJECT_ID(?) AND c.name = ? AND s.has_filter = 0
ORDER BY s.stats_id, h.step_number"""
# 1: clustered by rows; a columnstore has no order.
_CLUSTERED = """SELECT COUNT(*) FROM sys.indexes AS i
JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.key_ordinal = 1
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.object_id = OBJECT_ID(?) AND i.type = 1 AND c.name = ?"""


def histogram(fetch: Fetch, table: str, by: Column, dialect: Dialect) -> list[Step]:
    """The steps of the statistics that know of the most rows; none where the server has none, or does not show them.

    table: as it is written in SQL.
    """
    declared = str(by.type).upper()
    shown = dialect.as_text(f"CAST(h.range_high_key AS {declared})", by.type)
    found = rows_if_supported(fetch, Statement(_HISTOGRAM.format(shown=shown), (table, by.name))) or []
    all_: list[list[Step]] = [[]]
    for _, rows in groupby(found, key=lambda row: row[0]):
        # The step of NULL has no value: its rows are in the first part.
        all_.append([Step(canonical(row[2]), float(row[3]), float(row[4])) for row in rows if row[2] is not None])
    return max(all_, key=lambda steps: sum(step.below + step.equal for step in steps))


def is_clustered_by(fetch: Fetch, table: str, by: Column) -> bool:
    """Whether the table's clustered index begins with the column."""
    found = rows_if_supported(fetch, Statement(_CLUSTERED, (table, by.name)))
    return found is not None and int(found[0][0]) > 0
