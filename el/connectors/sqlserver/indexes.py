"""The keys and indexes of SQL Server's tables (Microsoft Learn, "sys.indexes", "sys.index_columns")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from el.connectors.sql.select import Statement
from el.connectors.sqlserver.server import Fetch, rows_if_supported

_INDEXES = """
SELECT object_id, index_id, name, is_primary_key, is_unique, {partial} FROM sys.indexes{within}
"""

# What keeps an index from holding for every row; a server that lacks one of the columns is asked for fewer.
_PARTIAL = ("has_filter, is_disabled, is_hypothetical", "has_filter, 0, 0", "0, 0, 0")

_INDEX_COLUMNS = """
SELECT object_id, index_id, key_ordinal, column_id FROM sys.index_columns{within}
"""


def keys_of_tables(
    fetch: Fetch, optional: Callable[[str, str], list[tuple[Any, ...]]], within: str = ""
) -> dict[int, list[tuple[str, bool, bool, list[int]]]]:
    """Object id -> its indexes as (name, primary, unique, column ids).

    One with a filter, a disabled one, and one that tuning left behind without its rows are no keys of the table.
    """
    *wanted, fewest = (_INDEXES.format(partial=columns, within=within) for columns in _PARTIAL)
    found = next((rows for sql in wanted if (rows := rows_if_supported(fetch, Statement(sql))) is not None), None)
    if found is None:
        found = optional("keys", fewest)
    columns: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for object_id, index_id, ordinal, column in optional("keys", _INDEX_COLUMNS.format(within=within)) if found else []:
        # 0: an included column, that of a partition, or of a columnstore index, which has no order.
        if ordinal > 0:
            columns[object_id, index_id].append((ordinal, column))
    keys: dict[int, list[tuple[str, bool, bool, list[int]]]] = defaultdict(list)
    for object_id, index_id, name, primary, unique, *partial in sorted(found, key=lambda row: (row[0], str(row[2]))):
        of_index = [column for _, column in sorted(columns[object_id, index_id])]
        # 0 is the heap, which has no columns of its own.
        if index_id > 0 and of_index and not any(partial):
            keys[object_id].append((name, bool(primary), bool(unique), of_index))
    return keys
