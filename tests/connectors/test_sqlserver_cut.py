"""A line that is cut while rows come: whoever reads must learn of it, wherever it is cut."""

from __future__ import annotations

import pytest

from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver_config import SqlServerConfig
from el.errors import ElError
from tests.engines import connected, own_database, statement
from tests.standins.sqlserver.process import StandInProcess

FILL = "INSERT INTO dbo.numbered SELECT value, REPLICATE(N'x', 20) FROM GENERATE_SERIES(1, 5000)"


@pytest.mark.parametrize("reader", ["mssql-python", "pyodbc"])
@pytest.mark.parametrize("after", [64, 500, 4999])
def test_a_cut_between_two_rows_is_an_error_and_not_the_end(
    sqlserver_standin: StandInProcess, reader: str, after: int
) -> None:
    with own_database(sqlserver_standin.output()) as output:
        with connected(output) as server:
            server.execute(statement("CREATE TABLE dbo.numbered (id int NOT NULL, text nvarchar(30) NOT NULL)"))
            server.execute(statement(FILL))
        config = SqlServerConfig.model_validate({**output, "reader": reader})
        request = ReadRequest(TableName("dbo", "numbered"))
        with SqlServer(config) as server:
            assert server.read_buffer(request).to_arrow().num_rows == 5000
            sqlserver_standin.faults.cut_after_rows(after)
            with pytest.raises(ElError) as caught:
                server.read_buffer(request).to_arrow()
        assert caught.value.retryable
