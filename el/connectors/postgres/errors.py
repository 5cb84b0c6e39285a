"""The server's errors in el's words, by their SQLSTATE.

PostgreSQL Documentation, "PostgreSQL Error Codes". An error of the connection itself has none: there libpq's words
must do.
"""

from __future__ import annotations

import re

from el.connectors.aws_iam import bundle_hint
from el.connectors.postgres.config import PostgresConfig
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

# A serialization failure, a deadlock, a lock that was waited for; a server that ends, starts, or is full; a failover,
# after which a session is at a server that only reads.
_RETRYABLE = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "53300", "25006", "25P03"})
_TOO_LONG, _DENIED = "57014", "42501"
_TOO_LONG_WORDS = "statement timeout"
_GONE = (
    "no connection to the server",
    "server closed the connection",
    "connection not open",
    "SSL SYSCALL",
    "SSL error",
    "SSL connection has been closed",
    "could not receive data",
    "could not send data",
    "connection pointer is NULL",
    "EOF detected",
)
_BUSY = (
    *("too many", "remaining connection slots", "starting up", "shutting down"),
    *("not yet accepting connections", "not accepting connections", "in recovery mode"),
)
_UNREACHABLE = (
    "Connection refused",
    "could not translate host name",
    "timeout expired",
    "No route to host",
    "Network is unreachable",
    "No such file or directory",
    "Connection timed out",
    "Connection reset",
)


def connect_error(error: Exception, config: PostgresConfig) -> ElError:
    """Why there is no connection, and what to do."""
    if isinstance(error, ElError):
        return error
    state, text, where = *said(error), config.place
    if "certificate verify failed" in text or "does not match host name" in text:
        return CertificateUntrusted(
            f"{where}: its certificate is not trusted here ({text}); give its authority as `sslrootcert`, or a weaker "
            f"`sslmode`{bundle_hint(config.host)}"
        )
    if "root certificate file" in text or "certificate file" in text:
        return CertificateUntrusted(f"{where}: {text} (`sslrootcert`, `sslcert`){bundle_hint(config.host)}")
    if "SSL was required" in text:
        return CertificateUntrusted(f"{where}: the server has no encrypted line; `sslmode: disable` does without")
    if any(word in text for word in ("authentication failed", "no password supplied", "is not permitted to log in")):
        return AuthenticationFailed(f"{where} refused user {config.user!r}: {config.refused}")
    if re.search(r'role ".*" does not exist', text):
        return AuthenticationFailed(f"{where} knows no role of user {config.user!r}, or `role`: {text}")
    if "no pg_hba.conf entry" in text:
        return AuthenticationFailed(f"{where}: {text}")
    if re.search(r'database ".*" does not exist', text) or "permission denied for database" in text:
        return DatabaseMissing(
            f"{where}: there is no database {config.database!r}, or user {config.user!r} may not use it"
        )
    if any(word in text for word in _UNREACHABLE):
        return ServerUnreachable(f"nobody answers as PostgreSQL at {where}: check host, port and firewall")
    busy = any(word in text for word in _BUSY)
    return ConnectError(f"{where}: {text}", retryable=busy or _retryable(state, text))


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a statement's error means: never a driver's exception."""
    if isinstance(error, ElError):
        return error
    state, text = said(error)
    if state == _DENIED:
        return NotPermitted(f"PostgreSQL: {text}")
    if state == _TOO_LONG and _TOO_LONG_WORDS in text:
        text += " (`query_timeout` in the profile)"
    return (WriteError if writing else ReadError)(text, retryable=_retryable(state, text))


def only_reads(error: Exception) -> bool:
    """Whether a statement that writes was refused by a server, or a session, that only reads."""
    return said(error)[0] == "25006"


def is_gone(error: Exception) -> bool:
    """Whether the session ended with it."""
    state, text = said(error)
    return state in ("57P01", "57P02", "57P05", "25P03") or state.startswith("08") or _lost(state, text)


def _retryable(state: str, text: str) -> bool:
    return state in _RETRYABLE or state.startswith("08") or _lost(state, text)


def _lost(state: str, text: str) -> bool:
    return not state and any(word in text for word in _GONE)


def said(error: Exception) -> tuple[str, str]:
    """The SQLSTATE, "" if there is none, and the server's own words in one line."""
    state = getattr(error, "sqlstate", None) or ""
    details = dict(getattr(error, "details", None) or ())
    text = str(error)
    found = details.get("PG_DIAG_MESSAGE_PRIMARY", details.get(b"PG_DIAG_MESSAGE_PRIMARY"))
    if isinstance(found, bytes):
        text = found.decode(errors="replace")
        # Not its detail, in which the values of a row may stand.
        hint = details.get(b"PG_DIAG_MESSAGE_HINT")
        text += f" ({hint.decode(errors='replace')})" if isinstance(hint, bytes) else ""
    else:
        text = text.partition("Query was:")[0].partition(". SQLSTATE")[0]
        text = re.sub(r"^[A-Z_]+: (\[libpq\] )?", "", text)
        # The message of the server, without what the driver and libpq say of it.
        text = re.sub(r"^.*?(ERROR|FATAL|PANIC):\s+", "", text, flags=re.DOTALL)
    return state, " ".join(text.split())[:500] or type(error).__name__
