"""The parts of a reference behind its scheme: `name?option=value#field`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from el.errors import ConfigError, SecretUnavailable, to_install


@dataclass(frozen=True, slots=True)
class Name:
    """A secret, as its keeper knows it. str: the whole reference, for messages."""

    reference: str
    path: str
    options: Mapping[str, str]
    field: str | None = None

    def __str__(self) -> str:
        return self.reference

    def only(self, *known: str) -> None:
        """Raise `ConfigError` for an option that is not one of these."""
        for option in self.options:
            if option not in known:
                has = ", ".join(known) or "none"
                raise ConfigError(f"{self}: there is no option {option!r}; there are: {has}")

    def gone(self, why: str, *, retryable: bool = False) -> SecretUnavailable:
        """The error that says why the value cannot be had; `why` holds no value."""
        return SecretUnavailable(f"{self}: {why}", retryable=retryable)


def name_of(reference: str, rest: str) -> Name:
    """rest: what stands behind the scheme. 1Password's own references are taken as they are."""
    if reference.startswith("op:"):
        return Name(reference, reference, {})
    path, _, field = rest.partition("#")
    path, _, options = path.partition("?")
    return Name(reference, path, dict(parse_qsl(options)), field or None)


def library(module: str, name: Name, extra: str) -> Any:
    """A vendor's library, which not everybody needs. Raises `ConfigError` with the command that installs it."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError(f"{name}: a library is missing: {to_install(extra)}") from None
