"""An encrypt_key, wrapped for those who may have it: one age ciphertext for each recipient."""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from collections.abc import Mapping

import pyrage

from el.errors import ConfigError


def recipient_of(identity: str) -> str:
    """Its public half. Raises `ConfigError` where this is no identity."""
    try:
        return str(pyrage.x25519.Identity.from_str(identity).to_public())
    except pyrage.IdentityError:
        raise ConfigError("the identity is no age identity (AGE-SECRET-KEY-1...)") from None


def wrap(key: bytes, recipient: str, connection: str) -> str:
    """The key for the holder of one identity. Raises `ConfigError` where this is no recipient of age."""
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise ConfigError(f"{recipient}: this is no age recipient (age1...)") from None
    return base64.b64encode(pyrage.encrypt(key, [to])).decode()


def unwrap(wrapped: Mapping[str, str], identity: str | None, connection: str) -> bytes | None:
    """The key, or None where this identity is the recipient of none of these."""
    if identity is None:
        return None
    try:
        own = pyrage.x25519.Identity.from_str(identity)
    except pyrage.IdentityError:
        raise ConfigError("the identity is no age identity (AGE-SECRET-KEY-1...)") from None
    for text in wrapped.values():
        try:
            return bytes(pyrage.decrypt(base64.b64decode(text, validate=True), [own]))
        except (pyrage.DecryptError, NotBase64):
            continue
    return None
