"""A batch: its statements in order, control of flow, variables, settings, transactions.

A statement that DuckDB cannot be asked for fails at once with its text. An error ends the statement or the batch as
Microsoft Learn, "Database Engine error severities" and "SET XACT_ABORT" say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import ddl, dml, lookup, merge, messages, procedures, rights, server_functions
from .binder import Binder
from .convert import Bound, convert
from .errors import SqlError, not_supported, syntax
from .languages import LANGUAGES
from .scan import STARTS, Scanner, Token, statement_end
from .scope import Query

if TYPE_CHECKING:
    from .session import Session

# Errors that end their statement and leave the batch and the transaction as they are.
STATEMENT_ONLY = frozenset({515, 544, 547, 1222, 2601, 2627, 2628, 3902, 3903, 8101, 8115, 8134, 8152, 8672})
# Errors that end the batch and take the transaction with them.
ROLL_BACK = frozenset({241, 245, 1205, 3960, 3952, 8114})
QUIET = ("DECLARE", "SET", "PRINT", "RETURN")
IGNORED_SETTINGS = frozenset(
    [
        "ANSI_DEFAULTS",
        "ANSI_NULLS",
        "ANSI_NULL_DFLT_ON",
        "ANSI_NULL_DFLT_OFF",
        "ANSI_PADDING",
        "ANSI_WARNINGS",
        "ARITHABORT",
        "ARITHIGNORE",
        "CONCAT_NULL_YIELDS_NULL",
        "CONTEXT_INFO",
        "CURSOR_CLOSE_ON_COMMIT",
        "DATEFORMAT",
        "DEADLOCK_PRIORITY",
        "NOEXEC",
        "NUMERIC_ROUNDABORT",
        "QUERY_GOVERNOR_COST_LIMIT",
        "QUOTED_IDENTIFIER",
        "ROWCOUNT",
        "SHOWPLAN_ALL",
        "STATISTICS",
        "TEXTSIZE",
    ]
)
LEVELS = {"READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4, "SNAPSHOT": 5}


class Jump(Exception):
    """RETURN, BREAK or CONTINUE."""

    def __init__(self, word: str) -> None:
        self.word = word


def run(session: Session, sql: str) -> None:
    """Executes a batch. Raises `SqlError` for what ends it."""
    runner = Runner(session, Scanner(sql))
    try:
        while not runner.scanner.done:
            runner.statement(True)
    except Jump:
        return


class Runner:
    """Walks over the tokens of a batch; statements that are not taken are walked over all the same."""

    def __init__(self, session: Session, scanner: Scanner) -> None:
        self.session = session
        self.scanner = scanner
        self.trying = 0

    def statement(self, taken: bool) -> None:
        s = self.scanner
        if s.accept(";") or s.accept("GO"):
            return
        if s.accept("IF"):
            self._if(taken)
        elif s.accept("WHILE"):
            self._while(taken)
        elif s.accept("BEGIN", "TRY"):
            self._try(taken)
        elif s.sees("BEGIN") and s.peek(1).text not in ("TRAN", "TRANSACTION"):
            s.next()
            self._block(taken)
        else:
            self._simple(taken)

    def _block(self, taken: bool) -> None:
        while not self.scanner.accept("END"):
            if self.scanner.done:
                syntax("BEGIN")
            self.statement(taken)

    def _condition(self, taken: bool) -> bool:
        text = self.scanner.until(";", *STARTS)
        return taken and self.session.condition(text)

    def _if(self, taken: bool) -> None:
        holds = self._condition(taken)
        self.statement(holds)
        mark = self.scanner.at
        self.scanner.accept(";")
        if self.scanner.accept("ELSE"):
            self.statement(taken and not holds)
        else:
            self.scanner.at = mark

    def _while(self, taken: bool) -> None:
        start = self.scanner.at
        while True:
            self.scanner.at = start
            holds = self._condition(taken)
            body = self.scanner.at
            try:
                self.statement(holds)
            except Jump as jump:
                if jump.word == "RETURN":
                    raise
                if jump.word == "CONTINUE":
                    continue
                self.scanner.at = body
                self.statement(False)
                return
            if not holds:
                return

    def _try(self, taken: bool) -> None:
        start, caught = self.scanner.at, None
        self.trying += 1
        try:
            self._block(taken)
        except SqlError as error:
            caught = error
            self.scanner.at = start
            self._block(False)
        finally:
            self.trying -= 1
        self.scanner.expect("TRY")
        self.scanner.accept(";")
        self.scanner.expect("BEGIN", "CATCH")
        before, self.session.caught = self.session.caught, caught or self.session.caught
        try:
            self._block(caught is not None)
        finally:
            self.session.caught = before
        self.scanner.expect("CATCH")

    def _simple(self, taken: bool) -> None:
        s = self.scanner
        end = statement_end(s.tokens, s.at)
        tokens = s.tokens[s.at : end]
        s.at = end
        if taken:
            self._execute(Scanner(s.sql, _without_hints(tokens)))

    def _execute(self, s: Scanner) -> None:
        session = self.session
        word = s.peek().text if s.peek().kind in ("word", "op") else s.source(s.peek())
        handler = HANDLERS.get(word)
        try:
            if handler is None and word in STARTS:
                not_supported(s.sql[s.tokens[0].start : s.tokens[-1].end][:200])
            if handler is None and s.tokens[0] is self.scanner.tokens[0] and procedures.known(word):
                # The first statement of a batch may call a procedure without EXEC.
                handler = procedures.call
            if handler is None:
                syntax(word)
            result = handler(session, s)
        except SqlError as error:
            session.error = error.number
            ends = session.after_error() or error.number not in STATEMENT_ONLY or session.xact_abort
            if session.depth and not self.trying and (session.xact_abort or error.number in ROLL_BACK):
                session.rollback()
            if self.trying or ends:
                raise
            session.out.info(error)
            session.out.done("", None)
            return
        session.error = 0
        if result is not None:
            session.rowcount = result[1]
            session.out.done(*result)
        elif word not in QUIET:
            session.out.done("", None)


def _without_hints(tokens: list[Token]) -> list[Token]:
    """A statement without the OPTION (...) at its end."""
    words = [t.text if t.kind in ("word", "op") else "" for t in tokens]
    at = len(words) - words[::-1].index("OPTION") - 1 if "OPTION" in words else 0
    return tokens[:at] if at and words[at + 1 : at + 2] == ["("] and words[-1] == ")" else tokens


Result = tuple[str, int] | None


def _select(session: Session, s: Scanner) -> Result:
    if s.sees("WITH") and (word := _after_with(s)) != "SELECT":
        return {"INSERT": dml.insert, "UPDATE": dml.update, "DELETE": dml.delete, "MERGE": merge.merge}[word](
            session, s
        )
    text = s.rest()
    session.refresh()
    query, binder = session.bind(text)
    if " FROM " in query.sql:
        session.start_implicit()
    if query.into:
        return "SELECT", ddl.select_into(session, query, binder.used)
    if query.assigns is not None:
        return "SELECT", _assign(session, query, binder)
    return "SELECT", session.answer(query, binder.used)


def _after_with(s: Scanner) -> str:
    depth = 0
    for token in s.tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "op" else 0
        if depth == 0 and token.kind == "word" and token.text in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"):
            return token.text
    return "SELECT"


def _assign(session: Session, query: Query, binder: Binder) -> int:
    names = [name for name, _ in query.assigns or []]
    if len(names) != len(query.columns):
        raise SqlError(
            141, "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval.", 15
        )
    kinds = [server_functions.variable_type(session, name) for name in names]
    listed = ", ".join(
        convert(Bound(f"k{i}", c.type), kind).sql for i, (c, kind) in enumerate(zip(query.columns, kinds, strict=True))
    )
    places = ", ".join(f"k{i}" for i in range(len(names)))
    rows = session.run_sql(f"SELECT {listed} FROM ({query.sql}) AS q({places})", binder.used)
    if len(rows) > 1 and binder.used & set(names):
        not_supported("a variable that gathers the values of several rows")
    if rows:
        for name, kind, value in zip(names, kinds, rows[-1], strict=True):
            session.variables[name] = (kind, value)
    return len(rows)


def _declare(session: Session, s: Scanner) -> Result:
    s.expect("DECLARE")
    while True:
        name = s.next().text.lstrip("@").lower()
        s.accept("AS")
        if s.sees("TABLE"):
            raise SqlError(40517, "the stand-in does not support: table variables")
        text = s.until("=", ",").strip()
        if text.upper().startswith("CURSOR"):
            not_supported("cursors")
        kind = lookup.type_named(session, text)
        value = None
        if s.accept("="):
            _, value = session.evaluate(s.until(","), kind)
        session.variables[name] = (kind, value)
        if not s.accept(","):
            return None


def _set(session: Session, s: Scanner) -> Result:
    s.expect("SET")
    if s.peek().kind == "variable":
        name = s.next().text.lstrip("@").lower()
        kind = server_functions.variable_type(session, name)
        op = s.next().text
        text = s.rest()
        session.variables[name] = session.evaluate(text if op == "=" else f"@{name} {op[0]} ({text})", kind)
    elif s.accept("TRANSACTION", "ISOLATION", "LEVEL"):
        session.set_isolation(LEVELS[" ".join(s.rest().upper().split())])
    elif s.accept("IDENTITY_INSERT"):
        table = lookup.table(session, s.names())
        if not any(c.identity for c in table.columns):
            raise SqlError(
                8106, f"Table '{table.name}' does not have the identity property. Cannot perform SET operation."
            )
        session.identity_insert = table.object_id if s.accept("ON") else None
    else:
        _options(session, s)
    return None


def _options(session: Session, s: Scanner) -> None:
    names = [s.next().text]
    while s.accept(","):
        names.append(s.next().text)
    value = s.rest().strip().rstrip(";").strip()
    fields = {
        "NOCOUNT": "nocount",
        "XACT_ABORT": "xact_abort",
        "IMPLICIT_TRANSACTIONS": "implicit",
        "FMTONLY": "format_only",
    }
    for name in names:
        if name in fields:
            setattr(session, fields[name], value.upper() == "ON")
        elif name == "LOCK_TIMEOUT":
            session.lock_timeout = int(value)
        elif name == "LANGUAGE":
            language = value.strip("'").removeprefix("N'")
            if language not in LANGUAGES:
                raise SqlError(2743, f"SET LANGUAGE failed because '{language}' is not an official language name.")
            session.language, session.date_first = language, LANGUAGES[language][2]
        elif name == "DATEFIRST":
            session.date_first = int(session.variables[value[1:].lower()][1] if value.startswith("@") else value)
        elif name == "ANSI_DEFAULTS":
            session.implicit = value.upper() == "ON"
        elif name not in IGNORED_SETTINGS:
            raise SqlError(195, f"'{name}' is not a recognized SET option.", 15, 5)


def _transaction(session: Session, s: Scanner) -> Result:
    word = s.next().text
    s.accept("TRAN") or s.accept("TRANSACTION") or s.accept("WORK")
    name = s.name() if not s.done and s.peek().kind in ("word", "quoted") and not s.sees("WITH") else ""
    if word == "SAVE":
        session.savepoint(name)
    elif word == "BEGIN":
        session.begin()
    elif word == "COMMIT":
        session.commit()
    else:
        session.rollback(name)
    return None


def _use(session: Session, s: Scanner) -> Result:
    s.expect("USE")
    session.use(s.name())
    return None


def _wait(session: Session, s: Scanner) -> Result:
    s.expect("WAITFOR", "DELAY")
    text = s.text()
    hours, minutes, seconds = (float(p) for p in text.split(":"))
    session.out.wait(hours * 3600 + minutes * 60 + seconds)
    return None


def _jump(session: Session, s: Scanner) -> Result:
    raise Jump(s.next().text)


def _dbcc(session: Session, s: Scanner) -> Result:
    """DBCC TRACEON | TRACEOFF (flag, -1), of this database alone; the rest of DBCC does nothing."""
    s.next()
    word = s.next().text.upper()
    if word in ("TRACEON", "TRACEOFF"):
        flag = int(Scanner(s.parenthesised()).next().text)
        (session.database.trace_flags.add if word == "TRACEON" else session.database.trace_flags.discard)(flag)
    s.rest()
    return None


def _nothing(session: Session, s: Scanner) -> Result:
    return None


def _rights(session: Session, s: Scanner) -> Result:
    rights.change(session, s)
    return None


HANDLERS: dict[str, Callable[[Session, Scanner], Result]] = {
    "SELECT": _select,
    "WITH": _select,
    "(": _select,
    "INSERT": dml.insert,
    "UPDATE": dml.update,
    "DELETE": dml.delete,
    "TRUNCATE": dml.truncate,
    "MERGE": merge.merge,
    "CREATE": ddl.create,
    "ALTER": ddl.alter,
    "DROP": ddl.drop,
    "EXEC": procedures.execute,
    "EXECUTE": procedures.execute,
    "DECLARE": _declare,
    "SET": _set,
    "BEGIN": _transaction,
    "COMMIT": _transaction,
    "ROLLBACK": _transaction,
    "SAVE": _transaction,
    "USE": _use,
    "PRINT": messages.print_,
    "RAISERROR": messages.raiserror,
    "THROW": messages.throw,
    "WAITFOR": _wait,
    "RETURN": _jump,
    "BREAK": _jump,
    "CONTINUE": _jump,
    **dict.fromkeys(("GRANT", "DENY", "REVOKE"), _rights),
    "CHECKPOINT": _nothing,
    "DBCC": _dbcc,
}
