"""The store in which a file is, by its uri's scheme. A library is imported only when its store is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from el.config.files_profile import SCHEMES, FilesConfig
from el.dumps.stores.base import Store
from el.errors import ConfigError
from el.secrets.fields import looked_up

# Stores whose login is of one server: it is given to no other one.
_WITH_LOGIN = ("sftp",)


def open_store(uri: str, settings: Mapping[str, Any] | None = None, where: str = "profile") -> Store:
    """settings: of the profile's output, as written; files of this machine need none.

    Raises `ConfigError` with the setting's name; values are left out of the message, for they may be secrets.
    """
    scheme, found, place = uri.partition("://")
    if not found or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ConfigError(f"{uri}: there is no store for {scheme}://; there are: {known}")
    config = files_config(settings or {"url": uri}, where)
    root = f"{scheme}://{place.partition('/')[0]}/"
    if scheme in _WITH_LOGIN and not f"{config.url.rstrip('/')}/".startswith(root):
        raise ConfigError(f"{uri}: is on another server than {where}, whose login it would be given")
    return _store(scheme, root, config, os.getpid())


@lru_cache(maxsize=32)
def _store(scheme: str, root: str, config: FilesConfig, process: int) -> Store:
    """One for all files of a place, with its connections; a process that was forked has its own."""
    match scheme:
        case "file":
            from el.dumps.stores.local import LocalStore

            return LocalStore()
        case "sftp":
            from el.dumps.stores.sftp import SftpStore

            return SftpStore(root, config)
        case _:
            from el.dumps.stores.objects import ObjectStore

            return ObjectStore(root, config)


def files_config(settings: Mapping[str, Any], where: str = "profile") -> FilesConfig:
    """The settings, checked. Raises `ConfigError`."""
    try:
        return FilesConfig.model_validate(looked_up(settings, FilesConfig))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        setting = ".".join(str(part) for part in first["loc"]) or "settings"
        raise ConfigError(f"{where}: {setting}: {first['msg'].removeprefix('Value error, ')}") from None
