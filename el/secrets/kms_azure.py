"""Azure Key Vault's keys: `azure-kv-key:VAULT/KEY`, an RSA key; VAULT a name or a whole host of Microsoft's.

By "Get Key", "Wrap Key" and "Unwrap Key" of Microsoft Learn, with RSA-OAEP-256. To wrap takes the public key alone, so
who grants needs the permission Get, and who reads Unwrap Key. Which version of the key it was stands with what is
wrapped: a key that is renewed later still opens it.
"""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from collections.abc import Iterator
from contextlib import contextmanager

from el.errors import ConfigError
from el.secrets.form import Name, library
from el.secrets.kms import Refused

_LIMITS = {"connection_timeout": 10, "read_timeout": 10, "retry_total": 3}


def wrap(key: bytes, name: Name, connection: str) -> str:
    """The version of the key, and the ciphertext as base64. It is bound to its connection by the section's seal."""
    keys, crypto = library("azure.keyvault.keys", name, "azure"), library("azure.keyvault.keys.crypto", name, "azure")
    who = library("azure.identity", name, "azure").DefaultAzureCredential
    vault, own = _place(name)
    with _errors_of(name), keys.KeyClient(vault, who(), **_LIMITS) as client:
        found = client.get_key(own)
        if not str(getattr(found.key_type, "value", found.key_type)).startswith("RSA"):
            raise ConfigError(f"{name}: it is no RSA key, which alone can wrap another one here")
        with crypto.CryptographyClient(found, who(), **_LIMITS) as wrapping:
            done = wrapping.wrap_key(crypto.KeyWrapAlgorithm.rsa_oaep_256, key)
        return f"{found.properties.version}:{base64.b64encode(done.encrypted_key).decode()}"


def unwrap(text: str, name: Name, connection: str) -> bytes:
    """The key."""
    crypto = library("azure.keyvault.keys.crypto", name, "azure")
    version, _, coded = text.partition(":")
    try:
        data = base64.b64decode(coded, validate=True)
        if not (data and version.isalnum()):
            raise NotBase64
    except NotBase64:
        raise name.gone("what is wrapped for it was changed") from None
    vault, own = _place(name)
    who = library("azure.identity", name, "azure").DefaultAzureCredential
    place = f"{vault}/keys/{own}/{version}"
    with _errors_of(name), crypto.CryptographyClient(place, who(), **_LIMITS) as client:
        return bytes(client.unwrap_key(crypto.KeyWrapAlgorithm.rsa_oaep_256, data).key)


def _place(name: Name) -> tuple[str, str]:
    vault, _, key = name.path.partition("/")
    return f"https://{vault if '.' in vault else f'{vault}.vault.azure.net'}", key


@contextmanager
def _errors_of(name: Name) -> Iterator[None]:
    errors = library("azure.core.exceptions", name, "azure")
    try:
        yield
    except errors.ClientAuthenticationError:
        raise Refused(f"{name}: nobody is signed in to Azure here who may use it") from None
    except errors.HttpResponseError as error:
        status = error.status_code
        code = getattr(error.error, "code", None) or status or "no answer"
        if status in (401, 403):
            raise Refused(f"{name}: Azure Key Vault refused it ({code})") from None
        again = status is None or status == 429 or status >= 500
        raise name.gone(f"Azure Key Vault cannot do it ({code})", retryable=again) from None
    except errors.AzureError as error:
        raise name.gone(f"Azure Key Vault does not answer ({type(error).__name__})", retryable=True) from None
