"""DuckDB's and fakesnow's errors as Snowflake's: number, SQLSTATE and the words that clients look for.

Numbers as clients match on them: 2003 and 904 decide what dlt and dbt take for "not there yet", 100072 makes
the connector raise IntegrityError. What has no counterpart is 000002 / 0A000 "Unsupported feature", with the
statement in it.
"""

from __future__ import annotations

import re

import duckdb
from snowflake.connector.errors import Error, ProgrammingError

_MISSING = re.compile(
    r"(?:(Table|View|Schema) with name \"?([^\"!]+?)\"? does not exist|Catalog \"([^\"]+)\" does not exist)"
)
_EXISTS = re.compile(r"(?:Table|View|Schema|Sequence) with name \"?([^\"!]+?)\"? already exists")
_NO_FUNCTION = re.compile(r"Function with name \"?([^\" ]+)\"? does not exist")
_NO_COLUMN = re.compile(r"(?:Referenced column|column named|Column with name) \"?([^\" ]+)\"?")

NOTHING_TO_SHOW = "SQL compilation error:\nObject does not exist, or operation cannot be performed."


def is_conflict(error: BaseException) -> bool:
    """Whether DuckDB refused two writers at once, where Snowflake would have made the second one wait."""
    return isinstance(error, duckdb.TransactionException) and "onflict" in str(error)


def compilation_error(text: str, errno: int, sqlstate: str) -> ProgrammingError:
    return ProgrammingError(msg=f"SQL compilation error:\n{text}", errno=errno, sqlstate=sqlstate)


def remote_file_not_found(name: object) -> ProgrammingError:
    text = f"Remote file '{name}' was not found. There are several potential causes."
    return ProgrammingError(msg=text, errno=91016, sqlstate="22000")


def insufficient(kind: str, name: tuple[str, ...]) -> ProgrammingError:
    """What a role is told that has some privilege of an object, and not the one that is needed."""
    text = f"SQL access control error:\nInsufficient privileges to operate on {kind.lower()} '{name[-1]}'"
    return ProgrammingError(msg=text, errno=3001, sqlstate="42501")


def unsupported(reason: object, sql: str) -> ProgrammingError:
    return ProgrammingError(msg=f"Unsupported feature on the stand-in: {reason}: {sql}", errno=2, sqlstate="0A000")


def as_snowflake_error(error: Exception, sql: str) -> Error:
    """The error to answer with for `sql`."""
    text = re.sub(r"^\d{6} \(\w+\): ", "", str(getattr(error, "msg", None) or error))
    errno = getattr(error, "errno", None)
    if errno == 2043 and isinstance(error, Error) and text.endswith(NOTHING_TO_SHOW.partition("\n")[2]):
        return error
    if errno == 1003 and "Parser Error" in text:  # Snowflake's syntax, which DuckDB does not know
        return unsupported(text, sql)
    if isinstance(error, Error) and errno not in {2003, 2043, 9999}:
        return error
    if function := _NO_FUNCTION.search(text):
        return compilation_error(f"Unknown function {function[1].upper()}: {sql}", 2140, "42601")
    if missing := _MISSING.search(text):
        kind = missing[1] if missing[1] == "Schema" else "Database" if missing[3] else "Object"
        name = missing[2] or missing[3]
        state = "42S02" if kind == "Object" else "02000"
        return compilation_error(f"{kind} '{name}' does not exist or not authorized.", 2003, state)
    if exists := _EXISTS.search(text):
        return compilation_error(f"Object '{exists[1]}' already exists.", 2002, "42710")
    if errno == 2043:
        if column := _NO_COLUMN.search(text):
            return compilation_error(
                f"error line 1 at position 0\ninvalid identifier '{column[1]}' ({text})", 904, "42000"
            )
        return compilation_error(text, 2, "42000")
    if errno == 2003 and isinstance(error, Error):
        return error
    if isinstance(error, duckdb.ConstraintException):
        if "NOT NULL" in text:
            return ProgrammingError(msg=f"NULL result in a non-nullable column: {text}", errno=100072, sqlstate="22000")
        return ProgrammingError(msg=text, errno=100069, sqlstate="22000")
    if isinstance(error, duckdb.InvalidInputException) and "same target row" in text:
        return ProgrammingError(msg=f"Duplicate row detected during DML action: {text}", errno=100090, sqlstate="42P18")
    if isinstance(error, (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)):
        return ProgrammingError(msg=text.split("\n")[0], errno=100038, sqlstate="22018")
    if isinstance(error, duckdb.TransactionException):
        return ProgrammingError(msg=f"Statement could not take its lock: {text}", errno=625, sqlstate="57014")
    return unsupported(f"{type(error).__name__}: {text}", sql)
