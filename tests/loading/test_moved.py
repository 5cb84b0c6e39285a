"""A row that moves while a snapshot is read under locking READ COMMITTED is missed by the scan, or comes twice: it is
neither gone nor doubled for that.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from el.connectors.buffer import Buffer
from el.connectors.request import ReadRequest
from el.connectors.sqlserver import SqlServer
from tests.tsql_shop import TsqlShop

Scan = Callable[[pa.Table], pa.Table]


@pytest.fixture
def shop(standin_shop: TsqlShop) -> TsqlShop:
    return standin_shop.create(
        "  - {name: dbo.t}",
        "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(10) NULL)",
        "INSERT INTO dbo.t VALUES (1, N'a'), (2, N'b'), (3, N'c'), (4, N'd')",
    )


def without_third(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(0, 2), rows.slice(3)])


def with_second_again(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows, rows.slice(1, 1)])


def scans(monkeypatch: pytest.MonkeyPatch, *faults: Scan) -> list[int]:
    """The next scans of whole rows go wrong like this; how many columns each read has that follows."""
    real, left, seen = SqlServer.read_buffer, list(faults), list[int]()

    def read_buffer(source: SqlServer, request: ReadRequest) -> Buffer:
        seen.append(len(request.columns))
        if len(request.columns) < 2 or not left:
            return real(source, request)
        with real(source, request) as buffer:
            found = left.pop(0)(buffer.to_arrow())
        return Buffer(found.schema, iter(found.to_batches()))

    monkeypatch.setattr(SqlServer, "read_buffer", read_buffer)
    return seen


def ids(shop: TsqlShop) -> list[int]:
    return [row[0] for row in shop.state("t", "id", "id")]


def test_a_row_that_a_scan_missed_is_not_deleted(shop: TsqlShop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.el()
    shop.sql("UPDATE dbo.t SET v = N'new' WHERE id = 1")
    scans(monkeypatch, without_third)
    report = shop.el()["dbo.t"]
    assert (report["status"], report["rows"]) == ("loaded", 4)
    assert ids(shop) == [1, 2, 3, 4]
    assert "a key that raw has and the snapshot lacks is looked for again" in " ".join(report["notes"])


def test_a_table_of_which_each_scan_misses_rows_fails_unless_that_is_accepted(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.el()
    shop.sql("UPDATE dbo.t SET v = N'new' WHERE id = 1")
    scans(monkeypatch, *[without_third] * 4)
    assert "3 scans each lacked rows" in shop.el(code=1)["dbo.t"]["error"]
    assert ids(shop) == [1, 2, 3, 4]
    shop.tables("  - {name: dbo.t, accept: [read_committed]}")
    shop.el()
    assert ids(shop) == [1, 2, 4]


def test_a_row_that_was_deleted_is_gone_after_a_second_look_at_the_keys(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.el()
    shop.sql("DELETE FROM dbo.t WHERE id = 3")
    seen = scans(monkeypatch)
    assert shop.el()["dbo.t"]["status"] == "loaded"
    assert seen == [2, 1]
    assert ids(shop) == [1, 2, 4]
    shop.el()
    assert seen == [2, 1, 2], "what raw holds already is not looked at twice"


def test_a_row_that_came_twice_is_loaded_once(shop: TsqlShop, monkeypatch: pytest.MonkeyPatch) -> None:
    scans(monkeypatch, with_second_again)
    assert shop.el()["dbo.t"]["rows"] == 4
    assert sorted(shop.complete("t", "id")) == [(1,), (2,), (3,), (4,)]


@pytest.mark.parametrize("option", ["ALLOW_SNAPSHOT_ISOLATION", "READ_COMMITTED_SNAPSHOT"])
def test_where_there_are_row_versions_nothing_is_looked_at_twice(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    shop.sql(f"ALTER DATABASE CURRENT SET {option} ON")
    shop.el()
    shop.sql("DELETE FROM dbo.t WHERE id = 3")
    seen = scans(monkeypatch)
    shop.el()
    assert seen == [2]
    assert ids(shop) == [1, 2, 4]
