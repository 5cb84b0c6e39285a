"""A table of many columns costs no more questions than one of few, neither the source nor the warehouse."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from el.connectors.duckdb import DuckDb
from el.connectors.sqlserver import SqlServer
from tests.tsql_shop import TsqlShop


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a connector was asked for something, each by its class."""
    found: Counter[str] = Counter()
    for connector in (DuckDb, SqlServer):
        for name in ("fetch", "execute", "stream"):
            method = getattr(connector, name)

            def counted(self: Any, *arguments: Any, _method: Any = method, **named: Any) -> Any:
                found[type(self).__name__] += 1
                return _method(self, *arguments, **named)

            monkeypatch.setattr(connector, name, counted)
    return found


def test_three_hundred_columns_of_text_cost_no_question_each(standin_shop: TsqlShop, asked: Counter[str]) -> None:
    shop = standin_shop.create('  - {name: "dbo.*", cursor: updated_at}')
    counts = []
    for columns in (9, 300):
        names = ", ".join(f"c{number} NVARCHAR(20)" for number in range(columns))
        table = f"dbo.wide{columns}"
        shop.sql(
            f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, updated_at DATETIME2(3) NOT NULL, {names})",
            f"INSERT INTO {table} (id, updated_at, c1, c8) VALUES (1, '2024-01-01', N'one', N'ä')",
        )
        asked.clear()
        assert shop.el("--select", table)[table]["rows"] == 1
        shop.sql(f"INSERT INTO {table} (id, updated_at, c1) VALUES (2, '2024-01-02', N'two')")
        shop.el("--select", table)
        counts.append(dict(asked))
    assert counts[0]["SqlServer"] == counts[1]["SqlServer"]
    # The second table is one more that the raw schema has.
    assert counts[1]["DuckDb"] <= counts[0]["DuckDb"] + 5
    assert shop.complete("wide300", "id, c1, c8, c299") == [(1, "one", "ä", None), (2, "two", None, None)]
