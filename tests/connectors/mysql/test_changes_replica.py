"""A second server with the same history: a position holds there, and its own log is looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from el.connectors.catalog import TableName
from el.connectors.mysql import MySql
from el.connectors.mysql.config import MySqlConfig
from el.connectors.request import OP_READ
from el.connectors.sql.select import Statement
from el.errors import PlanError
from tests.connectors.mysql.conftest import MySqlShop
from tests.servers.mariadb import mariadb


@pytest.fixture
def replica(shop: MySqlShop) -> Iterator[MySql]:
    """Of the shop's server, from here on."""
    where = shop.output
    options = ("--server-id=8", "--log-slave-updates=ON", "--binlog-ignore-db=away")
    with mariadb(*options) as output, MySql(MySqlConfig.model_validate(output)) as found:
        begin = shop.server.binary_log.now()
        for statement in (
            "RESET MASTER",
            f"SET GLOBAL gtid_slave_pos = '{begin}'",
            f"CHANGE MASTER TO master_host = '127.0.0.1', master_port = {where['port']}, master_user = "
            f"'{where['user']}', master_password = '{where['password']}', master_use_gtid = slave_pos",
            "START SLAVE",
        ):
            found.execute(Statement(statement))
        # The schema is older than the replica.
        found.execute(Statement(f"CREATE SCHEMA IF NOT EXISTS {shop.schema}"))
        yield found
        found.execute(Statement("STOP SLAVE"))


def caught_up(shop: MySqlShop, replica: MySql) -> None:
    wanted = shop.server.binary_log.now()
    for _ in range(200):
        if replica.binary_log.now().holds(wanted):
            return
        time.sleep(0.05)
    raise AssertionError(str(replica.fetch(Statement("SHOW SLAVE STATUS"))))


@pytest.mark.soak
def test_a_position_holds_on_the_server_that_takes_the_place_of_another(shop: MySqlShop, replica: MySql) -> None:
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY)", "INSERT INTO {schema}.orders VALUES (1)")
    since, identity = shop.server.binary_log.now(), shop.server.binary_log.identity()
    shop.sql("INSERT INTO {schema}.orders VALUES (2)")
    caught_up(shop, replica)
    replica.execute(Statement("STOP SLAVE"))
    replica.execute(Statement(f"DELETE FROM {shop.schema}.orders WHERE id = 1"))
    log = replica.binary_log
    assert log.why_another(identity) is None
    assert log.now().holds(since)
    log.look(since)
    first, shop.server = shop.server, replica
    found = shop.logged("orders", since.text).select(["id", OP_READ]).to_pylist()
    assert [tuple(row.values()) for row in found] == [(2, "U"), (1, "D")]
    shop.server = first

    replica.execute(Statement("CREATE SCHEMA away"))
    with pytest.raises(PlanError, match="leaves out its schema: binlog_ignore_db = away"):
        log.require(TableName("away", "orders"))


def test_a_replica_whose_log_lacks_what_it_replicates_is_refused(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY)", "SET GLOBAL gtid_slave_pos = '5-9-3'")
    try:
        with shop.another() as session, pytest.raises(PlanError, match="`log_slave_updates = ON`"):
            session.binary_log.require(TableName(shop.schema, "orders"))
    finally:
        shop.sql("SET GLOBAL gtid_slave_pos = ''")
    with shop.another() as session:
        session.binary_log.require(TableName(shop.schema, "orders"))
