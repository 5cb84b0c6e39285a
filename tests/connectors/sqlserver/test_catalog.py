"""What the catalog says when the server fails in the middle of it: an error, and never a table that lacks something."""

from __future__ import annotations

from typing import Any

import pytest

from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver.indexes import keys_of_tables
from el.errors import ElError, ReadError
from tests.engines import connected, own_database, statement
from tests.standins.sqlserver.process import StandInProcess


def test_a_deadlock_at_any_statement_of_the_catalog_is_raised_and_hides_nothing(
    sqlserver_standin: StandInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    fetch = SqlServer.fetch
    monkeypatch.setattr(SqlServer, "fetch", lambda server, sql: asked.append(sql) or fetch(server, sql))
    with own_database(sqlserver_standin.output()) as output, connected(output) as server:
        for sql in (
            "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v INT NULL)",
            "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)",
            "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
        ):
            server.execute(statement(sql))
        for look in (server.describe, server.pressure, lambda: server.query_columns("SELECT id FROM dbo.t")):
            asked.clear()
            look()
            for sql in list(asked):
                sqlserver_standin.faults.fail_statement(like=sql.sql.partition("?")[0])
                with pytest.raises(ElError) as caught:
                    look()
                assert caught.value.retryable, sql.sql
                sqlserver_standin.faults.clear()


# Of one table: its primary key, and an index with a filter, a disabled one, one that tuning left behind.
INDEXES = {1: (1, 0, 0, 0), 2: (0, 1, 0, 0), 3: (0, 0, 1, 0), 4: (0, 0, 0, 1)}


@pytest.mark.parametrize(
    ("lacks", "keys"), [("no column", [1]), ("is_hypothetical", [1, 3, 4]), ("has_filter", [1, 2, 3, 4])]
)
def test_an_index_that_does_not_hold_for_every_row_is_no_key(lacks: str, keys: list[int]) -> None:
    def fetch(asked: Statement) -> list[tuple[Any, ...]]:
        if lacks in asked.sql:
            raise ReadError(f"there is no column {lacks}")
        if "sys.index_columns" in asked.sql:
            return [(7, number, 1, 5) for number in INDEXES]
        shown = [name.strip() != "0" for name in asked.sql.partition("is_unique,")[2].partition("FROM")[0].split(",")]
        return [
            (7, number, f"i{number}", primary, 1, *(flag * there for flag, there in zip(flags, shown, strict=True)))
            for number, (primary, *flags) in INDEXES.items()
        ]

    found = keys_of_tables(fetch, lambda what, sql: fetch(Statement(sql)))
    assert [int(name.removeprefix("i")) for name, *_ in found[7]] == keys
