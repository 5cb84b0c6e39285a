"""Make the plan: each table is decided for by itself, before anything moves.

Guarantees: what cannot be done (a table or column that is not there, a type that cannot be carried, names that
collide) stops its own table, by name, before the first row is read, and leaves the others to be taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from el.errors import DatabaseError, NotPermitted, PlanError
from el.planning.places import Places
from el.planning.plan import Plan, Refused, TablePlan
from el.planning.plan_table import Known, TablePlanner
from el.planning.selection import Chosen, named


def make_plan(
    known: Known,
    chosen: Sequence[Chosen],
    places: Places,
    *,
    tried: int | None = 1,
    confirm_deletes: Sequence[str] = (),
) -> Plan:
    """Decide everything for these tables.

    tried: how often this was tried, this last time included; None where another try follows, for which what may pass by
    itself is raised. confirm_deletes: globs of tables of which many rows may be gone.
    A table that cannot be taken is among `Plan.refused`; raises only what concerns all of them.
    """
    names = [item.table.name for item in chosen]
    confirmed = {name for text in confirm_deletes for name in named("--confirm-deletes", text, names)}
    tables: list[TablePlan] = []
    refused: list[Refused] = []
    for item in chosen:
        name = item.table.name
        place = places.names[name]
        try:
            if (problem := _problem(known, item, places)) is not None:
                raise problem
            tables.append(TablePlanner(known, item, place, confirmed=name in confirmed).plan())
        except (PlanError, DatabaseError, NotPermitted) as error:
            if error.retryable and tried is None:
                raise
            if error.retryable and tried is not None and tried > 1:
                error.args = (f"{error} (tried {tried} times)",)
            refused.append(Refused(name, place, error))
    if refused and not tables and (broken := next((each.error for each in refused if each.error.retryable), None)):
        # No table could be asked about: it is the server, or the line to it.
        raise broken
    return Plan(known.config.source, known.catalog, tuple(tables), refused=tuple(refused))


def _problem(known: Known, item: Chosen, places: Places) -> PlanError | None:
    """Why this table cannot be taken, or cannot land in its place."""
    name = item.table.name
    last = known.ledger.get(places.names[name])
    if name in places.clashes and last is not None and last.source_table == str(name):
        # Of two names that became one, the table that raw holds already goes on.
        return None
    return item.error or places.problems.get(name)
