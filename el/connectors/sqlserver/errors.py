"""SQL Server's errors in el's words: which class, whether to try again, what to do.

Numbers are from Microsoft Learn, "Database Engine events and errors"; SQLSTATEs from "ODBC Error Codes". What a driver
appends (its own name, connection strings) is cut off, so that no secret can come through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import tenacity

from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.driver import database_missing, login_failed, missing_library
from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectError,
    DatabaseMissing,
    ElError,
    NotPermitted,
    ReadError,
    ServerUnreachable,
    WriteError,
)

_PREFIXES = re.compile(r"(\[[^\]]*\]\s*)+")
_PRIVATE = re.compile(r"(?i)\b(pwd|password|uid|accesstoken)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)")

# What the server or the driver says, in lower case, of what passes by itself: mssql-python gives no numbers. A session
# of el speaks English; before its login the server has its own language, and then a number may help.
_RETRYABLE = (
    "deadlock",  # 1205
    "lock request time out",  # 1222
    "communication link failure",
    "transport-level error",  # 121, 10053, 10054
    "connection reset",
    "broken pipe",
    "connection is broken",
    "tcp provider",
    "session is in the kill state",  # 596
    "snapshot isolation transaction aborted",  # 3960
    "has been modified by a ddl statement",  # 3961
    "when accessing version store",  # 3966
    "unable to access availability database",  # 983
    "is not currently available",  # 40613
    "40613",
    "error processing your request",  # 40197
    "40197",
    "service is busy",  # 40501
    "resource id :",  # 10928, 10929
    "not enough resources to process",  # 49918
    "too many operations in progress",  # 49919, 49920
)
_RESUMING = ("is not currently available", "40613")


class DatabaseResuming(ServerUnreachable):
    """A serverless database that wakes up, or one that fails over: it answers in a minute or so."""


def while_resuming(
    *, seconds: float = 90, wait: float = 5, sleep: Callable[[float], Any] = tenacity.nap.sleep
) -> tenacity.Retrying:
    """Attempts to connect, one each `wait` seconds, as long as the database says that it is about to come."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DatabaseResuming),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(wait),
        sleep=sleep,
        reraise=True,
    )


def connect_error(error: Exception, config: SqlServerConfig) -> ElError:
    """Why there is no connection, and what to do."""
    if isinstance(error, ElError):
        return error
    missing = missing_library(error, config.reader)
    if missing is not None and not isinstance(error, ImportError):
        return missing
    text = clean(error)
    low = text.lower()
    where = config.place
    if any(words in low for words in _RESUMING):
        return DatabaseResuming(f"{where}: {text}")
    # Before the login: the text of 4060 ends with "The login failed.".
    if "cannot open database" in low or "4060" in low:
        return DatabaseMissing(database_missing(config))
    if login_failed(error):
        return AuthenticationFailed(f"{where} refused user {config.user!r}: check user and password")
    if "does not exist" in low and "database" in low:
        return DatabaseMissing(f"{where}: database {config.database!r} does not exist")
    if "certificate" in low or "ssl provider" in low or "ssl routines" in low:
        return CertificateUntrusted(
            f"{where}: its certificate is not trusted here; install its CA, or set `trust_cert: true` in the profile"
        )
    if "data source name not found" in low or "can't open lib" in low:
        return missing or ConnectError(f"{where}: the ODBC driver or DSN cannot be loaded: {text}")
    unreachable = (
        "timeout",
        "timed out",
        "refused",
        "is unavailable",
        "network-related",
        "not found",
        "name or service",
    )
    if any(word in low for word in (*unreachable, "tcp provider", "08001")):
        return ServerUnreachable(f"nobody answers as SQL Server at {where}: check host, port and firewall")
    return ConnectError(f"{where}: {text}", retryable=any(words in low for words in _RETRYABLE))


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a statement's error means: never a driver's exception, never a secret."""
    if isinstance(error, ElError):
        return error
    text = clean(error)
    low = text.lower()
    if "permission was denied" in low or "permission denied" in low:
        return NotPermitted(f"SQL Server: {text}")
    if "snapshot isolation transaction failed" in low and "not allowed" in low:
        way = "ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION ON, or `isolation: read_committed` in el.yml"
        return ReadError(f"{text} ({way})")
    if "remote access is not supported for transaction isolation level" in low:
        return ReadError(f"{text} (set `isolation: read_committed` for this table in el.yml)")
    if "connection is busy" in low:
        text = "this connection still reads rows: take them into memory first (to_arrow()), or open a second connection"
    retryable = any(word in low for word in _RETRYABLE)
    if "timeout expired" in low:
        text, retryable = f"{text}; raise `query_timeout` or read less at once", False
    return WriteError(text, retryable=retryable) if writing else ReadError(text, retryable=retryable)


def clean(error: Exception) -> str:
    """The server's own words in one line: no driver's prefix, no SQLSTATE tuple, no connection string."""
    arguments: tuple[object, ...] = getattr(error, "args", ())
    text = str(arguments[1]) if len(arguments) > 1 and isinstance(arguments[1], str) else str(error)
    text = text.split("DDBC Error:")[-1]
    text = _PREFIXES.sub("", text)
    text = _PRIVATE.sub(r"\1=***", text)
    text = " ".join(text.split())
    return re.sub(r"\s*\((SQLExecDirectW|SQLDriverConnect|SQLExecute|SQLFetch|SQLPrepare)\)\s*$", "", text)[:500]
