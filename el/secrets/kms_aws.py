"""AWS KMS: `aws-kms:ARN`, of a symmetric key or of an alias.

By "Encrypt" and "Decrypt" of the AWS KMS API Reference, and "Encryption context" of its Developer Guide: the
connection is the context, without which KMS does not decrypt. It stands in CloudTrail, and a key's policy may ask for
it.
"""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from typing import Any

from el.secrets.form import Name, library
from el.secrets.kms import Refused
from el.secrets.unheard import unheard

_SECONDS = 10
# Of the errors that are common to all of AWS's services, and of those of the two calls.
_REFUSED = (
    *("AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId"),
    *(
        "ExpiredTokenException",
        "ExpiredToken",
        "InvalidSignatureException",
        "OptInRequired",
        "MissingAuthenticationToken",
    ),
)
_BUSY = ("ThrottlingException", "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException")
_UNKNOWN = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "SSOTokenLoadError",
)
# These log what is sent and what comes back.
_LOGGERS = ("botocore.endpoint", "botocore.parsers", "botocore.client", "botocore.hooks", "botocore.regions")


def wrap(key: bytes, name: Name, connection: str) -> str:
    """The ciphertext, as base64."""
    answer = _call(name, "encrypt", Plaintext=key, EncryptionContext={"connection": connection})
    return base64.b64encode(answer["CiphertextBlob"]).decode()


def unwrap(text: str, name: Name, connection: str) -> bytes:
    """The key."""
    try:
        data = base64.b64decode(text, validate=True)
    except NotBase64:
        raise name.gone("what is wrapped for it was changed") from None
    answer = _call(name, "decrypt", CiphertextBlob=data, EncryptionContext={"connection": connection})
    return bytes(answer["Plaintext"])


def _call(name: Name, operation: str, **given: Any) -> Any:
    boto3, config = library("boto3", name, "aws"), library("botocore.config", name, "aws")
    errors = library("botocore.exceptions", name, "aws")
    limits = config.Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"max_attempts": 3})
    try:
        with unheard(*_LOGGERS):
            client = boto3.client("kms", region_name=name.path.split(":")[3], config=limits)
            # The key is named to decrypt too: a ciphertext of another key, made by someone else, is refused.
            return getattr(client, operation)(KeyId=name.path, **given)
    except errors.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _REFUSED:
            raise Refused(f"{name}: AWS KMS refused it ({code})") from None
        raise name.gone(f"AWS KMS cannot do it ({code})", retryable=code in _BUSY) from None
    except errors.BotoCoreError as error:
        kind = type(error).__name__
        if kind in _UNKNOWN:
            raise Refused(f"{name}: there are no credentials of AWS here ({kind})") from None
        raise name.gone(f"AWS KMS does not answer ({kind})", retryable=True) from None
