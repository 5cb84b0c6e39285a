"""Snowflake's errors in el's words: which class, whether to try again, what to do.

Numbers are those of Snowflake's documentation, "Understanding errors in the drivers", and of its client libraries. Only
the server's own message passes on, never a text that could hold a key or a token.
"""

from __future__ import annotations

import re

from urllib3.exceptions import HTTPError

from el.connectors.snowflake.config import SnowflakeConfig
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

_REFUSED = frozenset({390100, 390101, 390144, 390195, 390318, 394300, 394304})
_RETRYABLE = frozenset({625, 390114, 250003, 290403, 290500, 290502, 290503, 290504, 604})
# The session or its token is no more: a statement that is answered so was not run.
SESSION_GONE = frozenset({390104, 390111, 390112, 390113, 390114, 390115, 250002})
# "Object does not exist or not authorized", and the same of what is no table.
NOT_THERE = frozenset({2003, 2043})
ALREADY_THERE = 2002
_PREFIX = re.compile(r"^\s*(?:\d{6}\s*\(\w+\):\s*)?(?:[0-9a-f-]{36}:\s*)?")


def connect_error(error: Exception, config: SnowflakeConfig) -> ElError:
    """Why there is no session, and what to do."""
    if isinstance(error, ElError):
        return error
    number, text = number_of(error), clean(error)
    low = text.lower()
    where = f"Snowflake account {config.account}"
    if isinstance(error, (FileNotFoundError, PermissionError)) and config.private_key_path is not None:
        return AuthenticationFailed(f"private key file {config.private_key_path} cannot be read")
    if isinstance(error, (ValueError, TypeError)) and (config.private_key_path or config.private_key):
        return AuthenticationFailed(
            "the private key cannot be opened: it must be PKCS#8 PEM, and `private_key_passphrase` its passphrase"
        )
    if number == 390422:
        return NotPermitted(
            f"{where}: its network policy does not allow this machine: {text}; have this address added to the network "
            f"policy of user {config.user!r}, or connect from an allowed one"
        )
    if number == 390432:
        return NotPermitted(
            f"{where}: a programmatic access token needs a network policy, and user {config.user!r} has none: set one "
            "(ALTER USER ... SET NETWORK_POLICY), or sign in with a key pair (`private_key_path`)"
        )
    if number in _REFUSED or "incorrect username or password" in low or "jwt token is invalid" in low:
        how = "its public key registered for this user" if config.private_key_path else "user and password or token"
        return AuthenticationFailed(f"{where} refused user {config.user!r}: check {how}")
    if number == 390189 or ("role" in low and "not granted" in low):
        return NotPermitted(f"{where}: role {config.role!r} does not exist, or user {config.user!r} may not take it")
    if "certificate" in low:
        return CertificateUntrusted(f"{where}: its certificate is not trusted here; install the CA of your proxy")
    if number in (250001, 250003, 251001, 290404) or "could not connect" in low or "404" in low:
        return ServerUnreachable(
            f"nobody answers as {where}: check `account` (organisation-account), network policy and proxy"
        )
    return ConnectError(f"{where}: {text}")


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a statement's error means: never a driver's exception."""
    if isinstance(error, ElError):
        return error
    number, text = number_of(error), clean(error)
    low = text.lower()
    if number == 3001 or "insufficient privileges" in low:
        return NotPermitted(f"Snowflake: {text}")
    if number == 606 or "no active warehouse" in low:
        return NotPermitted(f"Snowflake: {text}; set `warehouse` in the profile to one that the role may use")
    if "out of bounds timestamp" in low:
        text = "a time outside 1677 to 2262 does not fit a column of nine digits; cast it to six: TIMESTAMP_NTZ(6)"
    # An answer that broke off is the HTTP library's own error, which the driver hands on as it is.
    retryable = number in _RETRYABLE or (not writing and isinstance(error, OSError | HTTPError))
    if number == 630:
        text += " (`metadata_timeout` or `statement_timeout` in the profile, or the account's or warehouse's own)"
    kind = WriteError if writing else ReadError
    found = kind(f"Snowflake: {text}", retryable=retryable)
    found.number = number
    return found


def clean(error: Exception) -> str:
    """The server's own words in one line."""
    text = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error)
    return _PREFIX.sub("", " ".join(text.split()))[:500] or type(error).__name__


def number_of(error: Exception) -> int:
    """The server's or the driver's number of an error; 0 if it has none."""
    number = getattr(error, "errno", 0)
    return number if isinstance(number, int) else 0
