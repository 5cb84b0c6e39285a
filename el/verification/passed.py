"""How far a table has been verified, as `_el_verified` in the warehouse says: what rolling verification goes on from.

Guarantee: only comparisons that found nothing count, and none of before raw was begun anew. Where it cannot be read,
nothing was verified, and the table is compared whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from el.connectors.sql.select import Statement
from el.loading.ledger import LEDGER_TABLE
from el.loading.warehouse import Warehouse
from el.planning.plan import TablePlan
from el.verification.report import Verdict
from el.verification.verified import VERIFIED_TABLE

_WANTED = ("verified_at", "load_id", "bound_column", "verified_through", "share", "share_through", "verdict")


@dataclass(frozen=True, slots=True)
class Passed:
    """The last comparison that found nothing. at: when, in UTC. unbroken: none after it found anything."""

    at: datetime
    unbroken: bool
    load_id: str
    column: str | None
    through: str | None
    share: str | None = None  # "3/16"; None: all was compared
    share_through: str | None = None  # up to where in the key shares have been, as of `Found`; None: a round is over

    @property
    def turn(self) -> tuple[int, int]:
        """Which share of how many it was."""
        number, _, shares = (self.share or "0/0").partition("/")
        return int(number), int(shares)

    def border(self, column: str) -> str | None:
        """Up to which of this column's values shares have been; None where they were of another, or a round is over."""
        of, _, border = (self.share_through or "").rpartition(" ")
        return border if of == column else None


def last_passed(warehouse: Warehouse, table: TablePlan) -> Passed | None:
    """The last comparison of this table that found nothing; None where there was none, or raw was begun anew since."""
    schema, name = table.raw_schema, table.raw_table
    with warehouse.connector as connector:
        held = {column.lower() for column in warehouse.columns_of(schema, VERIFIED_TABLE)}
        if not {*_WANTED, "target"} <= held:
            return None
        wanted = ", ".join(_WANTED)
        latest = "row_number() OVER (PARTITION BY verdict ORDER BY verified_at DESC) = 1"
        place = warehouse.qualified(schema, VERIFIED_TABLE)
        mine = "table_name = ? AND target IS NULL"
        select = f"SELECT {wanted} FROM {place} WHERE {mine} QUALIFY {latest} ORDER BY verified_at DESC"
        rows = connector.fetch(Statement(select, (name,)))
        found = next((row for row in rows if row[-1] == Verdict.EQUAL), None)
        if found is None or found[1] is None or _begun_anew(warehouse, table) > str(found[1]):
            return None
    at, load_id, *rest = found[:-1]
    assert isinstance(at, datetime)
    column, through, share, border = (None if each is None else str(each) for each in rest)
    # A fault that was found is there until a comparison passes.
    return Passed(at.replace(tzinfo=UTC), rows[0] is found, str(load_id), column, through, share, border)


def _begun_anew(warehouse: Warehouse, table: TablePlan) -> str:
    """The last complete snapshot's load; "" if there is none."""
    schema, load = table.raw_schema, warehouse.column("_dlt_load_id")
    ledger, name = warehouse.qualified(schema, LEDGER_TABLE), warehouse.column("table_name")
    statement = Statement(
        f"SELECT MAX({load}) FROM {ledger} WHERE {name} = ? "
        f"AND {warehouse.column('kind')} = 'snapshot' AND {load} IN ({warehouse.complete_ids(schema)})",
        (table.raw_table,),
    )
    return str(warehouse.connector.fetch(statement)[0][0] or "")
