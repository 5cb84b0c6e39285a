"""A value that is compared with text in a code page is text of that code page."""

from __future__ import annotations

import pytest

from tests.tsql_shop import TsqlShop


@pytest.mark.parametrize("type_", ["VARCHAR(10)", "CHAR(10)", "NVARCHAR(10)"])
def test_a_filter_by_a_letter_beyond_the_databases_code_page_takes_its_rows(tsql_shop: TsqlShop, type_: str) -> None:
    tsql_shop.create(
        '  - {name: dbo.t, filters: [{column: c, op: "=", value: Ж}], columns: {c: {exclude: true}}}',
        f"CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, c {type_} COLLATE Cyrillic_General_CI_AS NOT NULL)",
        "INSERT INTO dbo.t VALUES (1, N'Ж'), (2, N'?'), (3, N'Z')",
    )
    assert tsql_shop.el()["dbo.t"]["rows"] == 1
    assert tsql_shop.complete("t", "id") == [(1,)]
