"""The pages of the site that are made when it is built, so that none can be older than the code."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from site_pages.commands import commands
from site_pages.messages import troubleshooting
from site_pages.settings import connections, el_yml


def _readme(root: Path) -> str:
    """README.md as a page of docs/."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\]\((?!\w+:|#)([^)]+)\)", lambda found: f"]({posixpath.relpath(found[1], 'docs')})", text)


PAGES: Mapping[str, Callable[[Path], str]] = {
    "index.md": _readme,
    "el_yml.md": el_yml,
    "connections.md": connections,
    "commands.md": commands,
    "troubleshooting.md": troubleshooting,
}
"""Each page by its name, and what makes it out of the repository at a path."""


def made_pages(root: Path) -> dict[str, str]:
    """All of them, as Markdown."""
    return {name: make(root) for name, make in PAGES.items()}
