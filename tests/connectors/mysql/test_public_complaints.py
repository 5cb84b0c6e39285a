"""What users of other tools reported of MySQL in public: here each arrives right, or is refused by name."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from el.connectors.mysql import MySql
from tests.connectors.mysql.conftest import MySqlShop

# Where it was reported -> declared, the literal, what stands in raw.
VALUES: dict[str, tuple[str, str, Any]] = {
    # A number beyond 2^63 became negative; elsewhere NULL.
    "cockroachdb/replicator#1082": ("BIGINT UNSIGNED", "9823372057939841974", 9823372057939841974),
    "risingwavelabs/risingwave#23244": ("BIGINT UNSIGNED", "18446744073709551615", 18446744073709551615),
    "datazip-inc/olake#846": ("INT UNSIGNED", "4294967295", 4294967295),
    # What is no 0 and no 1 became true.
    "keeps/dbptk-developer#323": ("TINYINT(1)", "2", 2),
    "airbytehq/airbyte#18956": ("TINYINT(1) UNSIGNED", "200", 200),
    # More than a day was no time; the sign of less than an hour was lost; hours were counted modulo 256.
    "airbytehq/airbyte#3931": ("TIME", "'25:00:00'", "25:00:00"),
    "PyMySQL/PyMySQL#255": ("TIME", "'-00:30:00'", "-00:30:00"),
    "blackbeam/rust_mysql_common#169": ("TIME", "'-507:48:27'", "-507:48:27"),
    "osheroff/mysql-binlog-connector-java#154": ("TIME", "'-00:00:01'", "-00:00:01"),
    # Year 0 became 2048, or 1900.
    "dolthub/dolt#4742": ("YEAR", "0", 0),
    "julien-duponchelle/python-mysql-replication#400": ("BINARY(4)", "X'01020000'", b"\x01\x02\x00\x00"),
    # 128 instead of 2^63 - 1; and the first bit alone.
    "speedment/speedment#365": ("BIT(64)", f"b'0{'1' * 63}'", 2**63 - 1),
    "artie-labs/reader#493": ("BIT(12)", "b'101000000001'", 0b101000000001),
    "the4thdoctor/pg_chameleon#157": ("VARCHAR(9) CHARACTER SET utf8mb4", "'😥'", "😥"),
    # A value that is no label became the last label.
    "julien-duponchelle/python-mysql-replication#267": ("ENUM('a','b','c')", "0", ""),
    "ThingEngineer/PHP-MySQLi-Database-Class#751": (
        "FLOAT(10,2)",
        "12605.04",
        struct.unpack("f", struct.pack("f", 12605.04))[0],
    ),
    # Read by the server's zone, which is another one here, and taken for UTC.
    "PeerDB-io/peerdb#3490": ("TIMESTAMP", "'2025-09-16 10:00:00'", datetime(2025, 9, 16, 10, tzinfo=UTC)),
}
# A day of the year 0 became one of 1900.
YEAR_ZERO = "sidorares/node-mysql2#857"


def test_a_value_arrives_that_elsewhere_became_another_one(shop: MySqlShop) -> None:
    """The reports stand beside each value."""
    columns = {f"c{number}": each for number, each in enumerate(VALUES.values())}
    listed = ", ".join(f"{name} {declared} NULL" for name, (declared, _, _) in columns.items())
    literals = ", ".join(literal for _, literal, _ in columns.values())
    shop.sql(
        f"CREATE TABLE {{schema}}.t (id INT PRIMARY KEY, zero DATE, {listed})",
        f"INSERT IGNORE INTO {{schema}}.t VALUES (1, '0000-01-01', {literals})",
    )
    shop.run("t")
    (found,) = shop.raw(f"SELECT {', '.join(columns)} FROM {{raw}}.t")
    wrong = {
        report: value for (report, (_, _, wanted)), value in zip(VALUES.items(), found, strict=True) if value != wanted
    }
    assert wrong == {}
    assert shop.raw("SELECT CAST(zero AS VARCHAR) FROM {raw}.t") == [("0001-01-01 (BC)",)], YEAR_ZERO


def ids(shop: MySqlShop) -> list[int]:
    return [row[0] for row in shop.raw("SELECT DISTINCT id FROM {raw}.t ORDER BY id")]


def test_rows_within_the_second_of_the_bound_are_loaded(shop: MySqlShop) -> None:
    """airbytehq/airbyte#76309: the bound of a DATETIME(6) was bound without its microseconds, and no row was found."""
    entry = "t, strategy: cursor, cursor: at"
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, at DATETIME(6))",
        "INSERT INTO {schema}.t VALUES (1, '2024-04-14 16:10:47.148758')",
    )
    shop.run(entry)
    shop.sql("INSERT INTO {schema}.t VALUES (2, '2024-04-14 16:10:47.148759')")
    shop.run(entry)
    assert ids(shop) == [1, 2]


def test_a_row_that_is_committed_late_at_the_greatest_value_is_loaded(shop: MySqlShop) -> None:
    """airbytehq/airbyte#85918: a row at MAX(updated_at) that was committed after it was asked for was never loaded."""
    entry = "t, strategy: cursor, cursor: at"
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, at TIMESTAMP)",
        "INSERT INTO {schema}.t VALUES (1, '2024-04-14 16:10:47')",
    )
    shop.run(entry)
    shop.sql("INSERT INTO {schema}.t VALUES (2, '2024-04-14 16:10:47')")
    shop.run(entry)
    assert ids(shop) == [1, 2]


def test_a_table_is_divided_by_numbers_beyond_the_signed_ones(shop: MySqlShop) -> None:
    """apache/flink-cdc#4117: chunks of a BIGINT UNSIGNED key came to no end."""
    numbers = (0, 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)
    shop.sql(
        "CREATE TABLE {schema}.t (id BIGINT UNSIGNED PRIMARY KEY)",
        f"INSERT INTO {{schema}}.t VALUES {', '.join(f'({number})' for number in numbers)}",
    )
    shop.run("t, partition_by: id, partitions: 4")
    assert [int(number) for number in ids(shop)] == list(numbers)


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("VARCHAR(9) COLLATE utf8mb4_general_ci", ["a", "B", "b", "ZZ", "é", "e", "E", "z ", "ß"]),
        ("CHAR(9) CHARACTER SET latin1 COLLATE latin1_german2_ci", ["a", "B", "ZZ", "é", "ß", "ss", "z"]),
        ("VARBINARY(9)", ["a", "B", "b", "ZZ", "z "]),
        ("UUID", [f"{n}0000000-0000-1000-8000-{9 - n}00000000000" for n in range(9)]),
    ],
    ids=["text", "code-page", "bytes", "uuid"],
)
def test_a_table_that_is_divided_by_text_loses_no_row_to_an_order_of_this_side(
    shop: MySqlShop, monkeypatch: pytest.MonkeyPatch, declared: str, values: list[str]
) -> None:
    """apache/flink-cdc#2964, #4413: chunks of a key without case were bounded by an order with case, and lost rows."""
    shop.sql(f"CREATE TABLE {{schema}}.t (id INT AUTO_INCREMENT PRIMARY KEY, k {declared})")
    shop.sql(*(f"INSERT INTO {{schema}}.t (k) VALUES ('{value}')" for value in values))
    shop.sql("INSERT INTO {schema}.t (k) VALUES (NULL)")
    cuts = [f"0x{value.encode().hex().upper()}" if "BINARY" in declared else value for value in sorted(values)]
    assert shop.run("t, partition_by: k, partitions: 4")["tables"][0]["rows"] == len(values) + 1
    assert shop.raw("SELECT max(partitions) FROM {raw}._el_ledger") == [(1,)], "nothing tells of texts where to cut"
    monkeypatch.setattr(MySql, "_cuts", lambda *_: cuts)
    shop.run("t, partition_by: k, partitions: 9, skip_unchanged: false", command="run --full-refresh")
    last = (
        "SELECT count(*), count(DISTINCT id) FROM {raw}.t WHERE _dlt_load_id = (SELECT max(_dlt_load_id) FROM {raw}.t)"
    )
    assert shop.raw(last) == [(len(values) + 1, len(values) + 1)]
    assert shop.raw("SELECT max(partitions) > 4 FROM {raw}._el_ledger") == [(True,)]
