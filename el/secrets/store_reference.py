"""Secrets out of the encrypted store, secrets.yml, where this version of el has one."""

from __future__ import annotations

from importlib.util import find_spec

from el.errors import ConfigError
from el.secrets.form import Name, library


def read(name: Name) -> str:
    """The value at a path of the store, such as shop.prod.password."""
    if find_spec("el.secrets.store") is None:
        raise ConfigError(f"{name}: this version of el has no encrypted store: take `env_var`, or another keeper")
    found: str = library("el.secrets.store", name, "secrets").read_secret(name.path)
    return found
