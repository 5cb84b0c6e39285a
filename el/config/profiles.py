"""Connections out of dbt's profiles.yml, so that el and dbt are told where things are in one place.

Guarantees: a missing variable, profile or target is a `ConfigError` that names the file; no value of the file ever
stands in a message; of a secret an `Output` holds the reference alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from el.config.files_profile import FILES, FLAGS, TEXTS
from el.config.profile_secrets import Place, by_reference
from el.config.profiles_file import read_profiles, render
from el.connectors.registry import settings_of
from el.errors import ConfigError
from el.secrets.fields import value_of

_TEXT, _YES_NO = "tag:yaml.org,2002:str", "tag:yaml.org,2002:bool"


@dataclass(frozen=True, slots=True)
class Output:
    """One output of one profile. `settings`: rendered, but secrets, which are references: a `Secret` each."""

    profile: str
    target: str
    settings: dict[str, Any] = field(repr=False)

    @property
    def type(self) -> str:
        """The adapter's name, which also names the connector: "sqlserver", "snowflake", "duckdb"."""
        return str(self.settings.get("type", ""))

    def setting(self, name: str) -> Any:
        """A setting that is no secret; where it is a reference, its value, looked up now."""
        return value_of(self.settings.get(name))

    def from_anywhere(self) -> Output:
        """The same for a process that works in another folder: the path of a file that is there is whole."""
        path = self.settings.get("path")
        if not isinstance(path, str) or not Path(path).exists():
            return self
        return replace(self, settings={**self.settings, "path": os.path.abspath(path)})

    def __str__(self) -> str:
        return f"{self.profile}.{self.target}"


def find_profiles(directory: Path | None = None) -> Path:
    """profiles.yml in `directory`, else where dbt looks: DBT_PROFILES_DIR, here, ~/.dbt."""
    if directory is not None:
        places = [directory]
    else:
        named = os.environ.get("DBT_PROFILES_DIR")
        places = [*([Path(named)] if named else []), Path.cwd()]
        with suppress(RuntimeError):
            # A container's user may have no home.
            places.append(Path.home() / ".dbt")
    for place in places:
        if (place / "profiles.yml").is_file():
            return place / "profiles.yml"
    looked = ", ".join(str(place) for place in places)
    raise ConfigError(f"no profiles.yml in {looked}; copy profiles.example.yml and set your connections")


def load_output(path: Path, profile: str, target: str | None) -> Output:
    """The output `target` of `profile`; without a target, the one that the profile names as its own."""
    content, root = read_profiles(path)
    if not isinstance(content, dict) or profile not in content:
        known = ", ".join(sorted(str(k) for k in content if k != "config")) if isinstance(content, dict) else "none"
        raise ConfigError(f"{path}: there is no profile {profile!r}; there are: {known}")
    entry = content[profile]
    outputs = entry.get("outputs") if isinstance(entry, dict) else None
    if not isinstance(outputs, dict) or not outputs:
        raise ConfigError(f"{path}: profile {profile!r} has no outputs")
    where = f"{path}: profile {profile!r}"
    chosen = target or str(render(entry.get("target", "default"), where))
    if chosen not in outputs:
        known = ", ".join(sorted(str(name) for name in outputs))
        raise ConfigError(f"{where} has no output {chosen!r}; it has: {known}")
    written, where = outputs[chosen], f"{where} output {chosen!r}"
    settings = render(written, where)
    if not isinstance(settings, dict) or not settings.get("type"):
        raise ConfigError(f"{where} has no `type`")
    _refuse_two_readings(path, root, (profile, "outputs", chosen), settings)
    return Output(profile, chosen, by_reference(Place(path.absolute(), profile, chosen), written, settings))


def has_output(path: Path, profile: str, target: str) -> bool:
    """Whether `profile` has an output of this name."""
    content, _ = read_profiles(path)
    entry = content.get(profile) if isinstance(content, dict) else None
    return isinstance(entry, dict) and target in (entry.get("outputs") or {})


def _refuse_two_readings(path: Path, root: yaml.Node | None, place: tuple[str, ...], settings: dict[str, Any]) -> None:
    """Raise `ConfigError` for a value of el's that is one thing in YAML 1.1, dbt's, and another in YAML 1.2."""
    node = root
    for part in place:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if str(key.value) == part), None)
    kind = str(settings["type"])
    texts, flags = (TEXTS, FLAGS) if kind == FILES else settings_of(kind)
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        name = str(key.value)
        yes_no = name in flags and value.tag == _YES_NO
        if name in texts | flags and not yes_no and (line := _read_two_ways(value)):
            raise ConfigError(
                f"{path} line {line}: {name}: without quotes this value is a text to some programs and something else "
                "to others: put it in quotes"
            )


def _read_two_ways(node: yaml.Node) -> int | None:
    """The line of the first value that it holds for."""
    if isinstance(node, yaml.MappingNode | yaml.SequenceNode):
        inside = [item for pair in node.value for item in (pair if isinstance(pair, tuple) else (pair,))]
        return next((line for item in inside if (line := _read_two_ways(item))), None)
    # A text to dbt is the text that was written.
    plain = isinstance(node, yaml.ScalarNode) and node.style is None and node.tag != _TEXT
    if not plain or node.value == "":
        return None
    older, newer = yaml.safe_load(node.value), YAML(typ="safe", pure=True).load(node.value)
    counted = isinstance(older, int | float) and not isinstance(older, bool)
    if older != newer or (counted and str(older) != node.value):
        return int(node.start_mark.line) + 1
    return None
