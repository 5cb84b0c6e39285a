"""How the values of one connection are encrypted: AES-256-GCM under the connection's own encrypt_key.

Guarantee: a ciphertext is read at the path alone under which it was sealed, and under its own key; and the seal over a
connection's whole section says whether any part of it was changed, left out, or taken from an older version.
An older version of the whole section, seal and all, reads well: only the repository's history shows it.
Nor does the seal say who wrote a section: whoever may write the file can make a whole new one, wrapped for the owner
and for themselves, and any recipient can seal one again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from binascii import Error as NotBase64
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from el.errors import SecretUnavailable

KEY_BYTES = 32
_NONCE_BYTES = 12


def new_key() -> bytes:
    """A random encrypt_key."""
    return os.urandom(KEY_BYTES)


def seal_value(key: bytes, path: str, value: str) -> str:
    """The value as text for the store's file."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, value.encode(), path.encode())
    return base64.b64encode(nonce + sealed).decode()


def open_value(key: bytes, path: str, text: str) -> str:
    """The value. Raises `SecretUnavailable` where the text was not sealed under this key for this path, or is cut."""
    try:
        data = base64.b64decode(text, validate=True)
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], path.encode()).decode()
    except (InvalidTag, NotBase64, ValueError):
        raise SecretUnavailable(
            f"{path}: its ciphertext was changed, or comes from another place: set it again"
        ) from None


def section_seal(key: bytes, connection: str, section: Mapping[str, object]) -> str:
    """The seal over all of a connection's section but the seal itself."""
    own = hmac.digest(key, b"el.secrets section", hashlib.sha256)
    body = json.dumps([connection, {k: v for k, v in section.items() if k != "seal"}], sort_keys=True, default=str)
    return base64.b64encode(hmac.digest(own, body.encode(), hashlib.sha256)).decode()


def check_section(key: bytes, connection: str, section: Mapping[str, object]) -> None:
    """Raise `SecretUnavailable` where the section is not as it was sealed."""
    told = str(section.get("seal")).encode("utf-8", "surrogatepass")
    # A key that is shorter was not made by el: whoever made the section chose it.
    if len(key) != KEY_BYTES or not hmac.compare_digest(section_seal(key, connection, section).encode(), told):
        raise SecretUnavailable(
            f"{connection}: its part of the store was changed by hand or merged: take the committed one"
        )
