"""The secret key of the masks, known by a reference until a value is masked.

Guarantees: the key itself stands in no repr, no pickle and no message; what is compared between two loads is a
fingerprint, from which the key cannot be computed.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from el.errors import ConfigError
from el.secrets.references import is_reference, resolve

_ENVIRONMENT = re.compile(r"env:[A-Za-z_]\w*")
_LEAST = 32
_MADE_BY = "such as `openssl rand -base64 32` prints"


class MaskKey:
    """A key by reference, such as `env:EL_MASK_KEY`. A pickle holds the reference; whoever masks looks the key up."""

    __slots__ = ("_found", "reference")

    def __init__(self, reference: str) -> None:
        if not (_ENVIRONMENT.fullmatch(reference) or is_reference(reference)):
            # What stands there may be the key itself: it is not shown.
            raise ValueError(
                "name where the key is, such as env:EL_MASK_KEY or secret:shop.mask.key; the key itself never stands "
                "in this file"
            )
        self.reference = reference
        self._found: bytes | None = None

    def secret(self) -> bytes:
        """The key. Raises as `resolve`, and `ConfigError` where it is so short that it can be guessed."""
        if self._found is None:
            value = resolve(self.reference)
            if len(value) < _LEAST:
                raise ConfigError(
                    f"mask_key: {self.reference} has {len(value)} characters: a key that short can be guessed, and the "
                    f"masked values with it; take {_LEAST} or more, {_MADE_BY}"
                )
            self._found = value.encode()
        return self._found

    def fingerprint(self) -> str:
        """What tells this key from another one, and says nothing of it."""
        return hmac.digest(self.secret(), b"el: the fingerprint of this key", hashlib.sha256).hex()[:16]

    def __repr__(self) -> str:
        return f"MaskKey({self.reference!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MaskKey) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    def __reduce__(self) -> tuple[type[MaskKey], tuple[str]]:
        return MaskKey, (self.reference,)
