"""SQL Server's errors in el's words: which class, whether to try again, what to do.

Numbers are from Microsoft Learn, "Database Engine events and errors"; SQLSTATEs from "ODBC Error Codes". What a driver
appends (its own name, connection strings) is cut off, so that no secret can come through.
"""

from __future__ import annotations

import re

from el.connectors.sqlserver_config import SqlServerConfig
from el.connectors.sqlserver_drivers import database_missing, missing_library
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

# Text that the server or the driver prints, in lower case -> nothing of it depends on the driver's language pack.
_RETRYABLE = (
    "deadlock",  # 1205
    "lock request time out",  # 1222
    "communication link failure",
    "connection reset",
    "broken pipe",
    "connection is broken",
    "tcp provider",
    "snapshot isolation transaction aborted",  # 3960
    "is not currently available",  # 40613
    "service is busy",  # 40501
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
    # Before the login: the text of 4060 ends with "The login failed.".
    if "cannot open database" in low or "4060" in low:
        return DatabaseMissing(database_missing(config))
    if "login failed" in low or "18456" in low:
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
    return ConnectError(f"{where}: {text}")


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a statement's error means: never a driver's exception, never a secret."""
    if isinstance(error, ElError):
        return error
    text = clean(error)
    low = text.lower()
    if "permission was denied" in low or "permission denied" in low:
        return NotPermitted(f"SQL Server: {text}")
    if "snapshot isolation transaction failed" in low and "not allowed" in low:
        return ReadError(f"{text} (ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION ON)")
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
