"""Which statements need a running warehouse, told from what was sent, in its order.

Snowflake documentation: "Overview of warehouses" (queries, DML and COPY need one), "SHOW" and "Snowflake Information
Schema" (SHOW needs none, a SELECT from INFORMATION_SCHEMA does), "Using Persisted Query Results" (a SELECT whose text
is unchanged over tables that are unchanged is answered without one), "PUT" and "COMMENT".

LIMITS: DDL other than CREATE ... AS SELECT needs none; results are kept for ever, Snowflake keeps them for 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlglot
from sqlglot import exp

_NEVER_KEPT = ("CURRENT_TIMESTAMP", "RANDOM(", "UUID_STRING", "INFORMATION_SCHEMA", "RESULT_SCAN")


def needs_warehouse(statements: Iterable[tuple[str, str]]) -> Iterator[bool]:
    """For each statement that succeeded, as text and parameters: whether a warehouse had to run for it."""
    written: dict[str, int] = {}
    kept: dict[tuple[str, str], tuple[int, ...]] = {}
    for number, (sql, parameters) in enumerate(statements, start=1):
        word = sql.split(maxsplit=1)[0].upper().rstrip(";")
        if word not in {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "CREATE", "ALTER", "DROP"}:
            yield False
            continue
        parsed = sqlglot.parse_one(sql, read="snowflake")
        tables = [_name(table) for table in parsed.find_all(exp.Table)]
        if word not in {"SELECT", "WITH"}:
            target = parsed.find(exp.Table)
            if target is not None:
                written[_name(target)] = number
            yield word not in {"CREATE", "ALTER", "DROP"} or isinstance(parsed.args.get("expression"), exp.Query)
            continue
        if not tables:
            yield False
            continue
        state = tuple(written.get(table, 0) for table in tables)
        yield kept.get((sql, parameters)) != state
        if not any(word in sql.upper() for word in _NEVER_KEPT):
            kept[sql, parameters] = state


def _name(table: exp.Table) -> str:
    return ".".join(part.name.upper() for part in table.parts[-2:])
