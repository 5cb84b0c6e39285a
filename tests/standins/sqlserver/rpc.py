"""Remote procedure calls ([MS-TDS] 2.2.6.6): how drivers send statements with parameters.

Microsoft Learn, "sp_executesql", "sp_prepare", "sp_prepexec", "sp_execute", "sp_unprepare", says what each takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import tokens
from .driver_questions import PROCEDURES
from .errors import SqlError
from .scan import Scanner
from .sqltypes import INT, SqlType, parse_type
from .wire_read import Reader, read_type_info

if TYPE_CHECKING:
    from .connection import Connection
    from .session import Session

# The procedures that have a number (2.2.6.6, ProcID).
NUMBERED = {
    1: "sp_cursor",
    2: "sp_cursoropen",
    3: "sp_cursorprepare",
    4: "sp_cursorexecute",
    5: "sp_cursorprepexec",
    6: "sp_cursorunprepare",
    7: "sp_cursorfetch",
    8: "sp_cursoroption",
    9: "sp_cursorclose",
    10: "sp_executesql",
    11: "sp_prepare",
    12: "sp_execute",
    13: "sp_prepexec",
    14: "sp_prepexecrpc",
    15: "sp_unprepare",
}
BY_REFERENCE = 1
NEXT_CALL, NO_EXECUTE = 0xFF, 0xFE


@dataclass
class Parameter:
    """A parameter as sent: `name` without @ and in lower case, "" where it is told by its place."""

    name: str
    output: bool
    type: SqlType
    value: Any


@dataclass(frozen=True)
class Declared:
    name: str
    type: SqlType
    output: bool


def answer(connection: Connection, session: Session, reader: Reader) -> None:
    """Executes the calls of a message one after the other; a call that fails does not stop the next."""
    while True:
        name, parameters = _call(reader)
        more = reader.at < len(reader.data)
        connection.done_token = tokens.DONE_IN_PROC
        try:
            outputs = execute(connection, session, name, parameters)
            end = tokens.return_status(0) + b"".join(
                tokens.return_value(at, "@" + p.name if p.name else "", p.type, p.value) for at, p in outputs
            )
            connection.write(end)
            connection.done_token = tokens.DONE_PROC
            connection.done("", None)
        except SqlError as problem:
            if problem.severity == 0 or problem.number < 0:
                raise
            connection.done_token = tokens.DONE_PROC
            connection.failed(problem)
        if not more:
            return
        reader.byte()


def _call(reader: Reader) -> tuple[str, list[Parameter]]:
    length = reader.ushort()
    if length == 0xFFFF:
        number = reader.ushort()
        name = NUMBERED.get(number, f"procedure {number}")
    else:
        name = reader.take(2 * length).decode("utf-16-le")
    reader.ushort()
    parameters = []
    while reader.at < len(reader.data) and reader.data[reader.at] not in (NEXT_CALL, NO_EXECUTE):
        label = reader.b_varchar().lstrip("@").lower()
        status = reader.byte()
        wire = read_type_info(reader)
        parameters.append(Parameter(label, bool(status & BY_REFERENCE), wire.type, wire.read(reader)))
    return name.rpartition(".")[2].strip("[]").lower(), parameters


def execute(
    connection: Connection, session: Session, name: str, parameters: list[Parameter]
) -> list[tuple[int, Parameter]]:
    """The outputs of a call with their places."""
    if name == "sp_executesql":
        text, declared, values = parameters[0].value, "", parameters[1:]
        if values:
            declared, values = values[0].value or "", values[1:]
        return _with_place(_run(connection, session, text, declared, values), 2)
    if name in ("sp_prepare", "sp_prepexec"):
        handle, declared, text = parameters[0], parameters[1].value or "", parameters[2].value
        if handle.value:
            session.prepared.pop(handle.value, None)
        handle.value, handle.type = next(session.handles), INT
        session.prepared[handle.value] = (text, declared)
        outputs = _run(connection, session, text, declared, parameters[3:]) if name == "sp_prepexec" else []
        return [(0, handle), *_with_place(outputs, 3)]
    if name == "sp_execute":
        if parameters[0].value not in session.prepared:
            raise SqlError(8179, f"Could not find prepared statement with handle {parameters[0].value}.")
        text, declared = session.prepared[parameters[0].value]
        return _with_place(_run(connection, session, text, declared, parameters[1:]), 1)
    if name == "sp_unprepare":
        session.prepared.pop(parameters[0].value, None)
        return []
    return _procedure(connection, session, name, parameters)


def _with_place(outputs: list[Parameter], first: int) -> list[tuple[int, Parameter]]:
    return [(first + i, p) for i, p in enumerate(outputs)]


def _run(
    connection: Connection, session: Session, text: str, declared: str, values: list[Parameter]
) -> list[Parameter]:
    """Runs a statement with parameters as its variables; what its outputs are then."""
    connection.wire.statement(text, connection.wait)
    after = session.run_nested(text, _variables(session, declared, values))
    return [Parameter(p.name, True, *after[p.name]) for p in declarations(declared) if p.output]


def _variables(session: Session, declared: str, values: list[Parameter]) -> dict[str, tuple[SqlType, Any]]:
    places = declarations(declared)
    by_name = {p.name: p for p in places}
    found: dict[str, tuple[SqlType, Any]] = {}
    for i, given in enumerate(values):
        target = by_name.get(given.name) if given.name else places[i] if i < len(places) else None
        if target is None:
            raise SqlError(8145, f"@{given.name or i + 1} is not a parameter for procedure sp_executesql.")
        fits = _alike(target.type, given.type)
        value = given.value if fits else session.as_type((given.type, given.value), target.type)
        found[target.name] = (target.type, value)
    for place in places:
        if place.name not in found:
            wants = f"expects the parameter '@{place.name}', which was not supplied."
            raise SqlError(8178, f"The parameterized query '({declared})' {wants}")
    return found


def _alike(target: SqlType, given: SqlType) -> bool:
    """Whether a value of the given type is one of the target type as it stands."""
    if target.name != given.name:
        return False
    return target.name in ("nvarchar", "varchar", "varbinary") and (
        target.length == -1 or (given.length or 0) <= (target.length or 0)
    )


@lru_cache(maxsize=1000)
def declarations(text: str) -> tuple[Declared, ...]:
    """The parameters of "@p1 int, @p2 nvarchar(20) OUTPUT"."""
    scanner = Scanner(text)
    found = []
    while not scanner.done:
        name = scanner.next().text.lstrip("@").lower()
        scanner.accept("AS")
        kind = scanner.until(",", "OUTPUT", "OUT", "READONLY", "=")
        output = scanner.accept("OUTPUT") or scanner.accept("OUT")
        scanner.until(",")
        scanner.accept(",")
        found.append(Declared(name, parse_type(kind), output))
    return tuple(found)


def _procedure(
    connection: Connection, session: Session, name: str, parameters: list[Parameter]
) -> list[tuple[int, Parameter]]:
    """Any other procedure, as the EXEC that says the same."""
    if name in PROCEDURES:
        named = {p.name: p.value for p in parameters if p.name}
        PROCEDURES[name](session, [p.value for p in parameters if not p.name], named)
        return []
    said, variables = [], {}
    for i, given in enumerate(parameters):
        variable = given.name or f"rpc_{i}"
        variables[variable] = (given.type, given.value)
        output = " OUTPUT" if given.output else ""
        said.append((f"@{given.name} = " if given.name else "") + f"@{variable}{output}")
    text = f"EXEC {name} {', '.join(said)}"
    connection.wire.statement(text, connection.wait)
    after = session.run_nested(text, variables)
    given_back = [(i, p.name or f"rpc_{i}") for i, p in enumerate(parameters) if p.output]
    return [(i, Parameter(parameters[i].name, True, *after[variable])) for i, variable in given_back]
