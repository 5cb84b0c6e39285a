"""Secrets that lie open in a YAML file, by what its settings are: profiles.yml's outputs, el.yml, dbt_project.yml."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml

from el.config.files_profile import FILES, SECRETS
from el.config.profiles_file import render, variables
from el.connectors.registry import connector_class
from el.errors import ConfigError
from el.secrets.fields import sealed_fields
from el.secrets.plaintext import lies_open, looks_secret, secret_settings

# The keys below these are names of columns.
_COLUMNS = {"columns", "types", "pii"}
_NAME = re.compile(r"\+?[A-Za-z_][\w-]{0,60}")
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# As often an anchor is followed: each may hold others.
_USES = 20


def open_settings(text: str, file: str, of_profiles: bool) -> Iterator[tuple[int, str, str, str]]:
    """Line, the names that lead to it, what it is, and what to do. Raises `yaml.YAMLError`."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    sealed = _sealed(text) if of_profiles else {}
    for names, node in _scalars(root, (), Counter()):
        of_output = sealed.get((names[0], names[2]), frozenset()) if len(names) == 4 else frozenset()
        named = names[-1] in of_output or (looks_secret(names[-1]) and _counts(names, file))
        defaults, rest = _told(node.value)
        if named and node.tag.endswith((":str", ":int", ":float")) and any(map(lies_open, defaults or [rest])):
            whats = ["the secret itself"]
        else:
            whats = list(dict.fromkeys(what for each in (*defaults, rest) for what in secret_settings(each)))
        field = _field(names, of_profiles)
        for what in whats:
            yield node.start_mark.line + 1, field, what, _remedy(names, field, of_profiles)


def _scalars(
    node: yaml.Node | None, names: tuple[str, ...], times: Counter[int]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value, and the names that lead to it. An anchor's counts wherever it is used, but not without an end."""
    times[id(node)] += 1
    if node is None or times[id(node)] > _USES:
        return
    if isinstance(node, yaml.ScalarNode):
        yield names or ("text",), node
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            merged = key.tag.endswith(":merge")
            yield from _scalars(value, names if merged else (*names, _name(key)), times)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, names, times)


def _name(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "?"


def _field(names: tuple[str, ...], of_profiles: bool) -> str:
    """The names, for people. With a slip of the pen a secret stands where a name does: `password: {hunter2}`."""
    shown: list[str] = []
    for n, name in enumerate(names):
        if not (of_profiles and n == 1 and name == "outputs"):
            shown.append(name if _NAME.fullmatch(name) and not any(map(looks_secret, names[:n])) else "?")
    return ".".join(shown)


def _told(text: str) -> tuple[list[str], str]:
    """What stands in the file: of a template the defaults of its variables, and what stands around it."""
    if "{{" not in text:
        return [], text
    return [default or "" for _, default in variables(text)] or [""], _TEMPLATE.sub("", text)


def _counts(names: tuple[str, ...], file: str) -> bool:
    """Whether a name says what the setting is."""
    if file == "dbt_project.yml":
        return names[0] == "vars"
    return file != "el.yml" or not _COLUMNS & set(names[:-1])


def _sealed(text: str) -> dict[tuple[str, str], frozenset[str]]:
    """The secret settings of each output, as its connector knows them."""
    found = {}
    with suppress(ValueError, AttributeError, TypeError):
        for profile, entry in yaml.safe_load(text).items():
            for target, output in (entry.get("outputs") or {}).items():
                with suppress(AttributeError, TypeError, ConfigError, ImportError):
                    kind = str(render(output.get("type", ""), ""))
                    known = SECRETS if kind == FILES else sealed_fields(connector_class(kind).config_type)
                    found[str(profile), str(target)] = known
    return found


def _remedy(names: tuple[str, ...], field: str, of_profiles: bool) -> str:
    if of_profiles and len(names) >= 4:
        if "?" in field:
            return "keep it where secrets are kept, and write its reference; change it if others can read this file"
        variable = "DBT_ENV_SECRET_" + "".join(letter if letter.isalnum() else "_" for letter in field).upper()
        return (
            f"python -m el secrets set {field}, and write "
            f"\"{{{{ env_var('{variable}', 'secret:{field}') }}}}\"; change it if others can read this file"
        )
    return "name where it is kept instead; change it if others can read this file"
