"""The driver's and the server's errors in el's words, by the server's own codes.

MongoDB, "Error Codes"; specification "Retryable Reads": which codes may pass.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

from pymongo import errors as px

from el.connectors.mongodb.config import MongoDbConfig
from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectError,
    ElError,
    NotPermitted,
    ReadError,
    ServerUnreachable,
    WriteError,
)

UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
# The server steps down, is on its way, has lost its line, or the snapshot; of a write, another one was in between.
_PASSING = frozenset(
    {6, 7, 24, 43, 46, 50, 63, 89, 91, 112, 133, 134, 150, 175, 189, 202, 234, 237, 239, 246, 251, 262, 317, 358}
    | {9001, 10058, 10107, 11600, 11602, 13435, 13436}
)
_LABELS = ("RetryableWriteError", "TransientTransactionError", "NetworkError", "ResumableChangeStreamError")
# A server that the driver asked, and what came of it.
_NAMED = re.compile(r"(?:^|,)([\w.\-\[\]:]+:\d+): ")
# What a message of the server's may show of a document.
_VALUES = re.compile(r"(dup key: |keyValue: |doc: |, full error: ).*", re.DOTALL)


def connect_error(error: Exception, config: MongoDbConfig) -> ElError:
    """Why there is no connection, and what to do."""
    if isinstance(error, ElError):
        return error
    where, text = config.place, said(error)
    chain = tuple(_chain(error))
    tls = next((each for each in chain if isinstance(each, ssl.SSLError)), None)
    if isinstance(tls, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in text:
        return CertificateUntrusted(
            f"{where}: its certificate is not trusted here; give its authority as `ssl_ca`, or set `trust_cert: true` "
            "in the profile"
        )
    if any(isinstance(each, FileNotFoundError) for each in chain) and config.encrypt:
        return CertificateUntrusted(f"{where}: a file of `ssl_ca` or `ssl_cert` is not there")
    code = getattr(error, "code", None)
    if code == AUTHENTICATION_FAILED or "Authentication failed" in text:
        return AuthenticationFailed(
            f"{where} refused user {config.user!r}: check user and password, and `auth_source`, the database that "
            "knows the user"
        )
    if code == UNAUTHORIZED:
        if config.user is None:
            return AuthenticationFailed(f"{where} asks who it is: give `user` and `password`")
        return NotPermitted(f"MongoDB: {text}")
    if isinstance(error, px.ConfigurationError | px.InvalidURI | px.InvalidName):
        return ConnectError(f"{where}: {text}")
    if isinstance(error, px.ServerSelectionTimeoutError | px.AutoReconnect | OSError):
        return _unreachable(config, text, tls)
    return ConnectError(f"{where}: {text}")


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a command's error means: never the driver's exception."""
    if isinstance(error, ElError):
        return error
    text, code = said(error), getattr(error, "code", None)
    if code == UNAUTHORIZED:
        return NotPermitted(f"MongoDB: {text}; `python -m el grants` prints the role that is enough")
    if code == AUTHENTICATION_FAILED:
        return AuthenticationFailed(f"MongoDB: {text}")
    passing = isinstance(error, px.ConnectionFailure | px.WaitQueueTimeoutError | OSError) or code in _PASSING
    if isinstance(error, px.PyMongoError):
        passing = passing or any(error.has_error_label(label) for label in _LABELS)
    found = (WriteError if writing else ReadError)(text, retryable=passing)
    found.number = code if isinstance(code, int) else 0
    return found


def said(error: Exception) -> str:
    """The server's own words in one line; no value of a document is among them."""
    text = str(error) or type(error).__name__
    # The driver adds the whole answer, and the whole topology.
    text = re.split(r", full error: |, Timeout: [0-9.]+s, Topology Description: ", text)[0]
    return " ".join(_VALUES.sub(r"\1...", text).split())[:300]


def _unreachable(config: MongoDbConfig, text: str, tls: ssl.SSLError | None) -> ElError:
    if "no replica set members" in text or "replica set name" in text.lower():
        return ConnectError(f"{config.place}: no server of the replica set {config.replica_set!r} is there ({text})")
    if config.encrypt and (tls is not None or "SSL" in text or "connection closed" in text.lower()):
        return CertificateUntrusted(f"{config.place}: no encrypted line ({text}); `encrypt: false` does without")
    # The members of a set are known by names of their own, which may mean nothing here.
    others = sorted({name.lower() for name in _NAMED.findall(text)} - set(config.place.lower().split(",")))
    why = f"; it names {', '.join(others)}; `direct: true` asks this server alone" if others else ""
    if not config.encrypt and re.search("connection (closed|reset)", text, re.IGNORECASE):
        why = "; it ended the line at once: it may want `encrypt: true`"
    if config.encrypt:
        why += "; `encrypt: false` is for a line that is not encrypted"
    over = " over TLS" if config.encrypt else ""
    return ServerUnreachable(f"nobody answers as MongoDB{over} at {config.place}: check host, port and firewall{why}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__
