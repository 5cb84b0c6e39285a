"""Which server answers is looked at once a connection: what is not read, or is another one, is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from el.connectors.sql.select import Statement
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.facts import TABLE_FACTS, fullest
from el.errors import ConnectError, ReadError
from tests.engines import connected
from tests.standins.sqlserver.process import StandInProcess


def refused(output: dict[str, Any]) -> str:
    with pytest.raises(ConnectError) as caught, connected(output):
        pass
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"EngineEdition": 6}, "Azure Synapse"),
        ({"EngineEdition": 11}, "Fabric warehouse"),
        ({"ProductVersion": "12.0.6024.0"}, "el needs 2016 (13) or later"),
    ],
)
def test_a_server_that_cannot_be_read_exactly_is_refused_at_connect(
    sqlserver_standin: StandInProcess, told: dict[str, Any], says: str
) -> None:
    for name, value in told.items():
        sqlserver_standin.faults.tell(name, value)
    assert says in refused(sqlserver_standin.output())


def test_azure_sql_database_says_version_12_and_is_read(sqlserver_standin: StandInProcess) -> None:
    sqlserver_standin.faults.tell("EngineEdition", 5)
    sqlserver_standin.faults.tell("ProductVersion", "12.0.2000.8")
    with connected(sqlserver_standin.output()) as server:
        assert server.server.major_version is None
        assert server.server.granular_unmask


def test_another_instance_than_was_asked_for_is_refused(sqlserver_standin: StandInProcess) -> None:
    output = sqlserver_standin.output()
    asked = {**output, "host": f"{output['host']}\\SALES"}
    assert "instance SALES was asked for, and the default instance answers" in refused(asked)
    sqlserver_standin.faults.tell("InstanceName", "TEST")
    assert "and TEST answers" in refused(asked)
    sqlserver_standin.faults.tell("InstanceName", "sales")
    with connected(asked) as server:
        assert server.server.instance == "sales"


@pytest.mark.parametrize(
    ("where", "server"),
    [
        ({"host": "db01"}, "db01,1433"),
        ({"host": "db01\\SALES"}, "db01\\SALES"),
        ({"host": "db01\\SALES", "port": 1444}, "db01\\SALES,1444"),
        ({"host": "db01,1444"}, "db01,1444"),
    ],
)
def test_a_named_instance_gets_no_port_unless_one_is_given(where: dict[str, Any], server: str) -> None:
    config = SqlServerConfig.model_validate({"type": "sqlserver", "user": "el", "password": "x", **where})
    assert config.keywords()["Server"] == server
    assert config.place == server.replace(",", ":") or "," in str(where["host"])


@pytest.mark.parametrize(("lacks", "asked"), [("", 0), ("ledger_type", 1), ("is_node", 2), ("temporal_type", 3)])
def test_an_older_server_is_asked_for_what_it_knows(lacks: str, asked: int) -> None:
    def fetch(statement: Statement) -> list[tuple[Any, ...]]:
        if lacks and lacks in statement.sql:
            raise ReadError(f"there is no column {lacks}")
        return [(statement.sql,)]

    assert fullest(fetch, "{more}", TABLE_FACTS) == [(TABLE_FACTS[asked],)]
