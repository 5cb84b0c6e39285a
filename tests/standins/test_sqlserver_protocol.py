"""The SQL Server stand-in's protocol, seen through the drivers that people use: nothing here knows how it is made."""

from __future__ import annotations

import datetime as dt
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import mssql_python
import pyarrow as pa
import pyodbc
import pytest

from el.connectors.sqlserver.pyodbc import bundled_driver
from tests.standins.sqlserver.process import StandInProcess

FREETDS = Path("/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so")
Connect = Callable[..., Any]


def through(driver: str, server: StandInProcess, **keywords: str) -> Any:
    """A connection through a driver; keywords go over those that fit the server."""
    found = {"UID": server.user, "PWD": server.password, "Database": "master"} | keywords
    if driver == "freetds":
        found |= {"Driver": str(FREETDS), "Server": server.host, "Port": str(server.port), "TDS_Version": "7.4"}
    else:
        found = {"Encrypt": "yes", "TrustServerCertificate": "yes"} | found | {"Server": f"{server.host},{server.port}"}
    if driver == "odbc18":
        found["Driver"] = str(bundled_driver())
    text = ";".join(f"{key}={value}" for key, value in found.items())
    if driver == "mssql-python":
        return mssql_python.connect(text, autocommit=True)
    return pyodbc.connect(text, autocommit=True)


@pytest.fixture(scope="module")
def server() -> Iterator[StandInProcess]:
    with StandInProcess() as started:
        yield started


@pytest.fixture(
    params=[
        "mssql-python",
        "odbc18",
        pytest.param("freetds", marks=pytest.mark.skipif(not FREETDS.exists(), reason="needs tdsodbc")),
    ]
)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rows(connection: Any, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, *parameters)
        return [tuple(row) for row in cursor.fetchall()]


def test_a_select_comes_back_through_each_driver(server: StandInProcess, driver: str) -> None:
    with closing(through(driver, server)) as connection:
        assert rows(connection, "SELECT 1 AS one, N'żółć' AS text, NULL AS nothing") == [(1, "żółć", None)]


def test_a_wrong_password_is_error_18456_through_each_driver(server: StandInProcess, driver: str) -> None:
    with pytest.raises(Exception, match="Login failed for user 'sa'"):
        through(driver, server, PWD="wrong")


def test_a_database_that_is_not_there_is_error_4060(server: StandInProcess) -> None:
    with pytest.raises(pyodbc.Error, match=r"Cannot open database .nowhere. .*\(4060\)"):
        through("odbc18", server, Database="nowhere")


def test_a_server_without_tls_refuses_a_client_that_insists_on_it_and_takes_one_that_does_not(driver: str) -> None:
    with StandInProcess(tls=False) as plain:
        if driver != "freetds":
            with pytest.raises(Exception, match=r"(?i)encrypt|SSL"):
                through(driver, plain)
        with closing(through(driver, plain, Encrypt="no")) as connection:
            assert rows(connection, "SELECT 1") == [(1,)]


def test_login_alone_is_encrypted_where_the_client_does_not_ask_for_more(server: StandInProcess) -> None:
    with closing(through("odbc18", server, Encrypt="no")) as connection:
        sql = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"
        assert rows(connection, sql) == [("FALSE",)]
    with closing(through("odbc18", server)) as connection:
        assert rows(connection, sql) == [("TRUE",)]


@pytest.mark.parametrize(
    ("sql", "number"),
    [("SELECT nope FROM sys.tables", 207), ("SELECT * FROM nope", 208), ("SELECT 1/0", 8134), ("SELEC 1", 102)],
)
def test_errors_have_sql_servers_numbers_and_leave_the_connection_usable(
    server: StandInProcess, sql: str, number: int
) -> None:
    with closing(through("odbc18", server)) as connection:
        with pytest.raises(pyodbc.Error, match=rf"\({number}\)"):
            rows(connection, sql)
        assert rows(connection, "SELECT 1") == [(1,)]


def test_a_batch_gives_several_results_with_their_counts(server: StandInProcess, driver: str) -> None:
    with closing(through(driver, server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("DROP TABLE IF EXISTS dbo.several; CREATE TABLE dbo.several (n int)")
        cursor.execute("INSERT INTO dbo.several VALUES (1), (2), (3)")
        counted = "UPDATE dbo.several SET n = n + 1", "SELECT n FROM dbo.several ORDER BY n"
        cursor.execute("; ".join(["SET NOCOUNT OFF", *counted, "DELETE FROM dbo.several WHERE n > 3"]))
        assert cursor.rowcount == 3
        assert cursor.nextset()
        assert [tuple(row) for row in cursor.fetchall()] == [(2,), (3,), (4,)]
        assert cursor.nextset()
        assert cursor.rowcount == 1 or driver == "mssql-python"
        assert not cursor.nextset()
        assert rows(connection, "SELECT COUNT(*) FROM dbo.several") == [(2,)]


PARAMETERS = [
    (5, "żółć 😀", True, None),
    (2**62, "x" * 5000, 2.5, b"\x00\xff" * 5000),
    (
        Decimal("-12345678901234567890.123"),
        dt.date(1970, 1, 1),
        dt.time(23, 59, 59),
        dt.datetime(2024, 2, 29, 1, 2, 3, 456000),
    ),
]


@pytest.mark.parametrize("values", PARAMETERS, ids=["small", "long", "points in time"])
def test_parameters_come_back_as_they_went(server: StandInProcess, driver: str, values: tuple[object, ...]) -> None:
    if driver == "freetds":
        # It declares nvarchar(4000) and varbinary(8000) at most, and sends no more.
        values = tuple(v[:4000] if isinstance(v, str | bytes) else v for v in values)
    with closing(through(driver, server)) as connection:
        for _ in range(2):
            assert rows(connection, "SELECT ?, ?, ?, ?", *values) == [values]


def test_what_is_rolled_back_is_gone_and_what_is_committed_stays(server: StandInProcess, driver: str) -> None:
    name = f"t_{driver.replace('-', '_')}"
    with closing(through(driver, server)) as connection, closing(through(driver, server)) as other:
        rows_of = f"SELECT n FROM dbo.{name} ORDER BY n"
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"CREATE TABLE dbo.{name} (n int NOT NULL)")
            connection.autocommit = False
            cursor.execute(f"INSERT INTO dbo.{name} VALUES (1)")
            connection.rollback()
            cursor.execute(f"INSERT INTO dbo.{name} VALUES (2)")
            connection.commit()
            cursor.execute(f"INSERT INTO dbo.{name} VALUES (3)")
        assert rows(connection, rows_of) == [(2,), (3,)]
        connection.rollback()
        assert rows(other, rows_of) == [(2,)]


def test_a_cancel_halfway_drains_nothing_and_leaves_the_connection_usable(server: StandInProcess, driver: str) -> None:
    server.faults.rows_per_second(2000)
    try:
        with closing(through(driver, server)) as connection:
            began = time.monotonic()
            cursor = connection.cursor()
            cursor.execute("SELECT value, CAST(value AS nvarchar(40)) AS text FROM GENERATE_SERIES(1, 200000)")
            assert tuple(cursor.fetchone()) == (1, "1")
            if driver != "mssql-python":
                cursor.cancel()
            cursor.close()
            assert rows(connection, "SELECT 42") == [(42,)]
            # All of them would take 100 seconds.
            assert time.monotonic() - began < 20
    finally:
        server.faults.clear()


def test_a_timeout_of_the_client_stops_a_statement_that_computes(server: StandInProcess) -> None:
    with closing(through("odbc18", server)) as connection:
        connection.timeout = 1
        began = time.monotonic()
        with pytest.raises(pyodbc.Error, match="HYT00"):
            rows(
                connection,
                "SELECT SUM(CAST(a.value AS float) * b.value) FROM GENERATE_SERIES(1, 300000) AS a, "
                "GENERATE_SERIES(1, 300000) AS b",
            )
        assert time.monotonic() - began < 5
        assert rows(connection, "SELECT 1") == [(1,)]


def test_a_timeout_of_the_client_ends_a_wait_for_anothers_lock(server: StandInProcess) -> None:
    with closing(through("odbc18", server)) as holder, closing(through("odbc18", server)) as waiter:
        with closing(holder.cursor()) as cursor:
            cursor.execute("CREATE TABLE dbo.held (id int NOT NULL PRIMARY KEY, n int NOT NULL)")
            cursor.execute("INSERT INTO dbo.held VALUES (1, 1)")
            holder.autocommit = False
            cursor.execute("UPDATE dbo.held SET n = 2 WHERE id = 1")
        waiter.timeout = 1
        began = time.monotonic()
        for sql in ("UPDATE dbo.held SET n = 3 WHERE id = 1", "WAITFOR DELAY '00:01:00'"):
            with pytest.raises(pyodbc.Error, match="HYT00"), closing(waiter.cursor()) as cursor:
                cursor.execute(sql)
        assert time.monotonic() - began < 8
        holder.commit()
        assert rows(waiter, "SELECT n FROM dbo.held") == [(2,)]


def test_twenty_connections_work_at_once(server: StandInProcess) -> None:
    def work(n: int) -> int:
        with closing(through("odbc18", server)) as connection:
            for _ in range(10):
                found = rows(connection, f"SELECT {n} + value FROM GENERATE_SERIES(1, 50)")
            return sum(row[0] for row in found)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(20))) == [1275 + 50 * n for n in range(20)]


def test_a_pooled_connection_begins_anew(server: StandInProcess) -> None:
    # mssql-python pools by itself; a database of its own keeps other tests' connections out of it.
    with closing(through("mssql-python", server, Database="tempdb")) as connection:
        spid = rows(connection, "SELECT @@SPID")
        rows(connection, "SET LOCK_TIMEOUT 5; CREATE TABLE #mine (id int); SELECT 1")
        connection.setautocommit(False)
        rows(connection, "SELECT COUNT(*) FROM #mine")
    with closing(through("mssql-python", server, Database="tempdb")) as connection:
        assert rows(connection, "SELECT @@SPID, @@LOCK_TIMEOUT, @@TRANCOUNT") == [(*spid[0], -1, 0)]
        with pytest.raises(Exception, match="Invalid object name '#mine'"):
            rows(connection, "SELECT * FROM #mine")


def test_two_servers_know_nothing_of_each_other(server: StandInProcess) -> None:
    with (
        StandInProcess() as other,
        closing(through("odbc18", other)) as there,
        closing(through("odbc18", server)) as here,
    ):
        with closing(there.cursor()) as cursor:
            cursor.execute("CREATE TABLE dbo.only_there (n int)")
        assert rows(there, "SELECT COUNT(*) FROM dbo.only_there") == [(0,)]
        with pytest.raises(pyodbc.Error, match=r"\(208\)"):
            rows(here, "SELECT COUNT(*) FROM dbo.only_there")


TYPES = [
    ("bit", "1", True),
    ("tinyint", "255", 255),
    ("smallint", "-32768", -32768),
    ("int", "-2147483648", -(2**31)),
    ("bigint", "9223372036854775807", 2**63 - 1),
    ("real", "1.5", 1.5),
    ("float", "-1.7976931348623157e308", -1.7976931348623157e308),
    ("decimal(5,2)", "-999.99", Decimal("-999.99")),
    ("numeric(19,0)", "9223372036854775808", Decimal(2**63)),
    ("decimal(28,10)", "123456789012345678.0123456789", Decimal("123456789012345678.0123456789")),
    ("decimal(38,0)", "-" + "9" * 38, Decimal("-" + "9" * 38)),
    ("decimal(38,38)", "0." + "0" * 37 + "1", Decimal("1e-38")),
    ("money", "-922337203685477.5808", Decimal("-922337203685477.5808")),
    ("smallmoney", "214748.3647", Decimal("214748.3647")),
    ("date", "'0001-01-01'", dt.date(1, 1, 1)),
    ("date", "'9999-12-31'", dt.date(9999, 12, 31)),
    ("time(0)", "'23:59:59'", dt.time(23, 59, 59)),
    ("time(3)", "'23:59:59.999'", dt.time(23, 59, 59, 999000)),
    ("time(7)", "'00:00:00.000001'", dt.time(0, 0, 0, 1)),
    ("datetime", "'1753-01-01 00:00:00.003'", dt.datetime(1753, 1, 1, 0, 0, 0, 3000)),
    ("smalldatetime", "'2079-06-06 23:59'", dt.datetime(2079, 6, 6, 23, 59)),
    ("datetime2(0)", "'0001-01-01'", dt.datetime(1, 1, 1)),
    ("datetime2(3)", "'2024-02-29 12:34:56.789'", dt.datetime(2024, 2, 29, 12, 34, 56, 789000)),
    ("datetime2(7)", "'9999-12-31 23:59:59.999999'", dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("char(5)", "'ab'", "ab   "),
    ("varchar(10)", "'€uro'", "€uro"),
    ("varchar(10)", "''", ""),
    ("varchar(max)", "REPLICATE(CAST('x' AS varchar(max)), 100000)", "x" * 100_000),
    ("nchar(3)", "N'ж'", "ж  "),
    ("nvarchar(10)", "N'😀 日本'", "😀 日本"),
    ("nvarchar(max)", "REPLICATE(CAST(N'😀' AS nvarchar(max)), 40000)", "😀" * 40_000),
    ("nvarchar(max)", "N''", ""),
    ("text", "'old text'", "old text"),
    ("ntext", "N'old ñtext'", "old ñtext"),
    ("binary(4)", "0x0102", b"\x01\x02\x00\x00"),
    ("varbinary(5)", "0x00FF", b"\x00\xff"),
    ("varbinary(5)", "0x", b""),
    ("varbinary(max)", "CAST(REPLICATE(CAST(0x61 AS varchar(max)), 70000) AS varbinary(max))", b"a" * 70_000),
    ("image", "0xDEADBEEF", b"\xde\xad\xbe\xef"),
    ("uniqueidentifier", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("xml", "N'<a>é</a>'", "<a>é</a>"),
]


@pytest.fixture(scope="module")
def every_type(server: StandInProcess) -> str:
    """A table with a column of each type: a row of values, one of NULL, one in which they alternate."""
    columns = ", ".join(f"c{i} {kind} NULL" for i, (kind, _, _) in enumerate(TYPES))
    with closing(through("odbc18", server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"CREATE TABLE dbo.every_type (id int NOT NULL, {columns}, rv rowversion)")
        values = [literal for _, literal, _ in TYPES]
        for key, chosen in enumerate([values, ["NULL"] * len(values), _alternating(values, "NULL")], 1):
            names = ", ".join(f"c{i}" for i in range(len(TYPES)))
            cursor.execute(f"INSERT INTO dbo.every_type (id, {names}) VALUES ({key}, {', '.join(chosen)})")
    return "dbo.every_type"


def _alternating(values: list[Any], other: Any) -> list[Any]:
    return [value if i % 2 else other for i, value in enumerate(values)]


def test_every_type_comes_through_each_driver_with_its_nulls(
    server: StandInProcess, driver: str, every_type: str
) -> None:
    expected = [value for _, _, value in TYPES]
    with closing(through(driver, server)) as connection:
        found = rows(connection, f"SELECT * FROM {every_type} ORDER BY id")
    plain = [[str(v).upper() if isinstance(v, UUID) else v for v in row[1:-1]] for row in found]
    assert plain == [expected, [None] * len(TYPES), _alternating(expected, None)]
    assert len({row[-1] for row in found}) == 3
    assert all(len(row[-1]) == 8 for row in found)


def test_every_type_comes_as_arrow_with_its_nulls(server: StandInProcess, every_type: str) -> None:
    with closing(through("mssql-python", server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM {every_type} ORDER BY id")
        table = pa.Table.from_batches(list(cursor.arrow_reader(100)))
    expected = [value for _, _, value in TYPES]
    assert [table.column(i + 1)[0].as_py() for i in range(len(TYPES))] == expected
    assert [table.column(i + 1)[1].as_py() for i in range(len(TYPES))] == [None] * len(TYPES)
    assert [table.column(i + 1)[2].as_py() for i in range(len(TYPES))] == _alternating(expected, None)


def test_datetimeoffset_sql_variant_and_user_types_come_with_what_they_hold(server: StandInProcess) -> None:
    sql = (
        "SELECT CAST('2024-02-29 12:34:56.5 +05:30' AS datetimeoffset(7)), CAST(CAST(42 AS int) AS sql_variant), "
        "CAST(N'vär' AS sql_variant), CAST('/1/2/' AS hierarchyid), geography::Point(1.5, 2.5, 4326)"
    )
    with closing(through("mssql-python", server)) as connection:
        moment, number, text, path, point = rows(connection, sql)[0]
    assert moment == dt.datetime(2024, 2, 29, 7, 4, 56, 500000, tzinfo=dt.UTC)
    assert moment.utcoffset() == dt.timedelta(hours=5, minutes=30)
    assert (number, text) == (42, "vär")
    assert path == b"\x5b\x40"
    assert point == bytes.fromhex("e6100000010c") + struct.pack("<dd", 1.5, 2.5)


def test_rows_of_every_length_cross_packets_whole(server: StandInProcess, driver: str) -> None:
    sql = (
        "SELECT value, REPLICATE(N'ż', value) AS text, CASE WHEN value % 3 = 0 THEN value END AS third "
        "FROM GENERATE_SERIES(1, 2200)"
    )
    with closing(through(driver, server)) as connection:
        found = rows(connection, sql)
    assert found == [(n, "ż" * n, n if n % 3 == 0 else None) for n in range(1, 2201)]


def test_a_bulk_load_brings_every_type_with_its_nulls(server: StandInProcess, every_type: str) -> None:
    with closing(through("mssql-python", server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM {every_type} ORDER BY id")
        table = pa.Table.from_batches(list(cursor.arrow_reader(100))).drop_columns("rv")
        cursor.execute(f"SELECT TOP 0 {', '.join(table.column_names)} INTO dbo.loaded FROM {every_type}")
        mapping = list(enumerate(table.column_names))
        copied = cursor.bulkcopy_arrow(
            "dbo.loaded", table, column_mappings=mapping, keep_nulls=True, keep_identity=True
        )
        assert copied["rows_copied"] == 3
        cursor.execute("SELECT * FROM dbo.loaded ORDER BY id")
        assert pa.Table.from_batches(list(cursor.arrow_reader(100))).equals(table)


def test_a_bulk_load_that_breaks_a_rule_leaves_nothing(server: StandInProcess) -> None:
    with closing(through("mssql-python", server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("CREATE TABLE dbo.keyed (id int NOT NULL PRIMARY KEY)")
        with pytest.raises(Exception, match="2627"):
            cursor.bulkcopy_arrow("dbo.keyed", pa.table({"id": pa.array([1, 2, 1], pa.int32())}))
        assert rows(connection, "SELECT COUNT(*) FROM dbo.keyed") == [(0,)]


def test_an_array_of_parameters_is_a_call_each(server: StandInProcess) -> None:
    values = [(n, f"żółć {n}" if n % 3 else None) for n in range(200)]
    with closing(through("odbc18", server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("CREATE TABLE dbo.arrayed (id int NOT NULL, text nvarchar(20) NULL)")
        cursor.fast_executemany = True
        cursor.executemany("INSERT INTO dbo.arrayed VALUES (?, ?)", values)
        assert rows(connection, "SELECT id, text FROM dbo.arrayed ORDER BY id") == values


def test_sqlalchemy_opens_reads_and_reflects(server: StandInProcess) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    with closing(through("odbc18", server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("CREATE TABLE dbo.parent (id int NOT NULL PRIMARY KEY, name nvarchar(30) NOT NULL)")
        cursor.execute("CREATE TABLE dbo.child (id int PRIMARY KEY, parent int NULL REFERENCES dbo.parent (id))")
    engine = sqlalchemy.create_engine("mssql+pyodbc://", creator=lambda: through("odbc18", server))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO dbo.parent VALUES (:id, :name)"), {"id": 1, "name": "ż"})
        assert connection.execute(sqlalchemy.text("SELECT name FROM dbo.parent")).scalar_one() == "ż"
    inspector = sqlalchemy.inspect(engine)
    assert {"parent", "child"} <= set(inspector.get_table_names("dbo"))
    assert [column["name"] for column in inspector.get_columns("parent", "dbo")] == ["id", "name"]
    assert inspector.get_pk_constraint("child", "dbo")["constrained_columns"] == ["id"]
    assert inspector.get_foreign_keys("child", "dbo")[0]["referred_table"] == "parent"
    engine.dispose()


def test_it_starts_by_hand_with_scripts_in_order_of_name(tmp_path: Path) -> None:
    (tmp_path / "2_rows.sql").write_text("INSERT INTO shop.dbo.t VALUES (1)\nGO\nINSERT INTO shop.dbo.t VALUES (2)\n")
    (tmp_path / "1_table.sql").write_text(
        "CREATE DATABASE shop\nGO\nUSE shop\nCREATE TABLE dbo.t (id int NOT NULL)\nGO\n"
    )
    with StandInProcess(load=tmp_path) as loaded, closing(through("odbc18", loaded, Database="shop")) as connection:
        assert rows(connection, "SELECT id FROM dbo.t ORDER BY id") == [(1,), (2,)]


def test_a_script_that_fails_is_told_with_its_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.sql").write_text("SELECT 1\nGO\nSELECT * FROM nowhere\n")
    with pytest.raises(RuntimeError, match="ended with 1"):
        StandInProcess(load=tmp_path).start()
    assert "bad.sql, batch 2: error 208: Invalid object name 'nowhere'." in capfd.readouterr().err
