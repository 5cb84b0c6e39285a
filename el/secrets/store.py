"""The encrypted store, secrets.yml: where it is, and how a value is read.

Guarantee: a value is read only by the identity of a recipient of its connection, and only from a section that is whole.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from el.errors import ConfigError, SecretUnavailable
from el.secrets.document import read_document
from el.secrets.identity import find_identity
from el.secrets.sealing import open_value
from el.secrets.section import open_key, split_path, well_formed

NAME = "secrets.yml"


def find_store(beside: str | None = None) -> Path:
    """EL_SECRETS, else secrets.yml beside profiles.yml, else where profiles.yml is looked for.

    beside: the folder of the profiles.yml in which the reference stands. Raises `ConfigError` where there is none.
    """
    places = places_of_store(beside)
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(f"there is no {NAME}: looked for {', '.join(map(str, places))}: python -m el secrets init")


def places_of_store(beside: str | None = None) -> list[Path]:
    """Where it is looked for, in this order."""
    if named := os.environ.get("EL_SECRETS"):
        return [Path(named)]
    folders = [beside, os.environ.get("DBT_PROFILES_DIR"), "."]
    with suppress(RuntimeError):
        # A container's user may have no home.
        folders.append(str(Path.home() / ".dbt"))
    return [Path(folder) / NAME for folder in folders if folder]


def read_secret(path: str, beside: str | None = None) -> str:
    """The value at profile.target.field, such as shop.prod.password."""
    connection, field = split_path(path)
    store = find_store(beside)
    found = read_document(store).sections.get(connection)
    if found is None:
        raise SecretUnavailable(f"{path}: {store} does not have it")
    section = well_formed(store, connection, found)
    if field not in section["values"]:
        raise SecretUnavailable(f"{path}: {store} does not have it")
    key = open_key(connection, section, find_identity(store))
    return open_value(key, path, section["values"][field]["sealed"])
