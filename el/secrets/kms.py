"""Keys of a cloud's KMS as recipients: whoever may decrypt with the key there needs no identity of their own.

    aws-kms:ARN   gcp-kms:projects/P/locations/L/keyRings/R/cryptoKeys/K   azure-kv-key:VAULT/KEY

Who may use the key is for the cloud to say, of the identity that its own tools find, and its log has every use.
"""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType

from el.errors import ConfigError, SecretUnavailable
from el.secrets.form import Name

# scheme -> (module, how it looks, its form behind the colon). Its `wrap(key, name, connection)` gives text, and
# `unwrap(text, name, connection)` the key; they raise `Refused`, another `SecretUnavailable`, or `ConfigError`.
SCHEMES = {
    "aws-kms": ("el.secrets.kms_aws", "aws-kms:ARN", r"arn:[\w-]+:kms:[\w-]+:\d+:(key|alias)/[\w/-]+"),
    "gcp-kms": (
        "el.secrets.kms_google",
        "gcp-kms:projects/P/locations/L/keyRings/R/cryptoKeys/K",
        r"projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+",
    ),
    # A store names the host, and whoever may write the file writes it: one of Microsoft's own alone is asked
    # (Microsoft Learn, "Azure Key Vault keys, secrets and certificates overview", DNS suffixes).
    "azure-kv-key": (
        "el.secrets.kms_azure",
        "azure-kv-key:VAULT/KEY",
        r"[\w-]+(\.(vault|managedhsm)\.(azure\.net|azure\.cn|usgovcloudapi\.net))?/[0-9A-Za-z-]+",
    ),
}
FORMS = ", ".join(form for _, form, _ in SCHEMES.values())


class Refused(SecretUnavailable):
    """The KMS does not let this caller use the key, or does not know who calls: they are no recipient."""


def is_kms(recipient: str) -> bool:
    """Whether a recipient is a key of a KMS, well written or not."""
    return recipient.partition(":")[0] in SCHEMES


def wrap(key: bytes, recipient: str, connection: str) -> str:
    """The key, for whoever may decrypt with the KMS's. Raises `SecretUnavailable`, `ConfigError`."""
    module, name = _asked(recipient)
    text: str = module.wrap(key, name, connection)
    return text


def unwrap(text: str, recipient: str, connection: str) -> bytes:
    """The key. Raises `Refused`, `SecretUnavailable`, `ConfigError`."""
    module, name = _asked(recipient)
    key: bytes = module.unwrap(text, name, connection)
    return key


def _asked(recipient: str) -> tuple[ModuleType, Name]:
    scheme, _, rest = recipient.partition(":")
    module, form, pattern = SCHEMES[scheme]
    if not re.fullmatch(pattern, rest):
        raise ConfigError(f"{recipient}: a key of this KMS is written {form}")
    return import_module(module), Name(recipient, rest, {})
