"""Two writers that begin at once: the row that both want is made by one of them."""

from __future__ import annotations

from typing import Any

import pytest

from el.connectors.catalog import TableName
from el.connectors.duckdb import DuckDb
from el.connectors.sql import write_ledger
from el.connectors.sql.select import Statement
from el.connectors.sql.write_ledger import LOCK, WriteLedger
from el.errors import WriteError


class InTheWay:
    """A session to which another's row is in the way, which it sees when it has looked so many times."""

    dialect = DuckDb.dialect

    def __init__(self, seen_after: int) -> None:
        self.left = seen_after

    def execute(self, statement: Statement) -> int:
        raise WriteError("Duplicate key")

    def fetch(self, statement: Statement) -> list[tuple[Any, ...]]:
        self.left -= 1
        return [(LOCK,)] if self.left < 0 else []


def make(session: Any) -> None:
    WriteLedger(session, TableName("main", "scores"), "_el_writes", "").make("", lambda: True)


def test_a_writer_waits_for_the_row_of_another_whose_commit_is_under_way() -> None:
    make(InTheWay(seen_after=4))


def test_a_row_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_ledger, "APPEARS_SECONDS", 0.05)
    with pytest.raises(WriteError, match="Duplicate key"):
        make(InTheWay(seen_after=10_000))
