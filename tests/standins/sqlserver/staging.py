"""Staged rows: completed, checked, applied to their table, and recorded for change tracking and capture.

`temp.main.staged` has `_rid` (the row of the table), `_op` (I, U or D), `_n` (its number), and `o<column>` and
`n<column>`, the old and the new values. Nothing of the table has changed when a check fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import capture, change_tracking, constraints, lookup
from .binder import Binder
from .catalog import TableDef
from .convert import convert
from .dialect import parse, parse_expression
from .errors import SqlError
from .scope import Query, Scope, Source

if TYPE_CHECKING:
    from .session import Session

STAGED = "temp.main.staged"
OUTPUTS = "temp.main.outputs"


def stage(session: Session, sql: str, used: set[str], head: str = "") -> None:
    """Keeps the rows, numbered from 0 in their order (`_n`): rowid does not begin at 0 within a transaction."""
    made = f"CREATE OR REPLACE TEMP TABLE staged AS {head}SELECT *, row_number() OVER () - 1 AS _n FROM ({sql})"
    session.staged = int(session.run_sql(made, used)[0][0])


def run_change(session: Session, work: Callable[[], int]) -> int:
    """Runs the statement in its transaction, and sends what OUTPUT asked for."""
    session.output = None
    count = int(session.atomic(work))
    if session.output is not None:
        columns, session.output = session.output, None
        session.answer(Query(f"FROM {OUTPUTS}", columns), set())
    return count


def apply(session: Session, table: TableDef, word: str, output: str = "", changed: set[int] | None = None) -> int:
    """Completes, checks, applies and records the staged rows; how many they are.

    changed: ids of the columns that an UPDATE set, None for all.
    """
    count = session.staged
    if count:
        _generate(session, table, changed)
        constraints.check(session, table, word, changed)
    if output:
        _output(session, table, output)
    if count:
        session.wrote_into(table)
        _write(session, table, word, changed)
        if table.tracked:
            change_tracking.record(session, table, changed)
        if table.captured:
            capture.record(session, table)
    return count


def _generate(session: Session, table: TableDef, changed: set[int] | None) -> None:
    """Identity values, row versions and computed columns of the staged rows."""
    identity = next((c for c in table.columns if c.identity), None)
    if identity is not None and changed is None:
        explicit = session.identity_insert == table.object_id
        place = f"n{identity.column_id}"
        if explicit:
            high = session.run_sql(f"SELECT max({place}), min({place}) FROM {STAGED} WHERE _op = 'I'")[0]
            session.engine.raise_identity(table, identity, high[0 if identity.identity[1] > 0 else 1])
            last = session.run_sql(f"SELECT {place} FROM {STAGED} WHERE _op = 'I' ORDER BY _n DESC LIMIT 1")
        else:
            new = session.run_sql(f"SELECT count(*) FROM {STAGED} WHERE _op = 'I'")[0][0]
            first = session.engine.take_identity(table, identity, new)
            step = identity.identity[1]
            session.run_sql(
                f"UPDATE {STAGED} SET {place} = {first} + {step} * r.i FROM (SELECT _n AS at, row_number() OVER "
                "(ORDER BY _n) - 1 AS i "
                f"FROM {STAGED} WHERE _op = 'I') r WHERE r.at = staged._n"
            )
            last = [(first + step * (new - 1),)] if new else []
        if last:
            session.identity = int(last[0][0])
    version = next((c for c in table.columns if c.is_rowversion), None)
    if version is not None:
        count = session.staged
        first = session.take_rowversions(table, count)
        session.run_sql(f"UPDATE {STAGED} SET n{version.column_id} = unhex(tds_hex8({first} + _n)) WHERE _op <> 'D'")
    computed = [c for c in table.columns if c.computed is not None]
    if computed:
        binder, scope = Binder(session), staged_scope(table)
        sets = ", ".join(
            f"n{c.column_id} = {convert(binder.value(parse_expression(c.computed or ''), scope), c.type).sql}"
            for c in computed
        )
        session.run_sql(f"UPDATE {STAGED} SET {sets} WHERE _op <> 'D'", binder.used)


def staged_scope(table: TableDef, prefix: str = "n", alias: str = "") -> Scope:
    """The table's columns as the staged rows have them."""
    columns = [(c.name, f"{prefix}{c.column_id}", c.type, c) for c in table.columns]
    return Scope(None, [Source(alias or table.name, columns, (table.schema, table.name))])


def _output(session: Session, table: TableDef, text: str) -> None:
    if " INTO " in f" {' '.join(text.upper().split())} ":
        raise SqlError(40517, f"the stand-in does not support: OUTPUT {text}")
    scope = Scope(
        None, [staged_scope(table, "n", "inserted").sources[0], staged_scope(table, "o", "deleted").sources[0]]
    )
    action = "CASE _op WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' ELSE 'DELETE' END"
    scope.sources.append(Source("", [("$action", action, lookup.type_named(session, "nvarchar(10)"), None)]))
    binder = Binder(session)
    outs = [pair for item in parse("SELECT " + text).expressions for pair in binder.item(item, scope)]
    listed = ", ".join(f"{bound.sql} AS k{i}" for i, (bound, _) in enumerate(outs))
    session.run_sql(f"CREATE OR REPLACE TEMP TABLE outputs AS SELECT {listed} FROM {STAGED}", binder.used)
    session.output = [column for _, column in outs]


def _write(session: Session, table: TableDef, word: str, changed: set[int] | None) -> None:
    if word in ("DELETE", "MERGE"):
        session.run_sql(f"DELETE FROM {table.sql} WHERE rowid IN (SELECT _rid FROM {STAGED} WHERE _op = 'D')")
    if word in ("UPDATE", "MERGE"):
        made = [
            c
            for c in table.columns
            if changed is None or c.column_id in changed or c.is_rowversion or c.computed is not None
        ]
        sets = ", ".join(f"{c.physical} = s.n{c.column_id}" for c in made if not c.identity)
        session.run_sql(
            f"UPDATE {table.sql} SET {sets} FROM {STAGED} s WHERE {table.physical}.rowid = s._rid AND s._op = 'U'"
        )
    if word in ("INSERT", "MERGE"):
        names = ", ".join(c.physical for c in table.columns)
        values = ", ".join(f"n{c.column_id}" for c in table.columns)
        session.run_sql(f"INSERT INTO {table.sql} ({names}) SELECT {values} FROM {STAGED} WHERE _op = 'I'")
