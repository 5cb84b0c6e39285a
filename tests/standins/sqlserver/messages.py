"""PRINT, RAISERROR and THROW. Microsoft Learn, "RAISERROR (Transact-SQL)", "THROW (Transact-SQL)"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import SqlError
from .scan import Scanner
from .sqltypes import NMAX

if TYPE_CHECKING:
    from .session import Session

Result = tuple[str, int] | None


def print_(session: Session, s: Scanner) -> Result:
    s.expect("PRINT")
    _, value = session.evaluate(s.rest(), NMAX)
    session.out.info(SqlError(0, value or " ", 0))
    return None


def raiserror(session: Session, s: Scanner) -> Result:
    s.expect("RAISERROR")
    inner = Scanner(s.parenthesised())
    message, severity, state, *args = inner.list_of()
    _, text = session.evaluate(message, NMAX)
    values = [session.evaluate(a)[1] for a in args]
    text = re.sub(r"%([-+ #0]*\d*)([disuxXo])", lambda m: f"%{m[1]}{'d' if m[2] in 'iu' else m[2]}", text)
    problem = SqlError(
        50000,
        text % tuple(values) if values else text.replace("%%", "%"),
        int(session.evaluate(severity)[1]),
        int(session.evaluate(state)[1]),
    )
    if problem.severity <= 10:
        session.out.info(problem)
        return None
    raise problem


def throw(session: Session, s: Scanner) -> Result:
    s.expect("THROW")
    parts = s.list_of()
    if not parts:
        if session.caught is None:
            raise SqlError(10704, "To rethrow an error, a THROW statement must be used inside a CATCH block.", 15)
        raise session.caught
    number, message, state = (session.evaluate(p)[1] for p in parts)
    raise SqlError(int(number), str(message), 16, int(state))
