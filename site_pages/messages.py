"""Troubleshooting: each error of el with what to do, and every message that the code can raise it with."""

from __future__ import annotations

import ast
import html
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import el.errors
from el.errors import ElError
from site_pages.markdown import row
from site_pages.texts import Function, Module, Place, assigned, module, nodes, texts

# Who puts a message into the search looks for this page, though others have its words more often.
INTRO = """---
search:
  boost: 8
---

# Troubleshooting

A message of el is one line: what, where, what to do. Search this page for its words. What depends on the run stands in
‹angle brackets›; where that is all of a message, it is in the words of the server or of a library. `--traceback` shows
where in the code it arose. This page is made of the code.
"""
# Of these modules a ValueError is what is wrong with a setting: its file and line are put in front.
SETTINGS = re.compile(r"el/config/|.*/config\.py$|.*/cluster_config\.py$")
# What other errors are made of: no user sees it alone.
PART = "Parts of other messages"


@dataclass(frozen=True)
class Message:
    """What one place of the code says: the error's name, the templates of its text, file and line."""

    error: str
    templates: tuple[str, ...]
    path: str
    line: int


def errors() -> list[type[ElError]]:
    """All errors, those above before those below."""
    found = [ElError]
    for cls in found:
        found += [each for each in cls.__subclasses__() if each.__module__ == el.errors.__name__]
    order = list(vars(el.errors))
    return sorted(dict.fromkeys(found), key=lambda cls: order.index(cls.__name__))


@cache
def messages(root: Path) -> list[Message]:
    """Every place of the code that makes an error of el's, says that a setting is wrong, or words a part of either."""
    modules, kinds = list(_modules(root)), {cls.__name__: cls.__name__ for cls in errors()}
    for _, of in modules:
        kinds |= {name: kinds.get(base, PART) for name, base in _exceptions(of.tree) if name not in kinds}
    found = []
    for place, of in modules:
        here = {**kinds, "ValueError": "ConfigError" if SETTINGS.match(place) else PART, "Problem": PART}
        for call, function in _calls(of.tree, None):
            for error in sorted({here[name] for name in _made(call.func, function) if name in here and call.args}):
                # What is wrong with names says first whose they are.
                text = call.args[-1 if ast.unparse(call.func) == "Problem" else 0]
                templates = tuple(" ".join(each.split()) for each in texts(text, Place(of, function)) if each)
                found.append(Message(error, templates, place, call.lineno))
    return found


def _made(node: ast.expr | None, function: Function | None) -> Iterator[str]:
    """The names of the classes that a call may make one of."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            yield from _made(body, function)
            yield from _made(orelse, function)
        case ast.Name(id=name):
            yield name
            for value in assigned(name, function) if function else ():
                if isinstance(value, ast.IfExp):
                    yield from _made(value, None)


def _modules(root: Path) -> Iterator[tuple[str, Module]]:
    for path in sorted(root.joinpath("el").rglob("*.py")):
        place = path.relative_to(root).as_posix()
        found = module(place.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        assert found is not None, place
        yield place, found


def _exceptions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Exceptions that a module makes for its own use, each with what it is one of."""
    for node in (each for each in nodes(tree) if isinstance(each, ast.ClassDef)):
        for base in map(ast.unparse, node.bases):
            if base.endswith(("Error", "Exception")) or hasattr(el.errors, base):
                yield node.name, base


def _calls(node: ast.AST, function: Function | None) -> Iterator[tuple[ast.Call, Function | None]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child, function
        yield from _calls(child, child if isinstance(child, Function) else function)


def troubleshooting(root: Path) -> str:
    """The page: a section for each error, within it the messages by the part of el that says them."""
    of_error = defaultdict(list)
    for message in messages(root):
        of_error[message.error].append(message)
    parts = [INTRO, _table()]
    for cls in errors()[1:]:
        told = (" ".join(text.split()) for text in (inspect.getdoc(cls) or "").split("\n\n"))
        parts.append("\n\n".join([f"## {cls.__name__}", *told]) + "\n")
        parts += _by_part(of_error[cls.__name__])
    parts.append(f"## {PART}\n\nThese stand where a message above has ‹error›, or the name of what is wrong.\n")
    parts += _by_part([*of_error[PART], *of_error[ElError.__name__]])
    return "\n".join(parts)


def _table() -> str:
    rows = "".join(
        row(f"[{cls.__name__}](#{cls.__name__.lower()})", str(cls.exit_code), "yes" if cls.retryable else "")
        for cls in errors()[1:]
    )
    return f"| error | exit code | may pass by itself |\n|---|---|---|\n{rows}"


def _by_part(found: list[Message]) -> Iterator[str]:
    by_part = defaultdict(list)
    for message in found:
        by_part[_part(message.path)].append(message)
    for part, of_part in sorted(by_part.items()):
        lines = [f'??? note "{part}: {len(of_part)}"\n']
        for message in of_part:
            text = "<br>".join(f"<code>{html.escape(each)}</code>" for each in message.templates)
            lines.append(f"    - {text} <small>{message.path}, line {message.line}</small>")
        yield "\n".join(lines) + "\n"


def _part(path: str) -> str:
    """What a reader calls the part of el: `connectors/mysql`, `planning`."""
    folders = path.split("/")[1:-1]
    return "/".join(folders[: 2 if folders[:1] == ["connectors"] else 1]) or "el"
