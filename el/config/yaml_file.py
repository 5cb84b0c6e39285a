"""A YAML file read so that a value is the text that was written, and every key knows its line.

Guarantees: the file is YAML 1.2, in which `NO`, `007` and `12:30:00` are no other values in disguise; a plain value
stays text until the setting that it is for says what it is; a key that stands twice in one mapping is an error that
names both lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from el.config.text_file import read_text
from el.errors import ConfigError

_TAG = "tag:yaml.org,2002:"
_MERGE = "<<"


class Written(str):
    """A value as it stands in the file, without its quotes. It is a text, unless the setting wants something else."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file says. content: mappings, lists, `Written` values and None; the root is a mapping."""

    path: Path
    content: dict[str, Any]
    root: Node

    def line(self, place: tuple[Any, ...]) -> int:
        """The line of a setting, or of the nearest one around it that is there."""
        node, line = self.root, 1
        for part in place:
            if isinstance(node, MappingNode):
                pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
                if pair is None:
                    break
                line, node = _line(pair[0]), pair[1]
            elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = _line(node)
            else:
                break
        return line


def read_yaml(path: Path, null_is_a_text: frozenset[str] = frozenset()) -> YamlFile:
    """Read a file. Raises `OSError` where it is not there, `ConfigError` with the line where it is not good YAML.

    null_is_a_text: keys for which the plain word null is a value like any other.
    """
    text = read_text(path)
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise ConfigError(f"{path}{where}: not valid YAML: {problem}") from None
    if not isinstance(root, MappingNode):
        raise ConfigError(f"{path}: expected settings such as `version: 1`, found none")
    return YamlFile(path, _Reader(path, null_is_a_text).mapping(root, ()), root)


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    null_is_a_text: frozenset[str]

    def value(self, node: Node, around: tuple[int, ...], key: str = "") -> Any:
        if id(node) in around:
            raise self.error(node, "an alias stands within what it stands for")
        if isinstance(node, MappingNode):
            return self.mapping(node, around)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*around, id(node)), key) for item in node.value]
        return self.scalar(node, key)

    def scalar(self, node: Node, key: str) -> Written | None:
        tag = str(node.tag)
        if not tag.startswith(_TAG):
            raise self.error(node, f"the tag {tag} means nothing here")
        if tag == f"{_TAG}null" and (key not in self.null_is_a_text or node.value != "null"):
            return None
        return Written(node.value)

    def mapping(self, node: MappingNode, around: tuple[int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self.error(key, "a key is a plain text")
            name = str(key.value)
            if name in lines:
                raise self.error(key, f"{name}: this key stands twice, first in line {lines[name]}: write it once")
            lines[name] = _line(key)
            if name == _MERGE and not key.style:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            else:
                found[name] = self.value(value, (*around, id(node)), name)
        for other in merged:
            if not isinstance(other, MappingNode) or id(other) in around:
                raise self.error(node, "`<<` takes a mapping")
            self.merge(found, self.mapping(other, (*around, id(node))), node)
        return found

    def merge(self, found: dict[str, Any], other: dict[str, Any], node: Node) -> None:
        """Add what `<<` brings. A group of settings is not replaced by one of the same name, which would lose some."""
        for name, value in other.items():
            if name in found and isinstance(value, dict | list) and found[name] != value:
                raise self.error(node, f"{name}: this key stands here and in what `<<` brings: write it once")
            found.setdefault(name, value)

    def error(self, node: Node, what: str) -> ConfigError:
        return ConfigError(f"{self.path} line {_line(node)}: {what}")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
