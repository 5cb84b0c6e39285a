"""A text as it stands in a statement that a person pastes."""

from __future__ import annotations

import pytest

from el.connectors.sqlserver.dialect import TSQL


@pytest.mark.parametrize(("text", "written"), [("O'Neil", "'O''Neil'"), ("Łódź", "N'Łódź'"), ("Ł'", "N'Ł'''")])
def test_a_text_beyond_ascii_is_no_text_of_a_code_page(text: str, written: str) -> None:
    """Microsoft Learn, "Constants (Transact-SQL)": without N it is converted to the database's code page."""
    assert TSQL.text_literal(text) == written
