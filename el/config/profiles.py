"""Connections out of dbt's profiles.yml, so that el and dbt are told where things are in one place.

Guarantees: `env_var()` is rendered as dbt renders it; a missing variable, profile or target is a `ConfigError` that
names the file; no value of the file ever stands in a message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2.nativetypes import NativeEnvironment
from ruamel.yaml import YAML

from el.config.files_profile import FILES, FLAGS, TEXTS
from el.config.text_file import read_text
from el.connectors.registry import settings_of
from el.errors import ConfigError

_TEXT, _YES_NO = "tag:yaml.org,2002:str", "tag:yaml.org,2002:bool"


@dataclass(frozen=True, slots=True)
class Output:
    """One output of one profile: `settings` as written, rendered; never shown in a repr, for it holds secrets."""

    profile: str
    target: str
    settings: dict[str, Any] = field(repr=False)

    @property
    def type(self) -> str:
        """The adapter's name, which also names the connector: "sqlserver", "snowflake", "duckdb"."""
        return str(self.settings.get("type", ""))

    def __str__(self) -> str:
        return f"{self.profile}.{self.target}"


def find_profiles(directory: Path | None = None) -> Path:
    """profiles.yml in `directory`, else where dbt looks: DBT_PROFILES_DIR, here, ~/.dbt."""
    if directory is not None:
        places = [directory]
    else:
        named = os.environ.get("DBT_PROFILES_DIR")
        places = [*([Path(named)] if named else []), Path.cwd(), Path.home() / ".dbt"]
    for place in places:
        if (place / "profiles.yml").is_file():
            return place / "profiles.yml"
    looked = ", ".join(str(place) for place in places)
    raise ConfigError(f"no profiles.yml in {looked}; copy profiles.example.yml and set your connections")


def load_output(path: Path, profile: str, target: str | None) -> Output:
    """The output `target` of `profile`; without a target, the one that the profile names as its own."""
    content, root = _read(path)
    if not isinstance(content, dict) or profile not in content:
        known = ", ".join(sorted(str(k) for k in content if k != "config")) if isinstance(content, dict) else "none"
        raise ConfigError(f"{path}: there is no profile {profile!r}; there are: {known}")
    entry = content[profile]
    outputs = entry.get("outputs") if isinstance(entry, dict) else None
    if not isinstance(outputs, dict) or not outputs:
        raise ConfigError(f"{path}: profile {profile!r} has no outputs")
    where = f"{path}: profile {profile!r}"
    chosen = target or str(_render(entry.get("target", "default"), where))
    if chosen not in outputs:
        known = ", ".join(sorted(str(name) for name in outputs))
        raise ConfigError(f"{where} has no output {chosen!r}; it has: {known}")
    settings = _render(outputs[chosen], f"{where} output {chosen!r}")
    if not isinstance(settings, dict) or not settings.get("type"):
        raise ConfigError(f"{where} output {chosen!r} has no `type`")
    _refuse_two_readings(path, root, (profile, "outputs", chosen), settings)
    return Output(profile, chosen, settings)


def has_output(path: Path, profile: str, target: str) -> bool:
    """Whether `profile` has an output of this name."""
    content, _ = _read(path)
    entry = content.get(profile) if isinstance(content, dict) else None
    return isinstance(entry, dict) and target in (entry.get("outputs") or {})


def _read(path: Path) -> tuple[Any, yaml.Node | None]:
    """The file as dbt reads it, by YAML 1.1, and its nodes. A key that stands twice is refused: dbt takes the last."""
    text = read_text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_doubled(path, root)
        return yaml.safe_load(text), root
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML") from None


def _refuse_doubled(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_doubled(path, item)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            raise ConfigError(f"{path} line {line}: {name}: this key stands twice, first in line {lines[name]}")
        lines[name] = line
        _refuse_doubled(path, value)


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


def _env_var(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"environment variable {name} is not set")
    return value


def _environment(native: bool) -> jinja2.Environment:
    environment = NativeEnvironment() if native else jinja2.Environment(autoescape=False)
    environment.globals["env_var"] = _env_var
    # dbt's own filters; "as_native" types are asked for by name, a password "0123" stays a text.
    environment.filters["as_number"] = lambda value: float(value) if "." in str(value) else int(value)
    environment.filters["as_bool"] = lambda value: str(value).strip().lower() in ("true", "1", "yes", "on")
    environment.filters["as_native"] = yaml.safe_load
    environment.filters["as_text"] = str
    return environment


def _render(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: _render(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item, where) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    native = any(name in value for name in ("as_number", "as_bool", "as_native"))
    try:
        return _environment(native).from_string(value).render()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    except (jinja2.TemplateError, ValueError):
        raise ConfigError(f"{where}: a template in it cannot be rendered; only env_var() is known") from None
