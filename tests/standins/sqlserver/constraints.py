"""What a table refuses: NULL, duplicate keys, dangling references, failed checks, with SQL Server's numbers.

Looked for among the staged rows before the table is touched. DuckDB's unique indexes, which see other transactions
too, are the second line. Numbers and texts: Microsoft Learn, "Database Engine events and errors".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from . import lookup
from .binder import Binder
from .catalog import KeyDef, TableDef
from .convert import Bound, convert
from .dialect import parse_condition
from .errors import SqlError
from .sqltypes import NMAX

if TYPE_CHECKING:
    from .session import Session

STAGED = "temp.main.staged"


def check(session: Session, table: TableDef, word: str, changed: set[int] | None) -> None:
    """Raises 515, 547, 2601 or 2627 where a staged row cannot be written."""
    if word != "DELETE":
        _nulls(session, table, word)
        _checks(session, table, word)
        for key in table.keys:
            if key.unique and (changed is None or changed & {c for c, _ in key.columns}):
                _unique(session, table, key)
        _references(session, table, word, changed)
    if word != "INSERT":
        _referrers(session, table, word, changed)


def _nulls(session: Session, table: TableDef, word: str) -> None:
    needed = [c for c in table.columns if not c.nullable]
    if not needed:
        return
    flags = ", ".join(f"bool_or(n{c.column_id} IS NULL)" for c in needed)
    row = session.run_sql(f"SELECT {flags} FROM {STAGED} WHERE _op <> 'D'")[0]
    for column, missing in zip(needed, row, strict=True):
        if missing:
            raise SqlError(
                515,
                f"Cannot insert the value NULL into column '{column.name}', table '{table.database}.{table.schema}."
                f"{table.name}'; column does not allow nulls. {'UPDATE' if word == 'UPDATE' else 'INSERT'} fails.",
                16,
                2,
            )


def _checks(session: Session, table: TableDef, word: str) -> None:
    from .staging import staged_scope

    for check_ in table.checks:
        if check_.disabled:
            continue
        binder = Binder(session)
        condition = binder.predicate(parse_condition(check_.definition), staged_scope(table))
        if session.run_sql(f"SELECT 1 FROM {STAGED} WHERE _op <> 'D' AND NOT ({condition}) LIMIT 1", binder.used):
            place = f", column '{table.by_id(check_.column_id).name}'" if check_.column_id else ""
            _conflict(word, "CHECK", check_.name, table, place)


def _conflict(word: str, kind: str, name: str, table: TableDef, place: str) -> NoReturn:
    raise SqlError(
        547,
        f'The {word} statement conflicted with the {kind} constraint "{name}". The conflict occurred in database '
        f'"{table.database}", table "{table.schema}.{table.name}"{place}.',
        16,
        0,
    )


def _unique(session: Session, table: TableDef, key: KeyDef) -> None:
    columns = [table.by_id(c) for c, _ in key.columns]
    pad = ["rtrim({}, ' ')" + c.collate if c.type.family == "str" else "{}" for c in columns]
    new = [f"{p.format(f'n{c.column_id}')} AS k{i}" for i, (p, c) in enumerate(zip(pad, columns, strict=True))]
    old = [f"{p.format('b.' + c.physical)} AS k{i}" for i, (p, c) in enumerate(zip(pad, columns, strict=True))]
    filters = _filter(session, table, key)
    places = ", ".join(f"k{i}" for i in range(len(columns)))
    same = " AND ".join(f"x.k{i} IS NOT DISTINCT FROM y.k{i}" for i in range(len(columns)))
    found = session.run_sql(
        f"WITH fresh AS (SELECT {', '.join(new)} FROM {STAGED} WHERE _op <> 'D'{filters[0]}), "
        f"kept AS (SELECT {', '.join(old)} FROM {table.sql} b WHERE b.rowid NOT IN (SELECT _rid FROM {STAGED} WHERE "
        "_rid IS NOT NULL)"
        f"{filters[1]}) SELECT {_shown(columns)} FROM (SELECT {places} FROM fresh GROUP BY ALL HAVING count(*) > 1 "
        "UNION ALL "
        f"SELECT {', '.join(f'x.k{i}' for i in range(len(columns)))} FROM fresh x WHERE EXISTS (SELECT 1 FROM kept "
        f"y WHERE {same})) LIMIT 1"
    )
    if not found:
        return
    where = f"object '{table.schema}.{table.name}'"
    if key.kind == "IX":
        raise SqlError(
            2601,
            f"Cannot insert duplicate key row in {where} with unique index '{key.name}'. The duplicate key value is "
            f"({found[0][0]}).",
            14,
        )
    kind = "PRIMARY KEY" if key.kind == "PK" else "UNIQUE KEY"
    raise SqlError(
        2627,
        f"Violation of {kind} constraint '{key.name}'. Cannot insert duplicate key in {where}. The duplicate key "
        f"value is ({found[0][0]}).",
        14,
    )


def _filter(session: Session, table: TableDef, key: KeyDef) -> tuple[str, str]:
    from .scope import Scope, Source
    from .staging import staged_scope

    if not key.filter:
        return "", ""
    base = Scope(None, [Source(table.name, [(c.name, f"b.{c.physical}", c.type, c) for c in table.columns], ())])
    tree = parse_condition(key.filter)
    return tuple(f" AND ({Binder(session).predicate(tree, scope)})" for scope in (staged_scope(table), base))  # type: ignore[return-value]


def _shown(columns: list) -> str:  # type: ignore[type-arg]
    parts = [f"coalesce({convert(Bound(f'k{i}', c.type), NMAX).sql}, '<NULL>')" for i, c in enumerate(columns)]
    return " || ', ' || ".join(parts)


def _references(session: Session, table: TableDef, word: str, changed: set[int] | None) -> None:
    for key in table.foreign_keys:
        if key.disabled or (changed is not None and not changed & set(key.columns)):
            continue
        parent = lookup.by_object_id(session, key.referenced)
        if parent is None:
            continue
        same = " AND ".join(
            f"s.n{a} = p.{parent.by_id(b).physical}" for a, b in zip(key.columns, key.referenced_columns, strict=True)
        )
        given = " AND ".join(f"s.n{a} IS NOT NULL" for a in key.columns)
        also = ""
        if parent.object_id == table.object_id:
            mine = " AND ".join(f"s.n{a} = x.n{b}" for a, b in zip(key.columns, key.referenced_columns, strict=True))
            also = f" AND NOT EXISTS (SELECT 1 FROM {STAGED} x WHERE {mine})"
        if session.run_sql(
            f"SELECT 1 FROM {STAGED} s WHERE s._op <> 'D' AND {given} AND NOT EXISTS (SELECT 1 FROM {parent.sql} p "
            f"WHERE {same}){also} LIMIT 1"
        ):
            place = f", column '{parent.by_id(key.referenced_columns[0]).name}'" if len(key.columns) == 1 else ""
            _conflict(word, "FOREIGN KEY" + (" SAME TABLE" if also else ""), key.name, parent, place)


def referring(session: Session, table: TableDef) -> list[tuple[TableDef, int]]:
    """Tables whose foreign keys point here: (table, id of the key)."""
    if table.database == "tempdb":
        return []
    db = session.engine.database(table.database)
    rows = session.run_sql(
        f"SELECT parent_object_id, object_id FROM {db.quoted}.cat.foreign_keys WHERE referenced_object_id = "
        f"{table.object_id}"
    )
    return [(child, key) for o, key in rows if (child := lookup.by_object_id(session, o, db)) is not None]


def _referrers(session: Session, table: TableDef, word: str, changed: set[int] | None) -> None:
    for child, key_id in referring(session, table):
        key = next(f for f in child.foreign_keys if f.object_id == key_id)
        if key.disabled or (changed is not None and not changed & set(key.referenced_columns)):
            continue
        same = " AND ".join(
            f"c.{child.by_id(a).physical} = s.o{b}" for a, b in zip(key.columns, key.referenced_columns, strict=True)
        )
        still = " AND ".join(f"x.n{b} = s.o{b}" for b in key.referenced_columns)
        gone = (
            f" AND c.rowid NOT IN (SELECT _rid FROM {STAGED} WHERE _op = 'D')"
            if child.object_id == table.object_id
            else ""
        )
        if session.run_sql(
            f"SELECT 1 FROM {STAGED} s JOIN {child.sql} c ON {same} WHERE s._op <> 'I' AND NOT EXISTS (SELECT 1 FROM "
            f"{STAGED} x WHERE x._op <> 'D' AND {still}){gone} LIMIT 1"
        ):
            if key.on_delete or key.on_update:
                raise SqlError(40517, f"the stand-in does not support: the cascading action of {key.name}")
            place = f", column '{child.by_id(key.columns[0]).name}'" if len(key.columns) == 1 else ""
            _conflict(word, "REFERENCE", key.name, child, place)


def refuse_truncate(session: Session, table: TableDef) -> None:
    if any(child.object_id != table.object_id for child, _ in referring(session, table)):
        raise SqlError(
            4712, f"Cannot truncate table '{table.name}' because it is being referenced by a FOREIGN KEY constraint."
        )
    if table.captured:
        raise SqlError(
            4711,
            f"Cannot truncate table '{table.name}' because it is published for replication or enabled for Change "
            "Data Capture.",
        )
