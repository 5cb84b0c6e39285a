"""CREATE TABLE and ALTER TABLE: columns, keys, references, checks, defaults.

Microsoft Learn, "CREATE TABLE (Transact-SQL)" and "ALTER TABLE (Transact-SQL)". What is left out is
refused by its word.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from . import lookup, rights, storage, table_kinds
from .binder import Binder
from .catalog import CheckDef, ColumnDef, ForeignKeyDef, KeyDef, TableDef, new_object_id
from .dialect import parse_expression
from .errors import SqlError
from .scan import Scanner, tokenize
from .scope import Scope, Source

if TYPE_CHECKING:
    from .session import Session

ACTIONS = {"NO": 0, "CASCADE": 1, "SET NULL": 2, "SET DEFAULT": 3}
STOPS = (
    ",",
    "CONSTRAINT",
    "NOT",
    "NULL",
    "PRIMARY",
    "UNIQUE",
    "CHECK",
    "REFERENCES",
    "FOREIGN",
    "IDENTITY",
    "COLLATE",
    "WITH",
    "FOR",
    "DEFAULT",
    "ROWGUIDCOL",
    "SPARSE",
    "INDEX",
    "MASKED",
    "HIDDEN",
    "GENERATED",
    "ENCRYPTED",
)


def create(session: Session, s: Scanner) -> None:
    s.expect("CREATE")
    external = s.accept("EXTERNAL")
    s.expect("TABLE")
    names = s.names()
    body = Scanner(s.parenthesised())
    table = storage.new_table(session, names, [])
    rights.require_to_create(session, table)
    table.external = external
    elements(session, table, body)
    table_kinds.options(session, table, s)
    compute_types(session, table)
    storage.create(session, table)
    table_kinds.create_history(session, table)


def system_name(prefix: str, table: TableDef) -> str:
    return f"{prefix}__{table.name[:20]}__{uuid.uuid4().hex[:16].upper()}"


def elements(session: Session, table: TableDef, s: Scanner, not_trusted: bool = False) -> None:
    """Columns and constraints, separated by commas."""
    while not s.done:
        name = s.name() if s.accept("CONSTRAINT") else None
        if s.peek().kind == "word" and s.peek().text in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
            _constraint(session, table, s, name, None, not_trusted)
        elif s.accept("PERIOD"):
            s.rest()
        elif s.sees("INDEX"):
            raise SqlError(40517, f"the stand-in does not support: {s.rest()[:80]}")
        elif s.accept("DEFAULT"):
            text = _default_text(s)
            s.expect("FOR")
            _give_default(table, storage.column_of(table, s.name()), name, text)
        else:
            _column(session, table, s)
        if not s.accept(","):
            break
    if not s.done:
        raise SqlError(102, f"Incorrect syntax near '{s.rest()[:40]}'.", 15)


def _column(session: Session, table: TableDef, s: Scanner) -> None:
    name = s.name()
    if table.column(name) is not None:
        raise SqlError(
            2705,
            f"Column names in each table must be unique. Column name '{name}' in table '{table.name}' is specified "
            "more "
            "than once.",
        )
    column = ColumnDef(table.next_column_id(), name, lookup.type_named(session, "int"))
    table.columns.append(column)
    if s.accept("AS"):
        column.computed = f"({_bracketed(table, s.until(',', 'PERSISTED'))})"
        column.persisted = s.accept("PERSISTED")
    elif s.sees("TIMESTAMP") or s.peek().kind == "end" or s.sees(","):
        s.accept("TIMESTAMP")
        column.type = lookup.type_named(session, "timestamp")
    else:
        column.type, column.alias_id, column.nullable = lookup.column_type(session, type_text(s))
    constraint = None
    while not s.done and not s.sees(","):
        if s.accept("NOT", "NULL"):
            column.nullable = False
        elif s.accept("NULL"):
            column.nullable = True
        elif s.accept("IDENTITY"):
            seed, step = (int(p) for p in Scanner(s.parenthesised()).list_of()) if s.sees("(") else (1, 1)
            column.identity, column.nullable = (seed, step), False
        elif s.accept("CONSTRAINT"):
            constraint = s.name()
            continue
        elif s.accept("DEFAULT"):
            _give_default(table, column, constraint, _default_text(s))
        elif s.accept("COLLATE"):
            column.collation = s.name()
        elif (
            table_kinds.column_word(column, s)
            or s.accept("ROWGUIDCOL")
            or s.accept("SPARSE")
            or s.accept("NOT", "FOR", "REPLICATION")
        ):
            pass
        elif s.peek().text in ("PRIMARY", "UNIQUE", "REFERENCES", "CHECK", "FOREIGN"):
            _constraint(session, table, s, constraint, column, False)
        else:
            raise SqlError(102, f"Incorrect syntax near '{s.source(s.peek())}'.", 15)
        constraint = None


def type_text(s: Scanner) -> str:
    start = s.peek().start
    s.names()
    if s.sees("PRECISION") or s.sees("VARYING"):
        s.next()
    if s.sees("("):
        s.parenthesised()
    return s.sql[start : s.tokens[s.at - 1].end]


def _default_text(s: Scanner) -> str:
    """A default as sys.default_constraints shows it: numbers in two pairs of parentheses, the rest in one."""
    if s.accept("NULL"):
        return "(NULL)"
    text = s.until(*STOPS)
    while text.startswith("(") and text.endswith(")") and _one_pair(text):
        text = text[1:-1].strip()
    tokens = tokenize(text)
    number = (len(tokens) == 1 and tokens[0].kind == "number") or (
        len(tokens) == 2 and tokens[0].text in "+-" and tokens[1].kind == "number"
    )
    return f"(({text}))" if number else f"({text})"


def _one_pair(text: str) -> bool:
    depth = 0
    for token in tokenize(text):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "op" else 0
        if depth == 0:
            return token.end == len(text)
    return False


def _give_default(table: TableDef, column: ColumnDef, name: str | None, text: str) -> None:
    if column.default is not None:
        raise SqlError(1781, "Column already has a DEFAULT bound to it.")
    column.default, column.default_id = text, new_object_id()
    column.default_name = name or system_name("DF", table)


def _bracketed(table: TableDef, text: str) -> str:
    """An expression with its columns in brackets, as SQL Server keeps it."""
    out, at = "", 0
    for token in tokenize(text):
        column = table.column(text[token.start : token.end]) if token.kind == "word" else None
        if column is not None and text[token.end : token.end + 1] != "(":
            out += text[at : token.start] + f"[{column.name}]"
            at = token.end
    return out + text[at:]


def _constraint(
    session: Session, table: TableDef, s: Scanner, name: str | None, column: ColumnDef | None, not_trusted: bool
) -> None:
    if s.sees("PRIMARY") or s.sees("UNIQUE"):
        primary = s.accept("PRIMARY", "KEY") or not s.accept("UNIQUE")
        _key(table, s, name, column, primary)
        return
    s.accept("FOREIGN", "KEY")
    if s.accept("CHECK"):
        s.accept("NOT", "FOR", "REPLICATION")
        text = s.parenthesised()
        table.checks.append(
            CheckDef(
                new_object_id(),
                name or system_name("CK", table),
                f"({_bracketed(table, text)})",
                column.column_id if column else 0,
                not_trusted=not_trusted,
            )
        )
        return
    mine = (
        [column]
        if column
        else [storage.column_of(table, Scanner(c).name()) for c in Scanner(s.parenthesised()).list_of()]
    )
    s.expect("REFERENCES")
    names = s.names()
    parent = (
        table
        if names[-1].lower() == table.name.lower() and (len(names) == 1 or names[-2].lower() == table.schema.lower())
        else lookup.table(
            session,
            names
            if len(names) > 1
            else [table.schema, *names]
            if lookup.find(session, [table.schema, *names])
            else names,
        )
    )
    if s.sees("("):
        theirs = [storage.column_of(parent, Scanner(c).name()).column_id for c in Scanner(s.parenthesised()).list_of()]
    else:
        theirs = [c for c, _ in parent.primary_key.columns] if parent.primary_key else []
    if not any(k.unique and {c for c, _ in k.columns} == set(theirs) for k in parent.keys):
        raise SqlError(
            1776,
            f"There are no primary or candidate keys in the referenced table '{parent.schema}.{parent.name}' that "
            "match "
            f"the referencing column list in the foreign key '{name}'.",
        )
    key = ForeignKeyDef(
        new_object_id(),
        name or system_name("FK", table),
        [c.column_id for c in mine],
        parent.object_id,
        theirs,
        not_trusted=not_trusted,
    )
    while s.accept("ON"):
        event = s.next().text
        word = s.next().text
        if word in ("NO", "SET"):
            word = "NO" if s.next().text == "ACTION" else f"SET {s.tokens[s.at - 1].text}"
        setattr(key, "on_delete" if event == "DELETE" else "on_update", ACTIONS[word])
    table.foreign_keys.append(key)


def _key(table: TableDef, s: Scanner, name: str | None, column: ColumnDef | None, primary: bool) -> None:
    clustered = s.accept("CLUSTERED")
    plain = s.accept("NONCLUSTERED")
    if s.sees("("):
        columns = [storage.key_part(table, text) for text in Scanner(s.parenthesised()).list_of()]
    elif column is not None:
        columns = [(column.column_id, False)]
    else:
        raise SqlError(102, "Incorrect syntax near 'KEY'.", 15)
    if s.accept("WITH"):
        s.parenthesised()
    if s.accept("ON"):
        s.name()
    if primary:
        if table.primary_key:
            raise SqlError(1779, f"Table '{table.name}' already has a primary key defined on it.")
        for column_id, _ in columns:
            table.by_id(column_id).nullable = False
        clustered = clustered or (not plain and not any(k.clustered for k in table.keys))
    table.keys.append(
        KeyDef(
            name or system_name("PK" if primary else "UQ", table),
            "PK" if primary else "UQ",
            table.next_index_id(clustered),
            columns,
            new_object_id(),
            clustered,
            system_named=name is None,
        )
    )


def scope_of(table: TableDef) -> Scope:
    columns = [(c.name, c.physical, c.type, c) for c in table.columns]
    return Scope(None, [Source(table.name, columns, (table.schema, table.name))])


def compute_types(session: Session, table: TableDef) -> None:
    for column in table.columns:
        if column.computed is not None:
            bound = Binder(session).value(parse_expression(column.computed), scope_of(table))
            column.type = bound.type or column.type
