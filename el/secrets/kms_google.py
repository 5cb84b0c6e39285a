"""Google Cloud KMS: `gcp-kms:projects/P/locations/L/keyRings/R/cryptoKeys/K`, a symmetric key.

By "Method: projects.locations.keyRings.cryptoKeys.encrypt" and "... .decrypt" of its REST reference, and "Additional
authenticated data" of its documentation: the connection is that data, without which KMS does not decrypt.
"""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from typing import Any

from el.secrets.form import Name, library
from el.secrets.kms import Refused

_SECONDS = 10


def wrap(key: bytes, name: Name, connection: str) -> str:
    """The ciphertext, as base64."""
    answer = _call(name, "encrypt", connection, plaintext=key)
    return base64.b64encode(answer.ciphertext).decode()


def unwrap(text: str, name: Name, connection: str) -> bytes:
    """The key."""
    try:
        data = base64.b64decode(text, validate=True)
    except NotBase64:
        raise name.gone("what is wrapped for it was changed") from None
    return bytes(_call(name, "decrypt", connection, ciphertext=data).plaintext)


def _call(name: Name, operation: str, connection: str, **given: bytes) -> Any:
    errors, signing = library("google.api_core.exceptions", name, "gcp"), library("google.auth.exceptions", name, "gcp")
    kms, requests = library("google.cloud.kms", name, "gcp"), library("requests", name, "gcp")
    asked = {"name": name.path, "additional_authenticated_data": connection.encode(), **given}
    try:
        # Over HTTPS, as proxies know it, and not gRPC, whose threads no forked process survives.
        client = kms.KeyManagementServiceClient(transport="rest")
        return getattr(client, operation)(request=asked, timeout=_SECONDS)
    except (signing.TransportError, errors.RetryError, requests.RequestException) as error:
        raise name.gone(f"Google Cloud KMS does not answer ({type(error).__name__})", retryable=True) from None
    except signing.GoogleAuthError as error:
        raise Refused(f"{name}: nobody is signed in to Google here who may use it ({type(error).__name__})") from None
    except (errors.Forbidden, errors.Unauthorized) as error:
        raise Refused(f"{name}: Google Cloud KMS refused it ({type(error).__name__})") from None
    except errors.GoogleAPICallError as error:
        again = isinstance(error, errors.ServerError | errors.TooManyRequests)
        raise name.gone(f"Google Cloud KMS cannot do it ({type(error).__name__})", retryable=again) from None
