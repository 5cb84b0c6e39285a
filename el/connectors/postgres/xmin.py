"""xmin windows: the transaction that wrote a row, as the number by which `strategy: rowversion` finds what changed.

Guarantees: no row of a transaction that commits late is passed over: of those below `pg_snapshot_xmin`, the bound of a
window, none is open, and none will be. A row tells 32 bits of its transaction's 64; the others are those of the last
2^32 transactions, so that the count may wrap around. A row that is older than that may come again, and none is lost
(PostgreSQL Documentation, "Transactions and Identifiers", "Routine Vacuuming"). It needs no right but SELECT.
"""

from __future__ import annotations

from dataclasses import replace

from el.connectors.catalog import Column, SourceType
from el.connectors.request import Condition, ReadRequest

NAME = "xmin"
XMIN = Column(NAME, SourceType(NAME), nullable=False)
FORM = r"\d{20}"
# Every transaction whose rows a statement sees is before this one.
NEXT = "(SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint))"
_SHORT = "CAST(CAST({column} AS text) AS bigint)"
# 1 and 2 are no transactions: of rows that were there from the beginning.
WHOLE = f"CASE WHEN {_SHORT} < 3 THEN {_SHORT} ELSE {NEXT} - (({NEXT} - {_SHORT}) & 4294967295) END"
# Takes the column's place in conditions while the statement is built: 32 bits have no order.
_IN_FULL = "el_xmin_in_full_5b1e"

STABLE = "SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text)"
# A server that took over, or was restored, may give a number that its former self gave too.
PAST = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END"


def canonical(number: str) -> str:
    """A bound as text that compares as the number does."""
    return f"{int(number):020d}"


def named(request: ReadRequest) -> ReadRequest:
    """The request with its bounds on a name that `in_full` finds again."""
    if not any(condition.column == NAME for condition in (*request.where, *request.kept)):
        return request

    def full(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        return tuple(replace(each, column=_IN_FULL) if each.column == NAME else each for each in conditions)

    return replace(request, where=full(request.where), kept=full(request.kept))


def in_full(sql: str) -> str:
    """The statement with the whole number in place of that name."""
    return sql.replace(f'"{_IN_FULL}"', WHOLE.replace("{column}", f'"{NAME}"'))
