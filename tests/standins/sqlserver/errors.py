"""SQL Server's own error numbers for what DuckDB and the stand-in refuse.

Numbers and texts: Microsoft Learn, "Database Engine events and errors". An error that the engine raises on purpose
travels through DuckDB's `error()` as `#number:text`, so that it surfaces unchanged whatever query it was raised in.
"""

from __future__ import annotations

import re
from typing import NoReturn

import duckdb

INTERRUPTED = -1
# Another transaction has committed the same key: the statement is to be tried again, which finds it.
CONFLICT = -2


class SqlError(Exception):
    """One ERROR token ([MS-TDS] 2.2.7.10): number, text, severity class and state."""

    def __init__(self, number: int, message: str, severity: int = 16, state: int = 1) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.severity = severity
        self.state = state


def invalid_object(name: str) -> NoReturn:
    raise SqlError(208, f"Invalid object name '{name}'.")


def invalid_column(name: str) -> NoReturn:
    raise SqlError(207, f"Invalid column name '{name}'.")


def not_supported(what: str) -> NoReturn:
    raise SqlError(40517, f"the stand-in does not support: {what}")


def syntax(near: str) -> NoReturn:
    raise SqlError(102, f"Incorrect syntax near '{near}'.", 15)


TYPE_NAMES = {
    "INT8": "tinyint",
    "UINT8": "tinyint",
    "INT16": "smallint",
    "INT32": "int",
    "INT64": "bigint",
    "BOOL": "bit",
    "FLOAT": "real",
    "DOUBLE": "float",
    "DATE": "date",
}


def from_duckdb(error: Exception) -> SqlError:
    """The SQL Server error that says the same as DuckDB's."""
    text = str(error)
    raised = re.search(r"#(\d+):(.*)", text)
    if raised:
        return SqlError(int(raised[1]), raised[2].strip())
    if isinstance(error, duckdb.InterruptException):
        return SqlError(INTERRUPTED, "Operation cancelled by user.", 11)
    if "is aborted" in text:
        return SqlError(
            3930,
            "The current transaction cannot be committed and cannot support operations that write to "
            "the log file. Roll back the transaction.",
        )
    if "PRIMARY KEY or UNIQUE constraint violation" in text:
        return SqlError(
            CONFLICT,
            "Violation of UNIQUE KEY constraint. Cannot insert duplicate key: another transaction has inserted it.",
            14,
        )
    if isinstance(error, duckdb.TransactionException) or "write-write conflict" in text or "Conflict on" in text:
        return SqlError(
            1205,
            "Transaction (Process ID 51) was deadlocked on lock resources with another process and has "
            "been chosen as the deadlock victim. Rerun the transaction.",
            13,
        )
    if "ivision by zero" in text:
        return SqlError(8134, "Divide by zero error encountered.")
    if isinstance(error, duckdb.ConstraintException):
        return SqlError(2627, "Violation of UNIQUE KEY constraint. Cannot insert duplicate key. " + text, 14)
    found = re.search(r"Could not convert string ['\"](.*?)['\"] to (\w+)", text, re.S)
    if found:
        target = found[2]
        if target.startswith("DECIMAL") and re.fullmatch(r"\s*[+-]?[\d.]+\s*", found[1]):
            return SqlError(8115, "Arithmetic overflow error converting varchar to data type numeric.")
        if target.startswith("DECIMAL"):
            return SqlError(8114, "Error converting data type varchar to numeric.")
        if target in ("FLOAT", "DOUBLE"):
            return SqlError(8114, "Error converting data type varchar to float.")
        name = TYPE_NAMES.get(target, target.lower())
        return SqlError(245, f"Conversion failed when converting the varchar value '{found[1]}' to data type {name}.")
    if (
        isinstance(error, duckdb.OutOfRangeException)
        or "out of range" in text
        or "verflow" in text
        or "Could not cast" in text
    ):
        found = re.search(r"(?:destination type|to type) (\w+)|as (\w+)", text)
        kind = TYPE_NAMES.get((found[1] or found[2]) if found else "", "numeric")
        return SqlError(8115, f"Arithmetic overflow error converting expression to data type {kind}.")
    return SqlError(50000, f"The stand-in's engine refused the statement: {text}")
