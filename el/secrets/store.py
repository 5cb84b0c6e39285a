"""The encrypted store, secrets.yml: connection -> its wrapped encrypt_key, and its sealed values.

Guarantee: a value is read only by the identity of a recipient of its connection, and only from a section that is whole.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from el.errors import ConfigError, SecretUnavailable
from el.secrets.identity import read_identity
from el.secrets.recipients import unwrap
from el.secrets.sealing import check_section, open_value

NAME = "secrets.yml"
VERSION = 1


def find_store() -> Path:
    """EL_SECRETS, else secrets.yml where profiles.yml is looked for. Raises `ConfigError` where there is none."""
    if named := os.environ.get("EL_SECRETS"):
        places = [Path(named)]
    else:
        folders = [os.environ.get("DBT_PROFILES_DIR"), ".", Path.home() / ".dbt"]
        places = [Path(folder) / NAME for folder in folders if folder]
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(f"there is no {NAME}: looked for {', '.join(map(str, places))}")


def read_secret(path: str) -> str:
    """The value at profile.target.field, such as shop.prod.password."""
    connection, _, field = path.rpartition(".")
    store = find_store()
    section = _sections(store).get(connection)
    if not isinstance(section, dict) or field not in (section.get("values") or {}):
        raise SecretUnavailable(f"{path}: {store} does not have it")
    try:
        wrapped = [text for role in section["recipients"].values() for text in role.values()]
        sealed = section["values"][field]["sealed"]
    except (KeyError, TypeError, AttributeError):
        raise ConfigError(f"{store}: the part of {connection} is not as el wrote it") from None
    key = unwrap(map(str, wrapped), read_identity(store))
    if key is None:
        raise SecretUnavailable(f"{path}: this identity is no recipient of {connection}: ask its owner to grant it")
    check_section(key, connection, section)
    return open_value(key, path, str(sealed))


def _sections(store: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe").load(store.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ConfigError(f"{store}: this cannot be read ({type(error).__name__})") from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ConfigError(f"{store}: this is no store of version {VERSION}")
    sections = content.get("connections") or {}
    if not isinstance(sections, dict):
        raise ConfigError(f"{store}: `connections` has to be a mapping")
    return sections
