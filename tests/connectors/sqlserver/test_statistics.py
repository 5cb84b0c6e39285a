"""Parts of a table of SQL Server: by the histogram of its statistics, where the server shows one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest, Split
from el.connectors.sqlserver import SqlServer
from tests.tsql_shop import TsqlShop

REQUEST = ReadRequest(table=TableName("dbo", "t"))
PADDED = "RIGHT('000000000' + CAST({n} AS VARCHAR(10)), 10)"
SKEWED = (
    # Nine of ten rows in one hundredth of the range.
    "INSERT INTO dbo.t SELECT {made} FROM GENERATE_SERIES(500001, 501800)",
    "INSERT INTO dbo.t SELECT {thousand} FROM GENERATE_SERIES(1, 200)",
)


def skewed(shop: TsqlShop, declared: str, value: str, key: str = "PRIMARY KEY") -> None:
    shop.sql(
        f"CREATE TABLE dbo.t (k {declared} NOT NULL {key})",
        SKEWED[0].format(made=value.format(n="value")),
        SKEWED[1].format(thousand=value.format(n="(value * 5000)")),
    )


def splits_of(server: SqlServer, wanted: int) -> tuple[Split, ...]:
    table = server.describe(["dbo"]).table(TableName("dbo", "t"))
    assert table is not None
    return server.splits(REQUEST, wanted, table.columns[0])


def sizes(server: SqlServer, wanted: int = 5) -> list[int]:
    parts = splits_of(server, wanted)
    return [server.read_buffer(replace(REQUEST, split=part)).to_arrow().num_rows for part in parts]


KEYS = {
    "BIGINT": "{n}",
    "DECIMAL(18,4)": "CAST({n} AS DECIMAL(18,4)) / 100",
    "MONEY": "CAST({n} AS MONEY)",
    "DATETIME2(7)": "DATEADD(SECOND, {n}, CAST('2000-01-01' AS DATETIME2(7)))",
    "DATETIME": "DATEADD(SECOND, {n}, CAST('2000-01-01' AS DATETIME))",
    "DATETIMEOFFSET(3)": "CAST(DATEADD(SECOND, {n}, CAST('2000-01-01' AS DATETIME2(3))) AS DATETIMEOFFSET(3))",
    "UNIQUEIDENTIFIER": "CAST(CAST({n} AS BINARY(4)) + CAST(0x AS BINARY(12)) AS UNIQUEIDENTIFIER)",
    "BINARY(4)": "CAST({n} AS BINARY(4))",
    "VARCHAR(20)": PADDED,
    "NVARCHAR(20) COLLATE Latin1_General_CI_AS": PADDED,
    "CHAR(12)": PADDED,
}


def test_parts_of_any_key_type_have_each_row_once_and_are_of_like_size(standin_shop: TsqlShop) -> None:
    standin_shop.create("  - {name: dbo.t}")
    for declared, value in KEYS.items():
        skewed(standin_shop, declared, value)
        with standin_shop.server() as server:
            found = sizes(server)
        assert (len(found), sum(found)) == (5, 2_000), declared
        assert all(200 < size < 800 for size in found), (declared, found)
        standin_shop.sql("DROP TABLE dbo.t")


def test_a_key_of_no_gap_is_a_step_and_its_parts_are_worked_out_in_it(standin_shop: TsqlShop) -> None:
    standin_shop.create(
        "  - {name: dbo.t}",
        "CREATE TABLE dbo.t (k INT NOT NULL PRIMARY KEY)",
        "INSERT INTO dbo.t SELECT value FROM GENERATE_SERIES(1, 1000)",
    )
    steps = standin_shop.rows("SELECT range_rows FROM sys.dm_db_stats_histogram(OBJECT_ID('dbo.t'), 1)")
    assert steps == [(0,), (998,)]
    with standin_shop.server() as server:
        assert sizes(server, 4) == [250, 250, 250, 250]


def test_letters_of_any_case_stand_on_one_side_of_a_cut(standin_shop: TsqlShop) -> None:
    """By a collation that ignores case, 'b' and 'B' are one value, though the client sees two."""
    standin_shop.create(
        "  - {name: dbo.t}",
        "CREATE TABLE dbo.t (k NVARCHAR(9) COLLATE Latin1_General_CI_AS NULL)",
        "CREATE CLUSTERED INDEX k ON dbo.t (k)",
        *(f"INSERT INTO dbo.t VALUES (N'{k}')" for k in ("a", "A", "b", "B ", "b", "C", "c", "d", "Straße", "z")),
        "INSERT INTO dbo.t VALUES (NULL)",
    )
    with standin_shop.server() as server:
        parts = splits_of(server, 4)
        values = [server.read_buffer(replace(REQUEST, split=p)).to_arrow().column("k").to_pylist() for p in parts]
    assert len(values) >= 3
    flat = [value for part in values for value in part]
    assert sorted(map(str, flat)) == sorted(["None", "a", "A", "b", "B ", "b", "C", "c", "d", "Straße", "z"])
    folded = [{str(value).strip().lower() for value in part} for part in values]
    assert sum(map(len, folded)) == len(set().union(*folded))


@pytest.mark.parametrize("shown", [True, False])
def test_a_server_that_has_no_histogram_to_show_gives_ranges_of_equal_width(
    standin_shop: TsqlShop, shown: bool
) -> None:
    """A server before 2016 SP1 CU2, another engine; or a column without statistics."""
    standin_shop.create("  - {name: dbo.t}")
    skewed(standin_shop, "INT", "{n}", key="PRIMARY KEY" if not shown else "")
    with standin_shop.server() as server:
        fetch = server.fetch
        if not shown:
            server.fetch = lambda statement: fetch(  # type: ignore[method-assign]
                replace(statement, sql=statement.sql.replace("dm_db_stats_histogram", "dm_db_stats_unknown"))
            )
        found = sizes(server)
    assert sum(found) == 2_000
    assert max(found) > 1_800


def test_rows_lie_in_the_order_of_the_clustered_index_alone(standin_shop: TsqlShop) -> None:
    standin_shop.create(
        '  - {name: "dbo.*"}',
        "CREATE TABLE dbo.t (k INT NOT NULL PRIMARY KEY NONCLUSTERED, v INT NOT NULL)",
        "CREATE CLUSTERED INDEX v ON dbo.t (v)",
    )
    with standin_shop.server() as server:
        table = server.describe(["dbo"]).table(TableName("dbo", "t"))
        assert table is not None
        assert [server.lies_by(REQUEST, column) for column in table.columns] == [False, True]
