"""docs/adding_a_database.md shows what is: its Python stands in the guest's files, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.sources import SOURCES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding_a_database.md").read_text(encoding="utf-8")
GUEST = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests/guests/jsonlines").glob("el_*.py")))
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.strip().splitlines()[0][:40])
def test_a_snippet_stands_in_the_guests_files(snippet: str) -> None:
    assert snippet in GUEST


def test_the_page_has_snippets_and_the_files_that_it_names_are_there() -> None:
    assert len(SNIPPETS) >= 6
    named = re.findall(r"`((?:el|tests|docs)/[\w/]+\.\w+)`", PAGE)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert "jsonlines" in [str(facts) for facts in SOURCES]
