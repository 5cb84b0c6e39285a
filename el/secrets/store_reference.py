"""Secrets out of the encrypted store, secrets.yml."""

from __future__ import annotations

from el.secrets.form import Name, library


def read(name: Name) -> str:
    """The value at a path of the store, such as shop.prod.password. Option `beside`: the folder of profiles.yml."""
    name.only("beside")
    found: str = library("el.secrets.store", name, "secrets").read_secret(name.path, name.options.get("beside"))
    return found
