"""profiles.yml as dbt reads it: its YAML, and the templates in its values.

Guarantees: `env_var()` is rendered as dbt renders it; no value of the file ever stands in a message.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import nodes
from jinja2.nativetypes import NativeEnvironment

from el.config.text_file import read_text
from el.errors import ConfigError


def read_profiles(path: Path) -> tuple[Any, yaml.Node | None]:
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


def render(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: render(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [render(item, where) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    native = any(name in value for name in ("as_number", "as_bool", "as_native"))
    try:
        return _environment(native).from_string(value).render()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    except (jinja2.TemplateError, ValueError):
        raise ConfigError(f"{where}: a template in it cannot be rendered; only env_var() is known") from None


def variable(template: str) -> tuple[str, str | None] | None:
    """Name and default of a template that is `{{ env_var('NAME') }}` and nothing else; None for any other text."""
    if "{{" not in template:
        return None
    try:
        body = _environment(native=False).parse(template).body
    except jinja2.TemplateError:
        return None
    said = body[0].nodes if len(body) == 1 and isinstance(body[0], nodes.Output) else []
    call = said[0] if len(said) == 1 and isinstance(said[0], nodes.Call) else None
    if call is None or call.kwargs or not isinstance(call.node, nodes.Name) or call.node.name != "env_var":
        return None
    told = [item.value for item in call.args if isinstance(item, nodes.Const)]
    if len(told) != len(call.args) or not told or not all(isinstance(item, str) for item in told):
        return None
    return told[0], told[1] if len(told) > 1 else None
