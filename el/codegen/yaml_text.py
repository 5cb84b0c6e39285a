"""YAML as people write it: lists indented, short maps in one line, nothing quoted that needs no quotes."""

from __future__ import annotations

from typing import Any

import yaml


class Inline(dict[str, Any]):
    """A map that stands in one line."""


class InlineList(list[Any]):
    """A list that stands in one line."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _inline_map(dumper: yaml.SafeDumper, data: Inline) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)


def _inline_list(dumper: yaml.SafeDumper, data: InlineList) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    style = '"' if any(mark in data for mark in "{}'") and "\n" not in data else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(Inline, _inline_map)
_Dumper.add_representer(InlineList, _inline_list)
_Dumper.add_representer(str, _text)


def to_yaml(content: Any) -> str:
    """`content` as YAML text, keys in their order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100_000)


def literal(text: str) -> str:
    """A text from the source for a test's argument, which dbt renders: it comes out to the last character as it is."""
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return text
    return "{{ '" + text.replace("\\", "\\\\").replace("'", "\\'") + "' }}"


def plain(text: str) -> str:
    """A text from the source for a field that dbt renders: what looks like a template is left as it is."""
    text = " ".join(text.split())
    if any(mark in text for mark in ("{{", "{%", "{#")):
        # No text can end the raw block early.
        return "{% raw %}" + text.replace("endraw", "end raw") + "{% endraw %}"
    return text
