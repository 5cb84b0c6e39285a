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

from el.errors import ConfigError


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
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML") from None
    if not isinstance(content, dict) or profile not in content:
        known = ", ".join(sorted(k for k in content if k != "config")) if isinstance(content, dict) else "none"
        raise ConfigError(f"{path}: there is no profile {profile!r}; there are: {known}")
    entry = content[profile]
    outputs = entry.get("outputs") if isinstance(entry, dict) else None
    if not isinstance(outputs, dict) or not outputs:
        raise ConfigError(f"{path}: profile {profile!r} has no outputs")
    where = f"{path}: profile {profile!r}"
    chosen = target or str(_render(entry.get("target", "default"), where))
    if chosen not in outputs:
        known = ", ".join(sorted(outputs))
        raise ConfigError(f"{where} has no output {chosen!r}; it has: {known}")
    settings = _render(outputs[chosen], f"{where} output {chosen!r}")
    if not isinstance(settings, dict) or not settings.get("type"):
        raise ConfigError(f"{where} output {chosen!r} has no `type`")
    return Output(profile, chosen, settings)


def has_output(path: Path, profile: str, target: str) -> bool:
    """Whether `profile` has an output of this name."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    entry = content.get(profile) if isinstance(content, dict) else None
    return isinstance(entry, dict) and target in (entry.get("outputs") or {})


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
