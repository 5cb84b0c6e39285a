"""The texts that an expression of the code can come to, as templates: what is known only in a run stands as ‹name›.

It follows names to what is assigned to them, and calls of el's own functions to what these give back, within bounds:
what it cannot follow is a ‹name›, never left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# How far names and calls are followed, and how many texts an expression may have.
DEPTH, MOST = 4, 12
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module of el, by its name."""

    name: str
    tree: ast.Module = field(compare=False)


@cache
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All of a tree's nodes, walked once."""
    return tuple(ast.walk(tree))


@cache
def module(name: str) -> Module | None:
    """The module of this name; None where it is none of el's."""
    place = ROOT / name.replace(".", "/")
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if name.startswith("el") and path.exists():
            return Module(name, ast.parse(path.read_text(encoding="utf-8")))
    return None


@cache
def _functions(of: Module) -> dict[str, Function]:
    return {node.name: node for node in nodes(of.tree) if isinstance(node, Function)}


@dataclass(frozen=True)
class Place:
    """Where an expression stands: its module, and the function whose names it sees."""

    module: Module
    function: Function | None


def texts(node: ast.expr | None, place: Place, depth: int = DEPTH) -> list[str]:
    """Every template that `node` can come to, at most `MOST`; at least one."""
    found = list(dict.fromkeys(_texts(node, place, depth)))[:MOST]
    return found if any(found) or isinstance(node, ast.Constant) else [_hole(node)]


def _texts(node: ast.expr | None, place: Place, depth: int) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(value)):
            yield value
        case ast.JoinedStr(values=values):
            yield from _joined([_part(value, place, depth) for value in values])
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _joined([texts(left, place, depth), texts(right, place, depth)])
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body, place, depth)
            yield from texts(orelse, place, depth)
        case ast.BoolOp(values=values):
            for value in values:
                yield from texts(value, place, depth)
        case ast.Subscript(value=value, slice=ast.Slice()):
            yield from texts(value, place, depth)
        case ast.Call():
            yield from _called(node, place, depth)
        case ast.Name(id=name) if (constant := _constant(name, place.module)) is not None:
            yield constant
        case ast.Name(id=name) if depth > 0 and place.function is not None:
            for value in assigned(name, place.function):
                yield from (text for text in texts(value, place, depth - 1) if _says(text))


def _joined(parts: list[list[str]]) -> Iterator[str]:
    """All ways to put one text of each part behind the other, as far as `MOST` goes."""
    found = [""]
    for part in parts:
        found = [before + text for before in found for text in part][:MOST]
    yield from found


def _part(node: ast.expr, place: Place, depth: int) -> list[str]:
    if isinstance(node, ast.FormattedValue):
        # In the midst of a text only what says more than a name is followed.
        if isinstance(node.value, ast.Name) and (constant := _constant(node.value.id, place.module)) is not None:
            return [constant]
        found = [text for text in texts(node.value, place, min(depth, 2)) if _says(text) or not text]
        return found if any(found) else [_hole(node.value)]
    return texts(node, place, depth)


def _says(text: str) -> bool:
    """Whether this is more than a name, a number or a mark: words that a reader could look for."""
    return len(re.findall(r"[A-Za-z]{2,}", re.sub("‹[^›]*›", "", text))) > 1 and " " in text


def _called(node: ast.Call, place: Place, depth: int) -> Iterator[str]:
    match node.func:
        case ast.Attribute(value=ast.Constant(value=str(between)), attr="join") if node.args:
            yield from _members(node.args[0], place, depth)
            if len(between) == 0:
                return
        case ast.Attribute(value=value, attr="format" | "strip" | "lstrip" | "rstrip" | "removeprefix"):
            yield from texts(value, place, depth)
        case ast.Name(id="str") if node.args:
            yield from texts(node.args[0], place, depth)
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if depth > 0:
            if (found := _definition(name, place.module)) is not None:
                yield from _given_back(*found, depth - 1)


def _members(node: ast.expr, place: Place, depth: int) -> Iterator[str]:
    """The texts of a collection's members."""
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            for element in elements:
                inner = element.value if isinstance(element, ast.Starred) else element
                yield from (text for text in texts(inner, place, depth) if _says(text))
        case ast.GeneratorExp(elt=element) | ast.ListComp(elt=element):
            yield from (text for text in texts(element, place, depth) if _says(text))
        case ast.Name(id=name) if place.function is not None and depth > 0:
            for value in assigned(name, place.function):
                yield from _members(value, place, depth - 1)
            for added in _added(name, place.function):
                yield from texts(added, place, depth - 1)


def _definition(name: str, of: Module) -> tuple[Function, Module] | None:
    """The function of this name that a module defines, or imports from another one of el's."""
    for where in (of, _origin(name, of)):
        if where is not None and name in _functions(where):
            return _functions(where)[name], where
    return None


def _constant(name: str, of: Module) -> str | None:
    """The text that a module, or the one that it imports the name from, gives this name for good."""
    for where in (of, _origin(name, of)):
        if where is not None and name in _constants(where):
            return _constants(where)[name]
    return None


def _origin(name: str, of: Module) -> Module | None:
    return module(_imports(of)[name]) if name in _imports(of) else None


@cache
def _imports(of: Module) -> dict[str, str]:
    """Names that a module imports, with the modules that have them."""
    found = (node for node in nodes(of.tree) if isinstance(node, ast.ImportFrom) and node.module)
    return {each.name: node.module or "" for node in found for each in node.names}


@cache
def _constants(of: Module) -> dict[str, str]:
    return {
        node.targets[0].id: node.value.value
        for node in of.tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _given_back(function: Function, of: Module, depth: int) -> Iterator[str]:
    for node in nodes(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            yield from (text for text in texts(node.value, Place(of, function), depth) if _says(text) or not text)


def assigned(name: str, function: Function) -> Iterator[ast.expr]:
    """What a function gives this name."""
    for node in nodes(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                yield value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                yield value
            case ast.NamedExpr(target=ast.Name(id=target), value=value) if target == name:
                yield value
            case ast.For(target=ast.Name(id=target), iter=ast.Tuple(elts=values)) if target == name:
                yield from values
            case ast.For(target=ast.Tuple(elts=targets), iter=ast.Tuple(elts=rows)):
                for index, each in enumerate(targets):
                    if isinstance(each, ast.Name) and each.id == name:
                        yield from (row.elts[index] for row in rows if isinstance(row, ast.Tuple))


def _added(name: str, function: Function) -> Iterator[ast.expr]:
    for node in nodes(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="append"), args=[value]) if of == name:
                yield value
            case ast.AugAssign(target=ast.Name(id=of), value=ast.List(elts=values)) if of == name:
                yield from values


def _hole(node: ast.expr | None) -> str:
    """What stands for a value that only a run knows: the last names of its expression."""
    match node:
        case ast.Name(id=name):
            return f"‹{name.replace('_', ' ').strip()}›"
        case ast.Attribute(value=value, attr=attr):
            owner = _hole(value).strip("‹›") if isinstance(value, ast.Name) and value.id not in ("self", "cls") else ""
            word = attr.replace("_", " ").strip()
            return f"‹{owner} {word}›" if owner and word in ("name", "path", "place", "type") else f"‹{word}›"
        case ast.Call(func=ast.Attribute(value=ast.Constant()), args=[inner, *_]):
            return _hole(inner)
        case ast.Call(func=ast.Attribute(value=inner, attr="split" | "splitlines" | "strip" | "lower")):
            return _hole(inner)
        case ast.Call(args=[inner, *_]) | ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
            return _hole(inner)
        case ast.Call(func=inner) | ast.Subscript(value=inner) | ast.Starred(value=inner):
            return _hole(inner)
        case ast.JoinedStr() | ast.Constant():
            return "‹text›"
        case _:
            return "‹value›"
