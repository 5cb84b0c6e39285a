"""A line that is cut while rows come: whoever reads must learn of it, wherever it is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pytest

from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.driver import Driver
from el.errors import ElError
from tests.engines import connected, own_database, statement
from tests.standins.sqlserver.process import StandInProcess
from tests.tsql_shop import TsqlShop

TABLE = "CREATE TABLE dbo.numbered (id int NOT NULL PRIMARY KEY, text nvarchar(30) NOT NULL)"
FILL = "INSERT INTO dbo.numbered SELECT value, REPLICATE(N'x', 20) FROM GENERATE_SERIES(1, 5000)"


@pytest.mark.parametrize("reader", ["mssql-python", "pyodbc"])
@pytest.mark.parametrize("after", [64, 500, 4999])
def test_a_cut_between_two_rows_is_an_error_and_not_the_end(
    sqlserver_standin: StandInProcess, reader: str, after: int
) -> None:
    with own_database(sqlserver_standin.output()) as output:
        with connected(output) as server:
            server.execute(statement(TABLE))
            server.execute(statement(FILL))
        config = SqlServerConfig.model_validate({**output, "reader": reader})
        request = ReadRequest(TableName("dbo", "numbered"))
        with SqlServer(config) as server:
            assert server.read_buffer(request).to_arrow().num_rows == 5000
            sqlserver_standin.faults.cut_after_rows(after)
            with pytest.raises(ElError) as caught:
                server.read_buffer(request).to_arrow()
        assert caught.value.retryable


def lose(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """So many times, the driver takes the end of the second batch for the end of all, and the connection lives on."""
    whole, left = Driver._whole, [True] * times

    def two_batches(driver: Driver, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found = list(batches)
        return whole(driver, found[:2] if len(found) > 2 and left and left.pop() else found)

    monkeypatch.setattr(Driver, "_whole", two_batches)


@pytest.mark.parametrize("cursor", ["", ", cursor: id"], ids=["full", "cursor"])
def test_rows_that_the_driver_lost_are_read_again_and_landed_once(
    standin_shop: TsqlShop, monkeypatch: pytest.MonkeyPatch, cursor: str
) -> None:
    shop = standin_shop.create(
        f"  - {{name: dbo.numbered{cursor}}}", TABLE, FILL, defaults="{workers: 2, retries: 2, batch_rows: 1000}"
    )
    lose(monkeypatch, times=1)
    assert shop.el()["dbo.numbered"]["rows"] == 5000
    assert shop.complete("numbered", "id") == [(number,) for number in range(1, 5001)]
    assert shop.ledger("row_count", "numbered") == [(5000,)]
    assert not list(shop.path.rglob("*.parquet")), "nor is a file of the first attempt left"


def test_rows_that_the_driver_lost_are_one_line_where_nothing_is_tried_again(
    standin_shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = "{workers: 2, retries: 0, batch_rows: 1000}"
    shop = standin_shop.create("  - {name: dbo.numbered}", TABLE, FILL, defaults=defaults)
    lose(monkeypatch, times=1)
    report = shop.el(code=1)["dbo.numbered"]
    assert report["error"] == "database error: the server sent 5000 rows and 2000 arrived"
    assert shop.el()["dbo.numbered"]["rows"] == 5000
    assert shop.complete_counts("numbered") == (5000, 5000), "and nothing of the failed run is there"
