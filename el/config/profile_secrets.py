"""The secrets of an output of profiles.yml, as references: what of its settings is one, and where its value is.

A setting that el knows is secret where its connector's config says so (`SecretStr`, or `repr=False`). One that el does
not know is dbt's, and may be anything: its text stays in the file. Any other setting may be a reference too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from el.config.files_profile import FILES, FLAGS, SECRETS, TEXTS
from el.config.profiles_file import read_profiles, render, variable, variables, works_on_reference
from el.connectors.registry import is_secret, settings_of
from el.errors import ConfigError, SecretUnavailable
from el.secrets.hidden import known
from el.secrets.references import Secret, begins_as_reference, beside, is_reference, resolve


@dataclass(frozen=True, slots=True)
class Place:
    """An output, or a setting of it, in its file."""

    path: Path
    profile: str
    target: str
    keys: tuple[str | int, ...] = ()

    def __truediv__(self, key: str | int) -> Place:
        return Place(self.path, self.profile, self.target, (*self.keys, key))

    def __str__(self) -> str:
        return f"{self.path}#{'.'.join(str(part) for part in (self.profile, self.target, *self.keys))}"


class Written(Secret):
    """A secret that is written in profiles.yml: its reference is its place there, and its value stays in the file."""

    def __init__(self, place: Place) -> None:
        super().__init__(str(place))
        self.place = place

    def get_secret_value(self) -> str:
        """The value, read now, and rendered."""
        place = self.place
        try:
            found: Any = read_profiles(place.path)[0][place.profile]["outputs"][place.target]
            for key in place.keys:
                found = found[key]
        except (OSError, KeyError, IndexError, TypeError):
            raise SecretUnavailable(f"{place}: is no longer there") from None
        return known(str(render(found, str(place), lambda text: resolve(beside(text, place.path.parent)))))


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment from which a setting of an output comes.

    name: None where the setting is a reference itself, which dbt would take for the value. reference: its default,
    where that is one.
    """

    setting: str  # "profile.target.field", which is its path in the encrypted store too
    name: str | None
    reference: str | None
    secret: bool


def variables_of(path: Path, profile: str, target: str) -> list[Variable]:
    """The variables of an output's settings: who starts dbt gives it these, for it reads `env_var` alone."""
    written = read_profiles(path)[0][profile]["outputs"][target]
    kind = str(render(written.get("type", ""), f"{path}: profile {profile!r}"))
    found = []
    for setting, text in _texts(written):
        secret = _is_secret(kind, setting.partition(".")[0], text)
        place = f"{profile}.{target}.{setting}"
        if is_reference(text):
            found.append(Variable(place, None, text, secret))
        for name, default in variables(text):
            found.append(Variable(place, name, default if default and is_reference(default) else None, secret))
    return found


def by_reference(output: Place, written: Mapping[str, Any], rendered: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an output with a `Secret` in place of each secret. Raises `ConfigError`."""
    kind = str(rendered["type"])
    if is_reference(kind) or works_on_reference(kind):
        raise ConfigError(f"{output}.type: says which connector it is, and can be no reference")
    if kind != FILES and not any(settings_of(kind)):
        # No connector has this type: the error that says so comes when it is opened.
        return {"type": kind}
    return {
        name: value if name == "type" else _held(output / name, written[name], value, (kind, str(name)))
        for name, value in rendered.items()
    }


def _is_secret(kind: str, setting: str, text: str) -> bool:
    if kind == FILES:
        return setting in SECRETS or setting not in TEXTS | FLAGS
    return is_secret(kind, setting, text)


def _held(place: Place, written: Any, value: Any, setting: tuple[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _held(place / key, written[key], item, setting) for key, item in value.items()}
    if isinstance(value, list):
        return [_held(place / n, written[n], item, setting) for n, item in enumerate(value)]
    if isinstance(value, bool) or value is None or value == "":
        return value
    if isinstance(written, str) and works_on_reference(written):
        return Written(place)
    named = variable(written) if isinstance(written, str) else None
    # What a variable holds is a value, to el as to dbt; what stands in the file may be a reference.
    stands = value == (named[1] if named else written)
    if stands and isinstance(value, str) and is_reference(value):
        return Secret(beside(value, place.path.parent))
    if not _is_secret(*setting, str(value)):
        return value
    if stands and isinstance(value, str) and (form := begins_as_reference(value)):
        raise ConfigError(
            f"{place}: begins like a reference, and those look so: {form}; a secret that is so itself "
            "cannot stand in this file: take it from the environment"
        )
    known(str(value))
    return Written(place) if named is None or stands else Secret(f"env:{named[0]}")


def _texts(settings: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in an output, with the names that lead to it."""
    if isinstance(settings, str):
        yield name, settings
    items = (
        settings.items() if isinstance(settings, dict) else enumerate(settings if isinstance(settings, list) else ())
    )
    for key, item in items:
        yield from _texts(item, f"{name}.{key}" if name else str(key))
