"""The two lines that dbt_project.yml needs: what el does when a run of dbt begins and ends.

Guarantees: nothing else of the file changes, comments and order included: lines are put in, and the result is read
again and compared before it is written. Where that is not possible, what is to be put in by hand is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from el.codegen.project import FILE, DbtProject
from el.errors import ConfigError

HOOKS: Mapping[str, str] = {
    "on-run-start": "{{ el_on_run_start() }}",
    "on-run-end": "{{ el_on_run_end() }}",
}


def with_hooks(project: DbtProject) -> str | None:
    """dbt_project.yml with the hooks; None where it has them. Raises `ConfigError` with the lines to be put in."""
    path = project.folder / FILE
    given = path.read_bytes().decode()
    text = before = given.replace("\r\n", "\n")
    for key, hook in HOOKS.items():
        if not _has(project.settings.get(key), hook):
            text = _put(text, key, hook)
    if text == before:
        return None
    wanted = dict(project.settings)
    for key, hook in HOOKS.items():
        hooks = _listed(wanted.get(key))
        wanted[key] = hooks if _has(hooks, hook) else [*hooks, hook]
    found = _parsed(text)
    if {key: _listed(value) if key in HOOKS else value for key, value in found.items()} != {
        key: _listed(value) if key in HOOKS else value for key, value in wanted.items()
    }:
        lines = "; ".join(f'{key}: "{hook}"' for key, hook in HOOKS.items())
        raise ConfigError(f"{path}: el cannot put its hooks in without changing more; add to the lists there {lines}")
    return text.replace("\n", "\r\n") if "\r\n" in given else text


def _put(text: str, key: str, hook: str) -> str:
    """`hook` as the last item under `key`, which comes to the end of the file where it is not there yet."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    node = next((value for name, value in root.value if name.value == key), None) if root is not None else None
    quoted = f'"{hook}"'
    if node is None:
        return f"{text.rstrip()}\n\n{key}:\n  - {quoted}\n"
    begin, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.SequenceNode) and node.flow_style:
        comma = ", " if node.value else ""
        return f"{text[: end - 1]}{comma}{quoted}{text[end - 1 :]}"
    if isinstance(node, yaml.SequenceNode):
        return _after_line(text, node.value[-1].end_mark.index, f"{' ' * node.start_mark.column}- {quoted}\n")
    if begin == end:
        return _after_line(text, begin, f"  - {quoted}\n")
    return f"{text[:begin].rstrip()}\n  - {text[begin:end]}\n  - {quoted}{text[end:]}"


def _after_line(text: str, index: int, line: str) -> str:
    """`line` behind the one in which `index` stands, or at `index` where that begins a line."""
    if index and text[index - 1] == "\n":
        return text[:index] + line + text[index:]
    found = text.find("\n", index)
    return f"{text}\n{line}" if found < 0 else text[: found + 1] + line + text[found + 1 :]


def _has(value: object, hook: str) -> bool:
    call = hook.strip("{} ")
    return any(call in str(given) for given in _listed(value))


def _listed(value: object) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
