"""From a profile's `type` to its connector class, through the entry point group `el.connectors`.

A further database is a class and one line in a package's metadata. A driver is imported only when its connector
is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_args

from pydantic import ValidationError

from el.connectors.access import Operation, access_of, require
from el.connectors.base import ConnectionConfig, Connector, Source
from el.errors import ConfigError, DriverMissing, to_install
from el.secrets.fields import looked_up, names_of, value_of

GROUP = "el.connectors"


@cache
def schemes() -> dict[str, str]:
    """scheme -> "module:Class", as installed packages bring them: el's own metadata has its connectors too."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def connector_class(scheme: str) -> type[Connector]:
    """The class for a scheme.

    Raises `ConfigError` naming those that there are, and `DriverMissing` with the command that brings its driver.
    """
    if scheme not in schemes():
        known = ", ".join(sorted(schemes()))
        raise ConfigError(f"there is no connector for type {scheme!r}; there are: {known}")
    found: type[Connector] = imported(schemes()[scheme], scheme)
    return found


def scheme_called(name: str) -> str:
    """The type that people call so: itself, or another product that its connector connects to.

    Raises `ConfigError` where there is none, or where there are several.
    """
    if name in schemes():
        return name
    found, missing = [], []
    for scheme in sorted(schemes()):
        try:
            found += [scheme] if name.lower() in (scheme, *connector_class(scheme).answers_to) else []
        except DriverMissing as error:
            missing.append(str(error))
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{name!r} may be of type {' or '.join(found)}: name the one that it is")
    beside = f" ({'; '.join(missing)})" if missing else ""
    raise ConfigError(f"there is no connector for type {name!r}; there are: {', '.join(sorted(schemes()))}{beside}")


def imported(place: str, scheme: str) -> Any:
    """place: "module:Class", of what is made for this type of database.

    Raises `DriverMissing` with the command that brings the library that it needs.
    """
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise DriverMissing(f"type {scheme!r} needs {error.name}: {how_to_install(scheme, str(error.name))}") from None


def how_to_install(scheme: str, package: str) -> str:
    """The command that brings a library of this connector: an extra of el's for its own, else the package itself."""
    return to_install(scheme) if schemes()[scheme].startswith("el.") else f"pip install {package}"


def open_connector(output: Mapping[str, Any], where: str = "profile") -> Connector:
    """A connector, not yet connected, for a profile's output (a mapping with `type`).

    References of settings that the config does not hold as `SecretStr` are looked up here, the others on connecting.
    Raises `ConfigError` with the setting's name; values are left out of the message, for they may be secrets.
    """
    found = connector_class(str(output.get("type", "")))
    try:
        config = found.config_type.model_validate(looked_up(output, found.config_type))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        setting = ".".join(str(part) for part in first["loc"]) or "settings"
        raise ConfigError(f"{where}: {setting}: {first['msg'].removeprefix('Value error, ')}") from None
    _refuse_misspelt(output, found.config_type, where)
    return found(config)


def open_source(output: Mapping[str, Any], where: str = "profile") -> Source:
    """The same of a database that is to be read. Raises `ConfigError` where its connector only writes."""
    # Before any other reference is looked up: who may not read it need not be able to.
    require(Operation.READ_SOURCE, access_of(value_of(output.get("access"))), where)
    found = open_connector(output, where)
    if not isinstance(found, Source):
        raise ConfigError(f"{where}: {found.scheme} cannot be a source: its connector does not read")
    return found


def settings_of(scheme: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names of a connector's settings: all that are no flags, and the flags; none for a type that is not known."""
    try:
        fields = connector_class(scheme).config_type.model_fields
    except (ConfigError, DriverMissing):
        return frozenset(), frozenset()
    # One that also has a word for more than yes, such as "strict", is a flag all the same.
    told = {name for name, field in fields.items() if bool in (field.annotation, *get_args(field.annotation))}
    flags = frozenset(n for name, field in fields.items() if name in told for n in names_of(name, field))
    return frozenset(n for name, field in fields.items() for n in names_of(name, field)) - flags, flags


def is_secret(scheme: str, setting: str, text: str) -> bool:
    """Whether this text of a setting is a secret; one that the connector does not know is dbt's, and may be one."""
    known = frozenset().union(*settings_of(scheme))
    return setting not in known or connector_class(scheme).config_type.is_secret(setting, text)


def _refuse_misspelt(output: Mapping[str, Any], config_type: type[ConnectionConfig], where: str) -> None:
    """Settings that el does not know are dbt's, but one that is nearly one of el's own is a slip of the pen."""
    known = set().union(*(names_of(name, field) for name, field in config_type.model_fields.items()))
    for name in output:
        close = get_close_matches(str(name), sorted(known), n=1, cutoff=0.75)
        if close and name not in known:
            raise ConfigError(f"{where}: {name}: unknown setting; did you mean {close[0]}?")
