"""The server's errors in el's words, by their numbers.

MySQL, "Server Error Message Reference"; MariaDB, "Error Codes".
"""

from __future__ import annotations

import ssl

from pymysql import err

from el.connectors.aws_iam import bundle_hint
from el.connectors.mysql.config import MySqlConfig
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

_REFUSED, _NO_DATABASE = frozenset({1045, 1698, 3118, 4151, 1820, 1862}), frozenset({1044, 1049})
_UNREACHABLE = frozenset({2002, 2003, 2005, 2013, 1129, 1130})
_DENIED = frozenset({1044, 1142, 1143, 1227, 1370, 1290, 3955})
# A deadlock, a lock that is waited for, a record or a definition that is another one meanwhile; a session or a server
# that is gone or ends; too many connections; a KILL.
_RETRYABLE = frozenset({1213, 1205, 1020, 1412, 0, 2006, 2013, 2055, 1053, 1040, 1203, 1317, 1927, 1836})
_AT_A_READER = "a replica, or a writer that was failed over: connect anew; `writer_host` names the writer"
_TOO_LONG = frozenset({1969, 3024, 1028})


def connect_error(error: Exception, config: MySqlConfig) -> ElError:
    """Why there is no connection, and what to do."""
    if isinstance(error, ElError):
        return error
    number, text, where = *said(error), config.place
    cause = getattr(error, "original_exception", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CertificateUntrusted(
            f"{where}: its certificate is not trusted here ({cause.verify_message}); give its authority as `ssl_ca`, "
            f"or set `trust_cert: true` in the profile{bundle_hint(config.host)}"
        )
    if isinstance(cause, FileNotFoundError) and config.ssl_ca:
        return CertificateUntrusted(f"{where}: there is no file {config.ssl_ca} (`ssl_ca`){bundle_hint(config.host)}")
    if number == 2026 or isinstance(cause, ssl.SSLError):
        return CertificateUntrusted(f"{where}: no encrypted line ({text}); `encrypt: false` does without")
    if number in _REFUSED:
        return AuthenticationFailed(f"{where} refused user {config.user!r}: {config.refused}")
    if number in _NO_DATABASE:
        return DatabaseMissing(
            f"{where}: there is no database {config.database!r}, or user {config.user!r} may not use it"
        )
    if number in _UNREACHABLE:
        return ServerUnreachable(f"nobody answers as MySQL at {where}: check host, port and firewall")
    return ConnectError(f"{where}: {text}", retryable=number in _RETRYABLE)


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a statement's error means: never a driver's exception."""
    if isinstance(error, ElError):
        return error
    number, text = said(error)
    if only_reads(error):
        found = (WriteError if writing else ReadError)(f"{text} ({_AT_A_READER})", retryable=True)
        found.number = number
        return found
    if number in _DENIED:
        return NotPermitted(f"MySQL: {text}")
    if number in _TOO_LONG:
        text += " (`query_timeout` in the profile, or the server's own limit)"
    retryable = number in _RETRYABLE and isinstance(error, err.MySQLError)
    found = (WriteError if writing else ReadError)(text, retryable=retryable)
    found.number = number
    return found


def only_reads(error: Exception) -> bool:
    """Whether a statement that writes was refused by a server that only reads. 1290 is of each option of a server."""
    number, text = said(error)
    return number == 1836 or (number == 1290 and "read-only" in text.replace("_", "-"))


def said(error: Exception) -> tuple[int, str]:
    """The number, 0 if there is none, and the server's own words in one line."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    return number, " ".join(text.split())[:500] or type(error).__name__
