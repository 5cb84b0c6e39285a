"""What the catalog says when the server fails in the middle of it: an error, and never a table that lacks something."""

from __future__ import annotations

from typing import Any

import pytest

from el.connectors.sqlserver import SqlServer
from el.errors import ElError
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
