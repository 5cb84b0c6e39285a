"""EXEC: sp_executesql, text in parentheses, and the system procedures that clients and tests call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import capture, cdc, change_tracking, driver_questions, lookup, server_functions, storage
from .convert import quote
from .errors import SqlError
from .scan import Scanner
from .sqltypes import NMAX, SqlType

if TYPE_CHECKING:
    from .session import Session


@dataclass
class Arguments:
    """The arguments of a call: by position, and by name without the @ in lower case."""

    positional: list[tuple[SqlType, Any]] = field(default_factory=list)
    named: dict[str, tuple[SqlType, Any]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, position: int) -> Any:
        if name in self.named:
            return self.named[name][1]
        return self.positional[position][1] if position < len(self.positional) else None

    def text(self, name: str, position: int) -> str | None:
        value = self.value(name, position)
        return None if value is None else str(value)


def execute(session: Session, s: Scanner) -> tuple[str, int] | None:
    s.next()
    if s.sees("("):
        _, text = session.evaluate(s.parenthesised(), NMAX)
        session.run_nested(text, dict(session.variables))
        return None
    if s.peek().kind == "variable" and s.peek(1).text == "=":
        s.next(), s.next()
    return call(session, s)


def call(session: Session, s: Scanner) -> tuple[str, int] | None:
    """A procedure's name and its arguments."""
    name = s.names()[-1].lower()
    if name in driver_questions.PROCEDURES:
        asked = _arguments(session, s)
        named = {label: value for label, (_, value) in asked.named.items()}
        driver_questions.PROCEDURES[name](session, [value for _, value in asked.positional], named)
        return None
    procedure = PROCEDURES.get(name)
    if procedure is None:
        raise SqlError(2812, f"Could not find stored procedure '{name}'.", 16, 62)
    args = _arguments(session, s)
    procedure(session, args)
    return None


def _arguments(session: Session, s: Scanner) -> Arguments:
    out = Arguments()
    for position, text in enumerate(s.list_of((";",))):
        one = Scanner(text)
        name = ""
        if one.peek().kind == "variable" and one.peek(1).text == "=":
            name = one.next().text.lstrip("@").lower()
            one.next()
        if one.tokens[-1].text in ("OUTPUT", "OUT") and len(one.tokens) - one.at == 2:
            out.outputs[name or str(position)] = one.peek().text.lstrip("@").lower()
            one.tokens = one.tokens[:-1]
        rest = one.rest()
        if rest.upper() == "DEFAULT":
            continue
        bare = (
            len(one.tokens)
            and one.tokens[-1].kind == "word"
            and rest.upper() != "NULL"
            and " " not in rest
            and "(" not in rest
        )
        value = (NMAX, rest) if bare else session.evaluate(rest)
        if name:
            out.named[name] = value
        else:
            out.positional.append(value)
    return out


def _executesql(session: Session, args: Arguments) -> None:
    text = args.text("statement", 0) if "statement" in args.named else args.text("stmt", 0)
    declared = args.text("params", 1) or ""
    variables: dict[str, tuple[SqlType, Any]] = {}
    outputs = {}
    for position, part in enumerate(Scanner(declared).list_of()):
        one = Scanner(part)
        name = one.next().text.lstrip("@").lower()
        one.accept("AS")
        kind = lookup.type_named(session, one.until("=", "OUTPUT", "OUT"))
        given = args.named.get(name) or (args.positional[position + 2] if position + 2 < len(args.positional) else None)
        if given is None and name not in args.named:
            raise SqlError(
                8178, f"The parameterized query '{text}' expects the parameter '@{name}', which was not supplied."
            )
        variables[name] = (kind, session.as_type(given, kind))
        if target := args.outputs.get(name) or args.outputs.get(str(position + 2)):
            outputs[name] = target
    after = session.run_nested(text or "", variables)
    for name, target in outputs.items():
        session.variables[target] = (
            server_functions.variable_type(session, target),
            session.as_type(after[name], server_functions.variable_type(session, target)),
        )


def _rename(session: Session, args: Arguments) -> None:
    old, new, kind = (
        Scanner(args.text("objname", 0) or "").names(),
        args.text("newname", 1) or "",
        (args.text("objtype", 2) or "").upper(),
    )
    names = old[:-1] if kind in ("COLUMN", "INDEX") else old

    def work() -> None:
        if kind not in ("", "OBJECT", "COLUMN", "INDEX"):
            raise SqlError(40517, f"the stand-in does not support: sp_rename of {kind}")
        found = lookup.find(session, names)
        if found is None:
            raise SqlError(
                15225,
                f"No item by the name of '{'.'.join(old)}' could be found in the current database "
                f"'{session.database.name}', given that @itemtype was input as '{kind or '(null)'}'.",
                11,
            )
        table = found.copy()
        if kind == "COLUMN":
            storage.column_of(table, old[-1]).name = new
        elif kind == "INDEX":
            next(k for k in table.keys if k.name.lower() == old[-1].lower()).name = new
        else:
            if lookup.find(session, [*old[:-1], new]) is not None:
                raise SqlError(
                    15335,
                    f"Error: The new name '{new}' is already in use as a OBJECT name and would cause a duplicate "
                    "that is "
                    "not permitted.",
                    11,
                )
            table.name = new
        storage.save(session, table)

    session.atomic(work)
    session.out.info(
        SqlError(15477, "Caution: Changing any part of an object name could break scripts and stored procedures.", 0)
    )


def _property(action: str) -> Callable[[Session, Arguments], None]:
    def procedure(session: Session, args: Arguments) -> None:
        first = 0 if action == "drop" else 1
        name, value = args.text("name", 0) or "", None if action == "drop" else args.text("value", 1)
        levels = [args.text(f"level{i}name", first + 2 * (i + 1)) for i in range(3)]

        def work() -> None:
            db = session.quoted_database
            major = minor = 0
            if levels[1]:
                table = lookup.table(session, [levels[0] or "dbo", levels[1]])
                major = table.object_id
                minor = storage.column_of(table, levels[2]).column_id if levels[2] else 0
            where = (
                f"class = {1 if major else 0} AND major_id = {major} AND minor_id = {minor} AND lower(name) = "
                f"lower({quote(name)})"
            )
            there = session.run_sql(f"SELECT 1 FROM {db}.cat.extended_properties WHERE {where}")
            if action == "add" and there:
                raise SqlError(
                    15233, f"Property cannot be added. Property '{name}' already exists for the object specified."
                )
            if action != "add" and not there:
                raise SqlError(
                    15217,
                    f"Property cannot be updated or deleted. Property '{name}' does not exist for the object "
                    "specified.",
                )
            session.wrote = True
            session.run_sql(f"DELETE FROM {db}.cat.extended_properties WHERE {where}")
            if action != "drop":
                kind = "OBJECT_OR_COLUMN" if major else "DATABASE"
                session.run_sql(
                    f"INSERT INTO {db}.cat.extended_properties VALUES ({1 if major else 0}, '{kind}', {major}, "
                    f"{minor}, "
                    f"{quote(name)}, {quote(value) if value is not None else 'NULL'})"
                )

        session.atomic(work)

    return procedure


def _flush(session: Session, args: Arguments) -> None:
    """Cleans up what change tracking kept, as if its retention had passed."""
    table = lookup.table(session, Scanner(args.text("tabletoclean", 0) or "").names())
    session.atomic(lambda: change_tracking.expire(session, table))


def _describe(session: Session, args: Arguments) -> None:
    session.run_nested(
        "SELECT * FROM sys.dm_exec_describe_first_result_set(@tsql, NULL, 0)", {"tsql": (NMAX, args.text("tsql", 0))}
    )


def _nothing(session: Session, args: Arguments) -> None:
    return


PROCEDURES: dict[str, Callable[[Session, Arguments], None]] = {
    "sp_executesql": _executesql,
    "sp_rename": _rename,
    "sp_addextendedproperty": _property("add"),
    "sp_updateextendedproperty": _property("update"),
    "sp_dropextendedproperty": _property("drop"),
    "sp_describe_first_result_set": _describe,
    "sp_flush_ct_internal_table_on_demand": _flush,
    "sp_cdc_enable_db": cdc.enable_db,
    "sp_cdc_disable_db": cdc.disable_db,
    "sp_cdc_enable_table": cdc.enable_table,
    "sp_cdc_disable_table": cdc.disable_table,
    "sp_cdc_cleanup_change_table": cdc.cleanup,
    "sp_cdc_start_job": capture.start_job,
    "sp_cdc_stop_job": capture.stop_job,
    "sp_cdc_scan": capture.scan,
    "sp_set_session_context": _nothing,
}


def known(name: str) -> bool:
    return name.lower() in PROCEDURES or name.lower() in driver_questions.PROCEDURES
