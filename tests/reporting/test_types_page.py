"""The page of types shows the rules of the types, and says of each type: exact, lossy on request, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.reporting import types_page

PAGE = Path(__file__).parents[2] / "docs" / "types.md"


def test_the_page_shows_the_rules_as_they_are() -> None:
    assert types_page.rendered(PAGE.read_text(encoding="utf-8")) == PAGE.read_text(encoding="utf-8"), (
        "docs/types.md is stale: python -m el.reporting.types_page"
    )


def test_a_stale_table_is_replaced_between_its_marks_and_nothing_else_is(tmp_path: Path) -> None:
    page = tmp_path / "types.md"
    page.write_text(f"before\n{types_page.BEGIN}\n| old |\n{types_page.END}\nafter\n", encoding="utf-8")
    assert types_page.main([str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{types_page.BEGIN}\n")
    assert text.endswith(f"{types_page.END}\nafter\n")
    assert "| old |" not in text
    assert "| datetime2(7) |" in text
    assert types_page.rendered(text) == text


def test_a_page_without_the_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "types.md").write_text("no table here\n")
    with pytest.raises(ValueError, match="types:begin"):
        types_page.main([str(tmp_path / "types.md")])
