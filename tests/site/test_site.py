"""The documentation's site is built without a warning, and none of its pages asks another server for anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from site_pages import hook

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does; in this process, which has read the code for other tests already."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder)))
    return folder


def test_each_page_of_docs_is_a_page_of_the_site(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {*pages, "index"} <= {path.stem for path in site.glob("*.html")}


class _Fetched(HTMLParser):
    """What a browser fetches by itself to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name == "src" or (name == "href" and tag in ("link", "image", "use"))):
                self.found.append(value)


def test_no_page_fetches_anything_from_another_server(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = _Fetched()
        page.feed(path.read_text(encoding="utf-8"))
        assert page.found
        assert not [place for place in page.found if re.match(r"(\w+:)?//", place)], path
        # The theme fetches a renderer of diagrams from another server for these alone.
        assert 'class="mermaid"' not in path.read_text(encoding="utf-8"), path
    for path in (ROOT / "docs").rglob("*.css"):
        assert "@import" not in path.read_text(encoding="utf-8")


def test_no_link_of_a_page_leads_out_of_the_site_by_a_path(site: Path) -> None:
    for path in site.rglob("*.html"):
        for target in re.findall(r'<a [^>]*href="([^"]+)"', path.read_text(encoding="utf-8")):
            if not re.match(r"\w+:", target) and not target.startswith("#") and path.name != "404.html":
                place = (path.parent / target.partition("#")[0]).resolve()
                assert place.exists(), f"{path.name}: {target}"


def test_a_page_that_no_list_names_stands_at_the_end() -> None:
    config = load_config(str(ROOT / "mkdocs.yml"))
    config.nav = ["index.md", {"How to": ["dumps.md"]}]
    ((name, rest),) = hook.on_config(config).nav[-1].items()
    assert name == hook.MORE
    assert "mysql.md" in rest
    assert "dumps.md" not in rest


@pytest.mark.parametrize(
    ("repository", "written", "shown"),
    [
        (None, "[DECISIONS.md](../DECISIONS.md)", "DECISIONS.md"),
        ("https://example.com/el", "[why](../DECISIONS.md)", "[why](https://example.com/el/blob/main/DECISIONS.md)"),
        (None, "[rests on](../README.md#what-these-claims-rest-on)", "[rests on](index.md#what-these-claims-rest-on)"),
        (None, "[rights](rights.md#mysql)", "[rights](rights.md#mysql)"),
        (None, "[`test_it_holds`](../tests/a/test_it.py)", "It holds <small>tests/a/test_it.py</small>"),
    ],
)
def test_a_link_out_of_docs_leads_to_the_repository_or_is_its_text(
    repository: str | None, written: str, shown: str
) -> None:
    config = load_config(str(ROOT / "mkdocs.yml"))
    config.repo_url = repository
    file = File("pii.md", str(ROOT / "docs"), str(ROOT / "build"), use_directory_urls=False)
    page = Page(None, file, config)
    assert hook.on_page_markdown(written, page, config, Files([file])) == shown
