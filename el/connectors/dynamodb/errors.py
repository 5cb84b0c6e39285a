"""boto3's and the service's errors in el's words, by the service's own codes.

Amazon DynamoDB Developer Guide, "Error handling": which codes may pass.
"""

from __future__ import annotations

import re
from typing import Any

from botocore import exceptions as bx

from el.connectors.dynamodb.config import DynamoDbConfig
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

DENIED = "AccessDeniedException"
MISSING = "ResourceNotFoundException"
_UNKNOWN = frozenset(
    {"UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignature", "InvalidClientTokenId"}
    | {"MissingAuthenticationTokenException", "SignatureDoesNotMatch", "InvalidAccessKeyId"}
)
_ENDED = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})
_PASSING = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "InternalServerError"}
    | {"ServiceUnavailable", "TransactionConflictException", "TransactionInProgressException", "LimitExceededException"}
    | {"ResourceInUseException", "Throttling", "InternalFailure"}
)
_NO_IDENTITY = (
    bx.NoCredentialsError,
    bx.PartialCredentialsError,
    bx.ProfileNotFound,
    bx.TokenRetrievalError,
    bx.SSOError,
    bx.UnauthorizedSSOTokenError,
)
_UNREACHED = (bx.HTTPClientError, bx.ConnectionError)
_ACTION = re.compile(r"not authorized to perform: (\S+)(?: on resource: (\S+))?")


def code_of(error: Exception) -> str:
    """The service's code; "" of another error."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def action_of(error: Exception) -> str | None:
    """Which action a login may not do, as the service says it."""
    found = _ACTION.search(str(error))
    return None if found is None else found[1]


def connect_error(error: Exception, config: DynamoDbConfig) -> ElError:
    """Why there is no session, and what to do."""
    if isinstance(error, ElError):
        return error
    where, code = config.place, code_of(error)
    if isinstance(error, _NO_IDENTITY):
        return AuthenticationFailed(
            f"{where}: no identity of AWS here ({type(error).__name__}): give `access_key_id` and "
            "`secret_access_key`, or `aws_profile`, or sign in"
        )
    if code in _UNKNOWN:
        return AuthenticationFailed(f"{where} does not know these keys ({code}): check `access_key_id` and its secret")
    if code in _ENDED:
        return AuthenticationFailed(f"{where}: the keys have ended ({code}): sign in anew")
    if code in (DENIED, "AccessDenied"):
        return _denied(error)
    if isinstance(error, bx.SSLError):
        return CertificateUntrusted(
            f"{where}: its certificate is not trusted here; give its authority as `ssl_ca`, or set `trust_cert: true` "
            "in the profile"
        )
    if isinstance(error, OSError) and config.ssl_ca is not None:
        return CertificateUntrusted(f"{where}: the file of `ssl_ca` is not there")
    if isinstance(error, _UNREACHED):
        return ServerUnreachable(f"nobody answers as DynamoDB at {where}: check region, endpoint and firewall")
    return ConnectError(f"{where}: {said(error)}", retryable=code in _PASSING)


def statement_error(error: Exception, *, writing: bool) -> ElError:
    """What a call's error means: never the driver's exception."""
    if isinstance(error, ElError):
        return error
    code = code_of(error)
    if code in (DENIED, "AccessDenied"):
        return _denied(error)
    if code in _UNKNOWN | _ENDED or isinstance(error, _NO_IDENTITY):
        return AuthenticationFailed(f"DynamoDB: {said(error)}")
    status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    passing = code in _PASSING or status >= 500 or isinstance(error, (*_UNREACHED, OSError))
    return (WriteError if writing else ReadError)(said(error), retryable=passing)


def said(error: Exception) -> str:
    """The service's own words in one line, its code in front."""
    code = code_of(error)
    text = str(error)
    if code:
        text = f"{code}: {getattr(error, 'response', {}).get('Error', {}).get('Message', '')}"
    return " ".join((text or type(error).__name__).split())[:300]


def _denied(error: Exception) -> NotPermitted:
    found = _ACTION.search(str(error))
    if found is None:
        return NotPermitted(f"DynamoDB: {said(error)}")
    return NotPermitted(f"DynamoDB: this identity may not {found[1]}{f' on {found[2]}' if found[2] else ''}")
