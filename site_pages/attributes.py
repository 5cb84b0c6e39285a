"""What a class says of its fields: the text under each, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path


@cache
def _module(path: str) -> ast.Module:
    return ast.parse(Path(path).read_text(encoding="utf-8"))


@cache
def told(cls: type) -> dict[str, str]:
    """Each field of `cls` by its name, with the text under it, here or in a class above."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.startswith("el."):
            found |= _own(each)
    return found


def _own(cls: type) -> dict[str, str]:
    (node,) = (
        node
        for node in ast.walk(_module(inspect.getfile(cls)))
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
