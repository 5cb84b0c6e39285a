"""The server's errors in el's words, by the word that they begin with.

Redis, "Redis serialization protocol specification", simple errors; "Redis cluster specification".
"""

from __future__ import annotations

import ssl

from redis import exceptions as rx
from redis.sentinel import MasterNotFoundError

from el.connectors.redis.config import RedisConfig
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

_REFUSED = ("WRONGPASS", "NOAUTH")
# The server is not ready, or the keys are on their way to another one.
_PASSING = ("LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "MOVED", "ASK", "READONLY", "UNBLOCKED")


def connect_error(error: Exception, config: RedisConfig) -> ElError:
    """Why there is no connection, and what to do."""
    if isinstance(error, ElError):
        return error
    text, where = said(error), config.place
    cause = _tls_cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CertificateUntrusted(
            f"{where}: its certificate is not trusted here ({cause.verify_message}); give its authority as `ssl_ca`, "
            "or set `trust_cert: true` in the profile"
        )
    if cause is not None or (config.encrypt and "Connection closed by server" in text):
        return CertificateUntrusted(f"{where}: no encrypted line ({text}); `encrypt: false` does without")
    missing = next((e for e in _chain(error) if isinstance(e, FileNotFoundError)), None)
    if missing is not None and not config.unix_socket:
        return CertificateUntrusted(f"{where}: a file of `ssl_ca`, `ssl_cert` or `ssl_key` is not there")
    if isinstance(error, rx.AuthenticationError) or text.startswith(_REFUSED):
        return AuthenticationFailed(f"{where} refused user {config.user or 'default'!r}: check user and password")
    if "DB index is out of range" in text:
        return DatabaseMissing(f"{where}: there is no database {config.database}")
    if isinstance(error, MasterNotFoundError):
        return ServerUnreachable(f"{where}: no sentinel knows a master of this name that answers")
    if text.startswith("NOPERM") or isinstance(error, rx.NoPermissionError):
        return NotPermitted(f"Redis: {text}; `python -m el grants` prints the ACL that is enough")
    if "cluster support disabled" in text or isinstance(error, rx.ClusterError):
        return ConnectError(f"{where}: {text}; `cluster: true` is for a node of a cluster")
    if isinstance(error, rx.TimeoutError) and config.encrypt and not config.unix_socket:
        return ServerUnreachable(
            f"nobody answers as Redis over TLS at {where}: check host, port and firewall; "
            "`encrypt: false` is for a line that is not encrypted"
        )
    if isinstance(error, rx.ConnectionError | rx.TimeoutError | OSError):
        return ServerUnreachable(f"nobody answers as Redis at {where}: check host, port and firewall")
    return ConnectError(f"{where}: {text}")


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a command's error means: never the driver's exception."""
    if isinstance(error, ElError):
        return error
    text = said(error)
    if isinstance(error, rx.NoPermissionError) or text.startswith("NOPERM"):
        return NotPermitted(f"Redis: {text}; `python -m el grants` prints the ACL that is enough")
    passing = isinstance(error, rx.ConnectionError | rx.TimeoutError | OSError) or text.startswith(_PASSING)
    return (WriteError if writing else ReadError)(text, retryable=passing)


def said(error: Exception) -> str:
    """The server's own words in one line; a key or a value of the command is none of them."""
    text = str(error) or type(error).__name__
    if text.startswith("Command # "):
        # What redis-py puts in front of an error within a pipeline: the command with its keys and values.
        text = text.rpartition(" of pipeline caused error: ")[2]
    return " ".join(text.split())[:300]


def _tls_cause(error: BaseException) -> ssl.SSLError | None:
    return next((each for each in _chain(error) if isinstance(each, ssl.SSLError)), None)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
