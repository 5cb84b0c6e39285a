"""profiles.yml as dbt reads it: its YAML, and the templates in its values.

Guarantees: `env_var()` is rendered as dbt renders it; no value of the file ever stands in a message.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import nodes
from jinja2.nativetypes import NativeEnvironment

from el.config.text_file import read_text
from el.errors import ConfigError
from el.secrets.references import is_reference


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


LookUp = Callable[[str], str]


def _environment(native: bool, look_up: LookUp | None = None) -> jinja2.Environment:
    def env_var(var: str, default: str | None = None) -> str:
        if (value := os.environ.get(var, default)) is None:
            raise ConfigError(f"environment variable {var} is not set")
        stands = look_up is not None and var not in os.environ and is_reference(value)
        return look_up(value) if look_up is not None and stands else value

    environment = NativeEnvironment() if native else jinja2.Environment(autoescape=False)
    environment.globals["env_var"] = env_var
    # dbt's own filters; "as_native" types are asked for by name, a password "0123" stays a text.
    environment.filters["as_number"] = lambda value: float(value) if "." in str(value) else int(value)
    environment.filters["as_bool"] = lambda value: str(value).strip().lower() in ("true", "1", "yes", "on")
    environment.filters["as_native"] = yaml.safe_load
    environment.filters["as_text"] = str
    return environment


def render(value: Any, where: str, look_up: LookUp | None = None) -> Any:
    """What dbt takes it for. look_up: gives the value of a reference that is a variable's default; without it, a
    template that does more with a reference stays as it is written.
    """
    if isinstance(value, dict):
        return {key: render(item, where, look_up) for key, item in value.items()}
    if isinstance(value, list):
        return [render(item, where, look_up) for item in value]
    if not isinstance(value, str) or "{{" not in value or (look_up is None and works_on_reference(value)):
        return value
    native = any(name in value for name in ("as_number", "as_bool", "as_native"))
    try:
        return _environment(native, look_up).from_string(value).render()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    except (jinja2.TemplateError, ValueError):
        raise ConfigError(f"{where}: a template in it cannot be rendered; only env_var() is known") from None


def variable(template: str) -> tuple[str, str | None] | None:
    """Name and default of a template that is `{{ env_var('NAME') }}` and nothing else; None for any other text."""
    body = _parsed(template).body
    said = body[0].nodes if len(body) == 1 and isinstance(body[0], nodes.Output) else []
    call = said[0] if len(said) == 1 else None
    if not isinstance(call, nodes.Call):
        return None
    given = [*call.args, *(each.value for each in call.kwargs)]
    return _told(call) if all(_constant(value) is not None for value in given) else None


def variables(template: str) -> list[tuple[str, str | None]]:
    """Name and default of each `env_var()` in a text, whatever stands around it: filters, other text, another one.

    A name that is no constant is not known before the template is rendered, and is left out.
    """
    return [told for call in _parsed(template).find_all(nodes.Call) if (told := _told(call))]


def works_on_reference(template: str) -> bool:
    """Whether it does more with a reference than to be it: a filter works on the value, and so does other text."""
    if variable(template) is not None:
        return False
    return any(default and name not in os.environ and is_reference(default) for name, default in variables(template))


def _parsed(template: str) -> nodes.Template:
    if "{{" in template:
        with suppress(jinja2.TemplateError):
            return _environment(native=False).parse(template)
    return nodes.Template([])


def _told(call: nodes.Node) -> tuple[str, str | None] | None:
    if not isinstance(call, nodes.Call) or not isinstance(call.node, nodes.Name) or call.node.name != "env_var":
        return None
    given = {("var", "default")[n]: _constant(value) for n, value in enumerate(call.args[:2])}
    given |= {each.key: _constant(each.value) for each in call.kwargs}
    name, default = given.get("var"), given.get("default")
    return (name, default) if name is not None else None


def _constant(node: nodes.Node) -> str | None:
    """A text that does not depend on anything, such as `'EL_' ~ 'PASSWORD'`."""
    with suppress(nodes.Impossible):
        value = node.as_const() if isinstance(node, nodes.Expr) else None
        return value if isinstance(value, str) else None
    return None
