"""Small pieces of Markdown."""

from __future__ import annotations

import inspect


def row(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def paragraph(thing: object) -> str:
    """The first paragraph of what a class or a module says of itself."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
