"""References to secrets: what a setting of profiles.yml holds instead of a secret, and how its value is had.

    aws-sm:shop/prod?version=ID#password        scheme : name ? options # field of a JSON value

Guarantee: a `Secret` holds its reference alone, in its pickle, repr and str too; the value is asked for by
`get_secret_value()`, which is called while a connection is being opened. What a keeper told is remembered in this
process for a minute, so that a run's connections are not a request each. Every value is known to `el.secrets.hidden`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from el.errors import ConfigError, SecretUnavailable
from el.secrets import environment
from el.secrets.form import Name, name_of
from el.secrets.hidden import known

# Beside `env:NAME`, which is what `{{ env_var('NAME') }}` becomes: scheme -> (module, how it looks, its form behind the
# colon). Its `read` takes a `Name`, gives the text that is kept there, and raises `SecretUnavailable`, or
# `ConfigError` where something is not installed.
SCHEMES = {
    "secret": (
        "el.secrets.store_reference",
        "secret:shop.prod.password",
        r"[^\s:?#.]+(\.[^\s:?#.]+){2,}(\?beside=.+)?",
    ),
    "aws-sm": ("el.secrets.aws", "aws-sm:NAME#field", r"[\w/+=.@!:-]+(\?[^#\s]+)?(#.+)?"),
    "azure-kv": ("el.secrets.azure", "azure-kv:VAULT/NAME", r"[\w.-]+/[0-9A-Za-z-]+(\?[^#\s]+)?(#.+)?"),
    "gcp-sm": ("el.secrets.google", "gcp-sm:PROJECT/NAME", r"[\w:.-]+(/[\w-]+)+(\?[^#\s]+)?(#.+)?"),
    "vault": ("el.secrets.vault", "vault:MOUNT/PATH#field", r"[^\s?#]+/[^\s?#]+(\?[^#\s]+)?#.+"),
    "op": ("el.secrets.onepassword", "op://VAULT/ITEM/FIELD", r"//[^/]+/[^/]+/.+"),
    "keyring": ("el.secrets.os_keyring", "keyring:SERVICE/USER", r"[^?#]+/[^/?#]+(#.+)?"),
}
_SECONDS = 60.0
_remembered: dict[str, tuple[float, str]] = {}


class Secret(SecretStr):
    """A secret, by its reference: it is what is pickled, shown and compared."""

    def get_secret_value(self) -> str:
        """The value, looked up now. Raises `SecretUnavailable`, or `ConfigError` where a library is missing."""
        return resolve(self._secret_value)

    @property
    def reference(self) -> str:
        """Where the value is kept."""
        return self._secret_value

    def _display(self) -> str:
        return self._secret_value

    def __len__(self) -> int:
        return len(self._secret_value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.reference == self.reference  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self._secret_value)


def is_reference(text: str) -> bool:
    """Whether a text is a whole reference."""
    scheme, found, rest = text.partition(":")
    return bool(found) and scheme in SCHEMES and re.fullmatch(SCHEMES[scheme][2], rest) is not None


def beside(reference: str, folder: Path) -> str:
    """The reference, with the folder of the file in which it stands where the encrypted store is there too."""
    scheme, _, rest = reference.partition(":")
    if scheme != "secret" or "?" in rest or not (folder / "secrets.yml").is_file():
        return reference
    return f"{reference}?beside={quote(str(folder))}"


def begins_as_reference(text: str) -> str | None:
    """How references look that begin as this text does; None: none do."""
    scheme, found, _ = text.partition(":")
    return SCHEMES[scheme][1] if found and scheme in SCHEMES else None


def resolve(reference: str) -> str:
    """The value that a reference stands for. Raises `SecretUnavailable` (its message has no value), `ConfigError`."""
    scheme, _, rest = reference.partition(":")
    if scheme != "env" and not is_reference(reference):
        raise ConfigError(f"a reference to a secret is not of a form that is known; there are: {_forms()}")
    if scheme == "env":
        return known(environment.read(name_of(reference, rest)))
    at, value = _remembered.get(reference, (-_SECONDS, ""))
    if time.monotonic() - at >= _SECONDS:
        value = known(_ask(scheme, name_of(reference, rest)))
        _remembered[reference] = time.monotonic(), value
    return value


def _ask(scheme: str, name: Name) -> str:
    read: Callable[[Name], str] = import_module(SCHEMES[scheme][0]).read
    found = read(name)
    return found if name.field is None else _field(name, found)


def forget() -> None:
    """Ask anew for each value."""
    _remembered.clear()


def _field(name: Name, text: str) -> str:
    try:
        found = json.loads(text)[name.field]
    except (ValueError, TypeError):
        raise SecretUnavailable(f"{name}: what is kept there is no JSON object, which {name.field!r} were in") from None
    except (KeyError, IndexError):
        raise SecretUnavailable(f"{name}: what is kept there has no field {name.field!r}") from None
    return found if isinstance(found, str) else json.dumps(found)


def _forms() -> str:
    return ", ".join(form for _, form, _ in SCHEMES.values())
