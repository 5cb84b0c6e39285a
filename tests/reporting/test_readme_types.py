"""README's table of types is the type table itself, and says for each type: exact, lossy on request, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.reporting import readme_types as readme

README = Path(__file__).parents[2] / "README.md"


def test_readme_shows_the_type_table_as_it_is() -> None:
    assert readme.rendered(README.read_text(encoding="utf-8")) == README.read_text(encoding="utf-8"), (
        "README's table of types is stale: python -m el.reporting.readme_types"
    )


def test_a_stale_table_is_replaced_between_its_marks_and_nothing_else_is(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{readme.BEGIN}\n| old |\n{readme.END}\nafter\n", encoding="utf-8")
    assert readme.main([str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{readme.BEGIN}\n")
    assert text.endswith(f"{readme.END}\nafter\n")
    assert "| old |" not in text
    assert "| datetime2(7) |" in text
    assert readme.rendered(text) == text


def test_a_page_without_the_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no table here\n")
    with pytest.raises(ValueError, match="types:begin"):
        readme.main([str(tmp_path / "README.md")])
