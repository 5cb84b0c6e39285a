"""An encrypt_key, wrapped for those who may have it: by age for one identity, or by a key of a cloud's KMS."""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from collections.abc import Mapping

import pyrage

from el.errors import ConfigError, SecretUnavailable
from el.secrets import kms


def recipient_of(identity: str) -> str:
    """Its public half. Raises `ConfigError` where this is no identity."""
    try:
        return str(pyrage.x25519.Identity.from_str(identity).to_public())
    except pyrage.IdentityError:
        raise ConfigError("the identity is no age identity (AGE-SECRET-KEY-1...)") from None


def wrap(key: bytes, recipient: str, connection: str) -> str:
    """The key for one recipient. Raises `ConfigError` where it is none, `SecretUnavailable` where its KMS refuses."""
    if kms.is_kms(recipient):
        return kms.wrap(key, recipient, connection)
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise ConfigError(f"{recipient}: this is no recipient; there are: age1..., {kms.FORMS}") from None
    return base64.b64encode(pyrage.encrypt(key, [to])).decode()


def unwrap(
    wrapped: Mapping[str, str], identity: str | None, connection: str, refused: list[str] | None = None
) -> bytes | None:
    """The key, or None where who asks is none of these recipients: by their identity, then by each KMS.

    refused: gets why each that could have opened it did not. Raises `SecretUnavailable` where none did, and a KMS could
    not be asked.
    """
    why = refused if refused is not None else []
    if identity is not None and (own := recipient_of(identity)) in wrapped:
        try:
            return bytes(
                pyrage.decrypt(
                    base64.b64decode(wrapped[own], validate=True), [pyrage.x25519.Identity.from_str(identity)]
                )
            )
        except (pyrage.DecryptError, NotBase64):
            why.append(f"{own}: what is wrapped for it was changed")
    failed: list[SecretUnavailable] = []
    for recipient in filter(kms.is_kms, wrapped):
        try:
            return kms.unwrap(wrapped[recipient], recipient, connection)
        except (kms.Refused, ConfigError) as error:
            why.append(str(error))
        except SecretUnavailable as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return None
