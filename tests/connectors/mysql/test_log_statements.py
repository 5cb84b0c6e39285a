"""What statements do to a table that is followed in the binary log: told by the log of a real MariaDB."""

from __future__ import annotations

import pytest

from el.connectors.mysql.changes import LoggedChanges
from el.connectors.request import OP_READ, ReadRequest
from el.connectors.sql.select import Statement
from el.errors import PositionLost
from tests.connectors.mysql.conftest import MySqlShop, as_planned

FINE = {
    "an index": ["CREATE INDEX i ON {schema}.orders (v)", "ALTER TABLE {schema}.orders ADD INDEX j (v), DROP INDEX i"],
    "a column that is empty": ["ALTER TABLE {schema}.orders ADD COLUMN w INT"],
    "a column that goes": ["ALTER TABLE {schema}.orders ADD gone INT", "ALTER TABLE {schema}.orders DROP gone"],
    "a wider text": ["ALTER TABLE {schema}.orders MODIFY v VARCHAR(300)"],
    "a column in front": ["ALTER TABLE {schema}.orders ADD COLUMN w INT FIRST, MODIFY v VARCHAR(20) FIRST"],
    "another table": [
        "CREATE TABLE {schema}.orders_2 LIKE {schema}.orders",
        "TRUNCATE {schema}.orders_2",
        "RENAME TABLE {schema}.orders_2 TO {schema}.orders_3",
        "DROP TABLE {schema}.orders_3",
    ],
}


def orders(shop: MySqlShop) -> str:
    """A table of three rows, and where the log is."""
    shop.sql(
        "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v VARCHAR(20))",
        "INSERT INTO {schema}.orders VALUES (1, 'a'), (2, 'b'), (3, NULL)",
    )
    return shop.server.binary_log.now().text


@pytest.mark.parametrize("what", FINE)
def test_a_definition_that_changed_is_followed_where_no_row_did(shop: MySqlShop, what: str) -> None:
    since = orders(shop)
    shop.sql("INSERT INTO {schema}.orders (id, v) VALUES (4, 'before')", *FINE[what])
    shop.sql(
        "INSERT INTO {schema}.orders (id, v) VALUES (5, 'behind')", "UPDATE {schema}.orders SET v = 'c' WHERE id = 1"
    )
    found = shop.logged("orders", since).select(["id", "v", OP_READ]).to_pylist()
    assert [tuple(row.values()) for row in found] == [(4, "before", "U"), (5, "behind", "U"), (1, "c", "U")]


LOST = {
    "emptied": (["TRUNCATE {schema}.orders"], "TRUNCATE"),
    "renamed": (["RENAME TABLE {schema}.orders TO {schema}.o, {schema}.o TO {schema}.orders"], "RENAME"),
    "swapped": (
        [
            "CREATE TABLE {schema}.n LIKE {schema}.orders",
            "ALTER TABLE {schema}.orders RENAME {schema}.o",
            "ALTER TABLE {schema}.n RENAME TO {schema}.orders",
        ],
        "it was renamed",
    ),
    "made anew": (
        ["DROP TABLE {schema}.orders", "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v VARCHAR(20))"],
        "it was dropped",
    ),
    "replaced": (["CREATE OR REPLACE TABLE {schema}.orders (id INT PRIMARY KEY, v VARCHAR(20))"], "made anew"),
    "column anew": (
        ["ALTER TABLE {schema}.orders DROP v, ADD v VARCHAR(20) DEFAULT 'new'"],
        "column v was dropped",
    ),
    "columns swapped": (
        [
            "ALTER TABLE {schema}.orders CHANGE v w VARCHAR(20), ADD COLUMN v VARCHAR(20)",
            "ALTER TABLE {schema}.orders DROP v",
            "ALTER TABLE {schema}.orders RENAME COLUMN w TO v",
        ],
        "column v was dropped|column w became v",
    ),
    "a statement": (["SET SESSION binlog_format = STATEMENT", "UPDATE {schema}.orders SET v = 'x'"], "a statement"),
    "half a row": (
        ["SET SESSION binlog_row_image = MINIMAL", "UPDATE {schema}.orders SET v = 'x'"],
        "binlog_row_image",
    ),
    "an XA transaction": (
        ["XA START 'a'", "UPDATE {schema}.orders SET v = 'x'", "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'"],
        "an XA transaction",
    ),
    "without names": (
        [
            "SET GLOBAL binlog_row_metadata = NO_LOG",
            "UPDATE {schema}.orders SET v = 'x'",
            "SET GLOBAL binlog_row_metadata = FULL",
        ],
        "binlog_row_metadata",
    ),
}


@pytest.mark.parametrize("what", LOST)
def test_what_the_log_does_not_tell_row_by_row_stops_the_table(shop: MySqlShop, what: str) -> None:
    statements, said = LOST[what]
    since = orders(shop)
    with shop.another() as session:
        for statement in statements:
            session.execute(Statement(statement.replace("{schema}", shop.schema)))
    with pytest.raises(PositionLost, match=said) as lost:
        shop.logged("orders", since)
    assert f"--full-refresh --select {shop.schema}.orders" in str(lost.value)


def test_a_column_that_is_gone_when_it_is_read_is_not_taken_for_null(shop: MySqlShop) -> None:
    since = orders(shop)
    table = shop.server.describe([shop.schema]).tables[0]
    shop.sql("ALTER TABLE {schema}.orders DROP v", "INSERT INTO {schema}.orders VALUES (9)")
    changes = LoggedChanges(
        since, shop.server.binary_log.now().text, tuple((c.name, c.type) for c in table.columns), ("id",)
    )
    with pytest.raises(PositionLost, match="its column v was dropped"):
        shop.server.read_buffer(ReadRequest(table=table.name, columns=as_planned(table), changes=changes)).to_arrow()


def test_a_type_that_became_another_meanwhile_is_not_taken_for_it(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v INT UNSIGNED, w VARCHAR(20))")
    since = shop.server.binary_log.now().text
    shop.sql("INSERT INTO {schema}.orders VALUES (1, 4000000000, 'x')", "UPDATE {schema}.orders SET v = 1")
    shop.sql("ALTER TABLE {schema}.orders MODIFY v INT")
    with pytest.raises(PositionLost, match=r"'v' .*has another sign"):
        shop.logged("orders", since)
    since = shop.server.binary_log.now().text
    shop.sql("INSERT INTO {schema}.orders VALUES (2, 2, 'two')", "UPDATE {schema}.orders SET w = 2")
    shop.sql("ALTER TABLE {schema}.orders MODIFY w INT FIRST")
    with pytest.raises(PositionLost, match="'w' does not fit int32"):
        shop.logged("orders", since)


def test_a_partition_that_is_dropped_is_seen(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) "
        "(PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN MAXVALUE)",
    )
    since = shop.server.binary_log.now().text
    shop.sql(
        "INSERT INTO {schema}.orders VALUES (2, 2)",
        "ALTER TABLE {schema}.orders REORGANIZE PARTITION b INTO "
        "(PARTITION c VALUES LESS THAN (20), PARTITION d VALUES LESS THAN MAXVALUE)",
    )
    assert shop.logged("orders", since).num_rows == 1
    shop.sql("ALTER TABLE {schema}.orders DROP PARTITION a")
    with pytest.raises(PositionLost, match="a partition was dropped"):
        shop.logged("orders", since)
