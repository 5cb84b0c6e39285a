"""What mkdocs asks while it builds the site: pages that are made, pages that no list names, links out of docs/."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# mkdocs loads a hook by its path: the modules beside it are found from the repository.
sys.path.insert(0, str(ROOT))

from site_pages.made import made_pages  # noqa: E402

# A picture in the text's own colour, which it has only as a part of the page.
_PICTURE = re.compile(r"!\[[^\]]*\]\((?P<target>[^)\s]+\.svg)\)")
# A test, whose name is the sentence that it holds.
_TEST = re.compile(r"\[`test_(?P<name>\w+)`\]\((?:\.\./)*(?P<path>[^)]*)\)")
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
MORE = "More"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages that no list names to the end of the navigation."""
    named = set(_leaves(config.nav))
    there = {path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md")}
    if rest := sorted(there - named):
        config.nav = [*(config.nav or []), {MORE: rest}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README.md as the first page, and what is made of the code."""
    for name, text in made_pages(ROOT).items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A link out of docs/ leads to the repository, where its address is known (`repo_url`); else its text stays."""
    folder = posixpath.dirname(page.file.src_uri)

    def drawn(found: re.Match[str]) -> str:
        picture = (Path(config.docs_dir) / folder / found["target"]).read_text(encoding="utf-8")
        # How it looks alone, in a page of which it is no part.
        return re.sub(r"<style>.*?</style>|\n", "", picture)

    def led(found: re.Match[str]) -> str:
        text, target = found["text"], found["target"]
        if "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        place, _, anchor = posixpath.normpath(posixpath.join("docs", folder, target)).partition("#")
        if place == "README.md":
            return f"[{text}]({posixpath.relpath('index.md', folder or '.')}{'#' + anchor if anchor else ''})"
        if place.startswith("docs/"):
            return found[0]
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{place})" if config.repo_url else text

    return _LINK.sub(led, _PICTURE.sub(drawn, _TEST.sub(_sentence, markdown)))


def _sentence(found: re.Match[str]) -> str:
    text, path = found["name"].replace("_", " ").replace("el yml", "el.yml"), found["path"]
    return f"[{text[:1].upper()}{text[1:]}](../{path}) <small>{path}</small>"


def _leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav or []
    return [leaf for part in parts for leaf in _leaves(part)]
