"""What T-SQL means on the stand-in. The same statements run on the engine that EL_TEST_SQLSERVER names.

Change data capture runs on the stand-in alone: a real server fills its capture tables by a job, minutes later.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyodbc
import pytest

from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.pyodbc import Pyodbc
from tests.engines import connected, own_database, run_script
from tests.standins.sqlserver.process import StandInProcess

FACTORY = Path(__file__).parent.parent / "databases" / "factory.sql"


class Number(int):
    """An error's number. Another engine says 33557097 where it knows no number of SQL Server's."""

    def __eq__(self, other: object) -> bool:
        return int(self) in (other, 33557097)

    __hash__ = int.__hash__


class Client:
    """One connection in autocommit mode."""

    def __init__(self, output: dict[str, Any]) -> None:
        self.connection = Pyodbc(SqlServerConfig.model_validate({**output, "reader": "pyodbc"})).connection

    def results(self, sql: str, *parameters: object) -> list[list[tuple[Any, ...]]]:
        """Every result set of a batch."""
        found = []
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(sql, *parameters)
            while True:
                if cursor.description is not None:
                    found.append([tuple(row) for row in cursor.fetchall()])
                if not cursor.nextset():
                    return found

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The last result set of a batch, or nothing."""
        found = self.results(sql, *parameters)
        return found[-1] if found else []

    def value(self, sql: str, *parameters: object) -> Any:
        return self.rows(sql, *parameters)[0][0]

    def refused(self, sql: str, *parameters: object) -> Number:
        """The number of the error that the batch ends with."""
        with pytest.raises(pyodbc.Error) as caught:
            self.results(sql, *parameters)
        return Number(re.findall(r"\((\d+)\) \(SQL", str(caught.value))[0])

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def connect(sqlserver: dict[str, Any]) -> Iterator[Callable[[], Client]]:
    """Makes connections to a database of the test's own."""
    made: list[Client] = []

    def one() -> Client:
        made.append(Client(sqlserver))
        return made[-1]

    yield one
    for client in made:
        client.close()


@pytest.fixture
def db(connect: Callable[[], Client]) -> Client:
    return connect()


@pytest.fixture
def captured(sqlserver_standin: StandInProcess) -> Iterator[Client]:
    """A database of the stand-in where changes of dbo.t are captured."""
    with own_database(sqlserver_standin.output()) as output:
        client = Client(output)
        client.results(
            "CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, v nvarchar(10) NULL, n int NULL); "
            "EXEC sys.sp_cdc_enable_db; EXEC sys.sp_cdc_enable_table 'dbo', 't', @role_name = NULL"
        )
        yield client
        client.close()


def is_sql_server(client: Client) -> bool:
    return str(client.value("SELECT @@VERSION")).startswith("Microsoft SQL Server")


def needs_sql_server(client: Client) -> None:
    if not is_sql_server(client):
        pytest.skip("another T-SQL engine")


@contextmanager
def transaction(client: Client) -> Iterator[None]:
    client.results("BEGIN TRANSACTION")
    yield
    client.results("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")


# --- rows and statements


def test_an_insert_fills_defaults_identity_and_computed_columns(db: Client) -> None:
    db.results(
        "CREATE TABLE t (id int IDENTITY(10, 5) PRIMARY KEY, name nvarchar(20) NOT NULL DEFAULT N'none', "
        "price decimal(10, 2) NULL, twice AS price * 2)"
    )
    db.results("INSERT INTO t (name, price) VALUES (N'a', 1.25), (DEFAULT, NULL)")
    db.results("INSERT INTO t DEFAULT VALUES")
    assert db.rows("SELECT id, name, price, twice FROM t ORDER BY id") == [
        (10, "a", Decimal("1.25"), Decimal("2.50")),
        (15, "none", None, None),
        (20, "none", None, None),
    ]


def test_identity_values_go_on_after_a_rollback_and_explicit_ones_are_asked_for(db: Client) -> None:
    db.results("CREATE TABLE t (id int IDENTITY PRIMARY KEY, v int)")
    with transaction(db):
        db.results("INSERT INTO t (v) VALUES (1)")
    db.results("INSERT INTO t (v) VALUES (2)")
    assert db.rows("SELECT id, v FROM t") == [(2, 2)]
    assert db.refused("INSERT INTO t (id, v) VALUES (9, 9)") == 544
    db.results("SET IDENTITY_INSERT t ON; INSERT INTO t (id, v) VALUES (9, 9); SET IDENTITY_INSERT t OFF")
    assert db.value("INSERT INTO t (v) VALUES (3); SELECT CAST(SCOPE_IDENTITY() AS int)") == 10


def test_an_update_joins_and_returns_both_images(db: Client) -> None:
    db.results("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE s (id int PRIMARY KEY, v int)")
    db.results("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3); INSERT INTO s VALUES (1, 10), (3, 30)")
    db.results("UPDATE x SET v = x.v + s.v FROM t AS x JOIN s ON s.id = x.id")
    assert db.rows("SELECT v FROM t ORDER BY id") == [(11,), (2,), (33,)]
    assert db.rows("UPDATE t SET v = 0 OUTPUT deleted.v, inserted.v WHERE id = 2") == [(2, 0)]
    assert db.rows("DELETE FROM t OUTPUT deleted.id WHERE v = 0") == [(2,)]


def test_a_merge_updates_inserts_and_deletes(db: Client) -> None:
    needs_sql_server(db)
    db.results("CREATE TABLE t (id int PRIMARY KEY, v varchar(10)); INSERT INTO t VALUES (1, 'old'), (2, 'gone')")
    found = db.rows(
        "MERGE INTO t USING (VALUES (1, 'new'), (3, 'more')) AS s (id, v) ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v) "
        "WHEN NOT MATCHED BY SOURCE THEN DELETE OUTPUT $action, inserted.id, deleted.id;"
    )
    assert sorted(found, key=str) == [("DELETE", None, 2), ("INSERT", 3, None), ("UPDATE", 1, 1)]
    assert db.rows("SELECT id, v FROM t ORDER BY id") == [(1, "new"), (3, "more")]
    twice = "MERGE t USING (VALUES (1), (1)) AS s (id) ON t.id = s.id WHEN MATCHED THEN DELETE;"
    assert db.refused(twice) == 8672


def test_select_into_keeps_types_and_loses_identity_in_a_union(db: Client) -> None:
    db.results("CREATE TABLE t (id int IDENTITY PRIMARY KEY, v decimal(7, 3) NOT NULL); INSERT INTO t (v) VALUES (1.5)")
    db.results("SELECT * INTO u FROM t; SELECT TOP 0 id, v INTO w FROM t UNION ALL SELECT TOP 0 id, v FROM t")
    columns = (
        "SELECT c.name, c.is_identity, c.precision, c.scale FROM sys.columns AS c "
        "WHERE c.object_id = OBJECT_ID('dbo.{}') ORDER BY c.column_id"
    )
    assert db.rows("SELECT * FROM u") == [(1, Decimal("1.500"))]
    assert [row[:2] for row in db.rows(columns.format("w"))] == [("id", False), ("v", False)]
    assert db.rows(columns.format("u"))[1][2:] == (7, 3)


def test_a_temporary_table_is_its_sessions_own(connect: Callable[[], Client]) -> None:
    one, two = connect(), connect()
    one.results("CREATE TABLE #t (id int IDENTITY PRIMARY KEY, v int); INSERT INTO #t (v) VALUES (7), (8)")
    one.results("SELECT * INTO #u FROM #t WHERE v > 7")
    assert one.rows("SELECT #t.id, #u.v FROM #t JOIN #u ON #u.id = #t.id") == [(2, 8)]
    assert two.refused("SELECT * FROM #t") == 208
    one.results("IF OBJECT_ID('tempdb..#t') IS NOT NULL DROP TABLE #t")
    assert one.refused("SELECT * FROM #t") == 208


def test_control_of_flow_variables_and_caught_errors(db: Client) -> None:
    assert db.rows(
        "DECLARE @i int = 0, @sum int = 0; WHILE @i < 5 BEGIN SET @i = @i + 1; IF @i = 3 CONTINUE; "
        "SET @sum = @sum + @i END; IF @sum > 10 SELECT @sum AS total ELSE SELECT 0"
    ) == [(12,)]
    assert db.value("BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH") == 8134
    assert db.refused("THROW 50001, 'own words', 1") == 50001


def test_parameters_keep_their_types(db: Client) -> None:
    sql = "EXEC sp_executesql N'SELECT @a + 1, @b', N'@a int, @b nvarchar(10)', @a = 41, @b = N'é'"
    assert db.rows(sql) == [(42, "é")]
    assert db.rows("SELECT ?, ?, ?", 1, "x", None) == [(1, "x", None)]


def test_a_view_shows_what_its_query_does(db: Client) -> None:
    db.results("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)")
    db.results("CREATE VIEW w AS SELECT id, v * 10 AS tenfold FROM t WHERE id > 1")
    assert db.rows("SELECT tenfold FROM w") == [(20,)]
    db.results("DROP VIEW w")
    assert db.refused("SELECT * FROM w") == 208


def test_names_resolve_as_sql_server_resolves_them(db: Client) -> None:
    db.results("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE s (id int PRIMARY KEY, v int)")
    db.results("INSERT INTO t VALUES (1, 1); INSERT INTO s VALUES (1, 10)")
    assert db.rows("SELECT s.v, t.v FROM dbo.t AS s JOIN dbo.s AS t ON s.id = t.id") == [(1, 10)]
    assert db.refused("SELECT t.v FROM t AS x") == 4104
    assert db.refused("SELECT v FROM t JOIN s ON t.id = s.id") == 209
    assert db.rows("SELECT t.v FROM t UNION ALL SELECT v FROM s ORDER BY v DESC") == [(10,), (1,)]


def test_hints_and_statements_without_semicolons_are_understood(db: Client) -> None:
    db.results(
        "CREATE TABLE t (id int) INSERT INTO t VALUES (1) INSERT INTO t SELECT id + 1 FROM t UPDATE t SET id = id"
    )
    assert db.results("SELECT id FROM t WITH (NOLOCK) ORDER BY id OPTION (MAXDOP 1) SELECT 5") == [[(1,), (2,)], [(5,)]]
    needs_sql_server(db)
    db.results("CREATE OR ALTER VIEW w AS SELECT id FROM t")
    db.results("CREATE OR ALTER VIEW w AS SELECT id AS other FROM t")
    assert db.rows("SELECT other FROM w WHERE other = 2") == [(2,)]


def test_a_merge_inserts_the_sources_columns_of_the_same_name(db: Client) -> None:
    needs_sql_server(db)
    db.results(
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE s (id int, v int); INSERT INTO s VALUES (1, 5)"
    )
    db.results(
        "MERGE INTO t USING s ON s.id = t.id WHEN NOT MATCHED THEN INSERT (id, v) VALUES (id, v) OPTION (MAXDOP 1);"
    )
    assert db.rows("SELECT id, v FROM t") == [(1, 5)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE PROCEDURE p AS",
        "SELECT 1 AS a FOR JSON AUTO",
        "SELECT TOP (1) WITH TIES name FROM sys.objects ORDER BY name",
        "SELECT * FROM sys.objects PIVOT (MAX(name) FOR object_id IN ([1])) AS p",
        "DECLARE c CURSOR FOR SELECT 1",
        "KILL 99",
        "SAVE TRANSACTION s",
    ],
)
def test_what_is_not_known_is_refused_at_once(sqlserver_standin: StandInProcess, statement: str) -> None:
    client = Client(sqlserver_standin.output())
    with pytest.raises(pyodbc.Error, match="the stand-in does not support: "):
        client.results(statement)
    client.close()


@pytest.mark.parametrize(
    ("text", "type_", "number"),
    [
        ("2024-02-30", "date", 241),
        ("25:00", "time", 241),
        ("x", "int", 245),
        ("x", "decimal(5, 2)", 8114),
        ("1234", "decimal(5, 2)", 8115),
        ("6F9619FF", "uniqueidentifier", 8169),
    ],
)
def test_a_text_that_is_no_value_is_refused_or_null_where_tried(db: Client, text: str, type_: str, number: int) -> None:
    assert db.refused(f"SELECT CAST('{text}' AS {type_})") == number
    assert db.value(f"SELECT TRY_CAST('{text}' AS {type_})") is None


def test_datetime_is_rounded_to_three_hundredths_of_a_second(db: Client) -> None:
    sql = "SELECT CONVERT(varchar(40), CAST('{}' AS datetime), 121)"
    for given, kept in (("2024-01-01T00:00:00.002", "00.003"), ("9999-12-31T23:59:59.997", "59.997")):
        assert str(db.value(sql.format(given))).endswith(kept)


# --- what a table refuses


@pytest.fixture
def rules(db: Client) -> Client:
    db.results(
        "CREATE TABLE p (a int NOT NULL, b varchar(5) NOT NULL, v int NULL CONSTRAINT ck_v CHECK (v >= 0), "
        "u int NOT NULL CONSTRAINT uq_u UNIQUE, CONSTRAINT pk_p PRIMARY KEY (a, b))"
    )
    db.results("CREATE TABLE c (id int PRIMARY KEY, a int NULL, b varchar(5) NULL, "
               "CONSTRAINT fk_c FOREIGN KEY (a, b) REFERENCES p (a, b))")  # fmt: skip
    db.results("INSERT INTO p VALUES (1, 'x', 1, 1); INSERT INTO c VALUES (1, 1, 'x'), (2, NULL, 'z')")
    return db


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("INSERT INTO p VALUES (NULL, 'x', 1, 2)", 515),
        ("UPDATE p SET u = NULL", 515),
        ("INSERT INTO p VALUES (1, 'x', 1, 2)", 2627),
        ("INSERT INTO p VALUES (2, 'x', 1, 1)", 2627),
        ("INSERT INTO p VALUES (2, 'x', 1, 5), (2, 'x', 1, 6)", 2627),
        ("INSERT INTO p VALUES (2, 'x', -1, 2)", 547),
        ("INSERT INTO c VALUES (3, 1, 'nope')", 547),
        ("UPDATE c SET b = 'nope' WHERE id = 1", 547),
        ("DELETE FROM p", 547),
        ("UPDATE p SET b = 'y'", 547),
        ("INSERT INTO c VALUES (3, NULL)", 213),
        ("INSERT INTO c (id, nope) VALUES (3, NULL)", 207),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_and_nothing_changes(rules: Client, statement: str, number: int) -> None:
    before = rules.rows("SELECT * FROM p"), rules.rows("SELECT * FROM c ORDER BY id")
    assert rules.refused(statement) == number
    assert (rules.rows("SELECT * FROM p"), rules.rows("SELECT * FROM c ORDER BY id")) == before


def test_a_text_too_long_is_refused_and_a_unique_index_has_its_own_number(db: Client) -> None:
    db.results(
        "CREATE TABLE t (id int, v varchar(3)); CREATE UNIQUE INDEX ux ON t (id); INSERT INTO t VALUES (1, 'abc')"
    )
    assert db.refused("INSERT INTO t VALUES (2, 'abcd')") in (2628, 8152)
    assert db.refused("INSERT INTO t VALUES (1, 'a')") == (2601 if is_sql_server(db) else 2627)


def test_a_refused_row_ends_its_statement_and_not_the_transaction(rules: Client) -> None:
    needs_sql_server(rules)
    rules.results("BEGIN TRANSACTION; INSERT INTO p VALUES (5, 'x', 1, 5)")
    assert rules.refused("INSERT INTO p VALUES (5, 'x', 1, 6)") == 2627
    rules.results("INSERT INTO p VALUES (6, 'x', 1, 6); COMMIT TRANSACTION")
    assert rules.value("SELECT COUNT(*) FROM p") == 3


def test_keys_may_move_among_rows_in_one_statement(db: Client) -> None:
    needs_sql_server(db)
    db.results("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    db.results("UPDATE t SET id = id + 1; UPDATE t SET id = CASE id WHEN 2 THEN 3 WHEN 3 THEN 2 ELSE id END")
    assert db.rows("SELECT id, v FROM t ORDER BY id") == [(2, 2), (3, 1), (4, 3)]


def test_a_constraint_that_the_rows_break_is_not_made(db: Client) -> None:
    db.results("CREATE TABLE t (id int NOT NULL, v int); INSERT INTO t VALUES (1, -1), (1, 2)")
    assert db.refused("ALTER TABLE t ADD CONSTRAINT pk_t PRIMARY KEY (id)") == 1505
    assert db.refused("ALTER TABLE t ADD CONSTRAINT ck_t CHECK (v > 0)") == 547
    db.results("DELETE FROM t WHERE v < 0; ALTER TABLE t ADD CONSTRAINT pk_t PRIMARY KEY (id)")
    assert db.refused("INSERT INTO t VALUES (1, 1)") == 2627


# --- tables that change


def test_columns_come_change_and_go_with_the_rows_kept(db: Client) -> None:
    db.results("CREATE TABLE t (id int PRIMARY KEY, v varchar(5) NULL); INSERT INTO t VALUES (1, 'a'), (2, NULL)")
    db.results("ALTER TABLE t ADD n int NOT NULL DEFAULT 7; ALTER TABLE t ADD m int NULL")
    db.results("ALTER TABLE t ALTER COLUMN v nvarchar(20)")
    assert db.rows("SELECT * FROM t ORDER BY id") == [(1, "a", 7, None), (2, None, 7, None)]
    assert db.refused("ALTER TABLE t ALTER COLUMN v nvarchar(20) NOT NULL") == 515
    db.results("ALTER TABLE t DROP COLUMN m")
    db.results("EXEC sp_rename 'dbo.t.v', 'w', 'COLUMN'")
    db.results("EXEC sp_rename 'dbo.t', 'u', 'OBJECT'")
    assert db.rows("SELECT id, w, n FROM u WHERE id = 1") == [(1, "a", 7)]


def test_ddl_is_rolled_back_with_its_transaction(db: Client) -> None:
    with transaction(db):
        db.results("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    assert db.refused("SELECT * FROM t") == 208


def test_the_catalog_describes_a_whole_database(sqlserver: dict[str, Any]) -> None:
    run_script(sqlserver, FACTORY)
    with connected(sqlserver) as server:
        catalog = server.describe()
    # Another engine keeps names in lower case.
    tables = {str(table.name).lower(): table for table in catalog.tables}
    assert len(tables) == 12
    customer, line = tables["sales.customer"], tables["sales.orderline"]
    assert [c.name.lower() for c in customer.columns][:3] == ["customerid", "fullname", "email"]
    assert line.primary_key is not None
    assert [name.lower() for name in line.primary_key.columns] == ["order id", "line no"]
    assert {str(key.references).lower() for key in line.foreign_keys} == {"sales.order header", "sales.product"}
    if catalog.version.startswith("Microsoft SQL Server"):
        # Another engine counts rows when it analyses a table.
        assert tables["plant floor.reading"].rows == 20_000
    assert next(c for c in customer.columns if c.name.lower() == "rv").type.name == "rowversion"


def test_comments_types_of_ones_own_and_states_of_constraints_are_in_the_catalog(db: Client) -> None:
    needs_sql_server(db)
    db.results("CREATE TYPE dbo.Flag FROM bit NOT NULL")
    db.results("CREATE TABLE t (f dbo.Flag, n sysname, v int CONSTRAINT ck CHECK (v > 0), w AS v + 1 PERSISTED)")
    db.results(
        "EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = N'what it is', @level0type = N'SCHEMA', "
        "@level0name = N'dbo', @level1type = N'TABLE', @level1name = N't', @level2type = N'COLUMN', @level2name = N'v'"
    )
    db.results("ALTER TABLE t NOCHECK CONSTRAINT ck")
    assert db.rows(
        "SELECT c.name, t.name, b.name, c.is_nullable, c.is_computed FROM sys.columns AS c JOIN sys.types AS t ON "
        "t.user_type_id = c.user_type_id LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id "
        "WHERE c.object_id = OBJECT_ID('dbo.t') ORDER BY c.column_id"
    ) == [
        ("f", "Flag", "bit", False, False),
        ("n", "sysname", "nvarchar", False, False),
        ("v", "int", "int", True, False),
        ("w", "int", "int", True, True),
    ]
    assert db.rows("SELECT CAST(value AS nvarchar(100)), minor_id FROM sys.extended_properties WHERE class = 1") == [
        ("what it is", 3)
    ]
    assert db.rows("SELECT is_disabled, is_not_trusted FROM sys.check_constraints") == [(True, True)]


def test_a_query_is_described_before_it_runs(db: Client) -> None:
    needs_sql_server(db)
    db.results("CREATE TABLE t (id int NOT NULL, v nvarchar(7), d datetime2(3))")
    sql = (
        "SELECT name, system_type_name, max_length, is_nullable FROM "
        "sys.dm_exec_describe_first_result_set(?, NULL, 0) ORDER BY column_ordinal"
    )
    assert db.rows(sql, "SELECT id, v, d FROM t") == [
        ("id", "int", 4, False),
        ("v", "nvarchar(7)", 14, True),
        ("d", "datetime2(3)", 7, True),
    ]
    assert db.rows(
        sql.replace("name, system_type_name, max_length, is_nullable", "error_number"), "SELECT x FROM t"
    ) == [(207,)]


# --- transactions, isolation, row versions


def test_read_committed_sees_each_statements_own_moment(connect: Callable[[], Client]) -> None:
    one, two = connect(), connect()
    needs_sql_server(one)
    one.results("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
    with transaction(two):
        assert two.value("SELECT v FROM t") == 1
        one.results("UPDATE t SET v = 2")
        assert two.value("SELECT v FROM t") == 2


def test_snapshot_isolation_has_to_be_allowed(db: Client) -> None:
    needs_sql_server(db)
    db.results("CREATE TABLE t (id int PRIMARY KEY)")
    db.results("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    assert db.refused("SELECT * FROM t") == 3952


def allow_snapshots(client: Client) -> None:
    if is_sql_server(client):
        name = client.value("SELECT DB_NAME()")
        client.results(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")


def test_a_snapshot_is_stable_and_its_late_update_conflicts(connect: Callable[[], Client]) -> None:
    one, two = connect(), connect()
    allow_snapshots(one)
    one.results("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)")
    two.results("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    with transaction(two):
        assert two.rows("SELECT id, v FROM t ORDER BY id") == [(1, 1), (2, 2)]
        one.results("UPDATE t SET v = 9 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 3)")
        assert two.rows("SELECT id, v FROM t ORDER BY id") == [(1, 1), (2, 2)]
        if is_sql_server(one):
            assert two.refused("UPDATE t SET v = 8 WHERE id = 1") == 3960
            assert two.value("SELECT @@TRANCOUNT") == 0
    assert one.rows("SELECT id, v FROM t ORDER BY id") == [(1, 9), (3, 3)]


def test_a_writer_waits_for_the_row_that_another_one_holds(connect: Callable[[], Client]) -> None:
    one, two = connect(), connect()
    one.results("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
    one.results("BEGIN TRANSACTION; UPDATE t SET v = v + 1")
    assert two.refused("SET LOCK_TIMEOUT 100; UPDATE t SET v = v + 10") == 1222
    two.results("SET LOCK_TIMEOUT -1")
    waiting = threading.Thread(target=lambda: two.results("UPDATE t SET v = v + 10"))
    waiting.start()
    time.sleep(0.1)
    one.results("COMMIT TRANSACTION")
    waiting.join(10)
    assert one.value("SELECT v FROM t") == 12


def test_a_row_version_changes_with_every_insert_and_update(db: Client) -> None:
    needs_sql_server(db)
    db.results("CREATE TABLE t (id int PRIMARY KEY, v int, rv rowversion)")
    db.results("INSERT INTO t (id, v) VALUES (1, 1), (2, 2); UPDATE t SET v = v WHERE id = 1")
    one, two = (row[0] for row in db.rows("SELECT rv FROM t ORDER BY id"))
    assert two < one == db.value("SELECT @@DBTS")
    assert db.refused("UPDATE t SET rv = 0x01") == 272
    assert db.refused("INSERT INTO t (id, rv) VALUES (3, 0x01)") == 273


def test_the_least_active_row_version_waits_for_open_transactions(connect: Callable[[], Client]) -> None:
    one, two = connect(), connect()
    one.results(
        "CREATE TABLE t (id int PRIMARY KEY, v int, rv rowversion); INSERT INTO t (id, v) VALUES (1, 1), (2, 2)"
    )
    active = "SELECT CAST(MIN_ACTIVE_ROWVERSION() AS binary(8))"
    one.results("BEGIN TRANSACTION; UPDATE t SET v = 5 WHERE id = 1")
    two.results("UPDATE t SET v = 6 WHERE id = 2")
    bound = two.value(active)
    assert two.value("SELECT CAST(rv AS binary(8)) FROM t WHERE id = 2") >= bound
    one.results("COMMIT TRANSACTION")
    assert two.value("SELECT CAST(MAX(CAST(rv AS binary(8))) AS binary(8)) FROM t") < two.value(active)
    assert two.value("SELECT CAST(rv AS binary(8)) FROM t WHERE id = 1") >= bound


def test_bounds_from_the_least_active_row_version_lose_no_row_of_many_writers(connect: Callable[[], Client]) -> None:
    reader, writers = connect(), [connect() for _ in range(4)]
    needs_sql_server(reader)
    reader.results("CREATE TABLE t (id int PRIMARY KEY, v int, rv rowversion)")
    stop = threading.Event()

    def write(client: Client, start: int) -> None:
        number = start
        while not stop.is_set():
            end = "ROLLBACK" if number % 7 == 0 else "COMMIT"
            client.results(f"BEGIN TRANSACTION; INSERT INTO t (id, v) VALUES ({number}, 0)")
            client.results(f"UPDATE t SET v = v + 1 WHERE id = {number}; {end} TRANSACTION")
            number += 1

    threads = [threading.Thread(target=write, args=(w, i * 1_000_000)) for i, w in enumerate(writers)]
    for thread in threads:
        thread.start()
    seen: dict[int, int] = {}
    low = b"\0" * 8
    try:
        for turn in range(20):
            if turn == 19:
                stop.set()
                for thread in threads:
                    thread.join()
            high = reader.value("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS binary(8))")
            sql = f"SELECT id, v FROM t WHERE rv >= 0x{low.hex()} AND rv < 0x{high.hex()}"
            found = reader.rows(sql)
            assert not {number for number, _ in found} & set(seen)
            seen.update(found)
            low = high
            time.sleep(0.02)
    finally:
        stop.set()
    assert seen == dict(reader.rows("SELECT id, v FROM t"))
    assert len(seen) > 20


# --- change tracking


@pytest.fixture
def tracked(db: Client) -> Client:
    needs_sql_server(db)
    name = db.value("SELECT DB_NAME()")
    db.results(f"ALTER DATABASE {name} SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)")
    db.results("CREATE TABLE t (a int, b varchar(5), v int, PRIMARY KEY (a, b)); INSERT INTO t VALUES (0, 'z', 0)")
    db.results("ALTER TABLE t ENABLE CHANGE_TRACKING")
    return db


CHANGES = (
    "SELECT SYS_CHANGE_VERSION, SYS_CHANGE_OPERATION, a, b FROM CHANGETABLE(CHANGES dbo.t, {}) AS c ORDER BY 1, 2, 3"
)


def test_changes_are_net_by_key_since_a_version(tracked: Client) -> None:
    start = tracked.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()")
    assert tracked.value("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.t'))") == start
    for sql in (
        "INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 2)",
        "UPDATE t SET v = 5 WHERE a = 1",
        "UPDATE t SET v = 9 WHERE a = 0",
        "DELETE FROM t WHERE a = 2",
    ):
        tracked.results(sql)
    assert tracked.rows(CHANGES.format(start)) == [
        (start + 2, "I", 1, "x"),
        (start + 3, "U", 0, "z"),
        (start + 4, "D", 2, "y"),
    ]
    assert tracked.rows(CHANGES.format(start + 1)) == [
        (start + 2, "U", 1, "x"),
        (start + 3, "U", 0, "z"),
        (start + 4, "D", 2, "y"),
    ]
    assert tracked.rows(CHANGES.format(start + 4)) == []


def test_a_changed_key_is_a_delete_and_an_insert(tracked: Client) -> None:
    start = tracked.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()")
    tracked.results("UPDATE t SET a = 7 WHERE a = 0")
    assert tracked.rows(CHANGES.format(start)) == [(start + 1, "D", 0, "z"), (start + 1, "I", 7, "z")]


def test_a_transaction_that_ends_otherwise_leaves_no_version(tracked: Client) -> None:
    start = tracked.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()")
    with transaction(tracked):
        tracked.results("INSERT INTO t VALUES (1, 'x', 1)")
    assert tracked.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()") == start
    tracked.results("BEGIN TRANSACTION; INSERT INTO t VALUES (1, 'x', 1); UPDATE t SET v = 2; COMMIT TRANSACTION")
    assert {row[0] for row in tracked.rows(CHANGES.format(start))} == {start + 1}


def test_versions_and_rows_are_of_one_moment_under_snapshot(tracked: Client, connect: Callable[[], Client]) -> None:
    allow_snapshots(tracked)
    reader = connect()
    reader.results("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    with transaction(reader):
        start = reader.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()")
        tracked.results("INSERT INTO t VALUES (1, 'x', 1)")
        assert reader.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()") == start
        assert reader.rows(CHANGES.format(start)) == []
        assert reader.value("SELECT COUNT(*) FROM t") == 1
    assert [row[1:] for row in reader.rows(CHANGES.format(start))] == [("I", 1, "x")]


def test_the_version_of_one_row_is_known(tracked: Client) -> None:
    start = tracked.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()")
    tracked.results("INSERT INTO t VALUES (1, 'x', 1)")
    assert tracked.rows(
        "SELECT t.a, c.SYS_CHANGE_VERSION FROM t OUTER APPLY CHANGETABLE(VERSION dbo.t, (a, b), (t.a, t.b)) AS c "
        "ORDER BY t.a"
    ) == [(0, None), (1, start + 1)]


def test_tracking_needs_the_database_a_key_and_the_table(tracked: Client) -> None:
    tracked.results("CREATE TABLE heap (id int)")
    assert tracked.refused("ALTER TABLE heap ENABLE CHANGE_TRACKING") == 4997
    assert tracked.refused("SELECT * FROM CHANGETABLE(CHANGES dbo.heap, 0) AS c") == 22105
    assert tracked.value("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.heap'))") is None
    assert tracked.rows("SELECT OBJECT_NAME(object_id) FROM sys.change_tracking_tables") == [("t",)]


def test_truncating_and_enabling_anew_move_the_least_valid_version(tracked: Client) -> None:
    valid = "SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.t'))"
    tracked.results("INSERT INTO t VALUES (1, 'x', 1)")
    before = tracked.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()")
    tracked.results("TRUNCATE TABLE t")
    assert tracked.value(valid) > before
    tracked.results("INSERT INTO t VALUES (1, 'x', 1); ALTER TABLE t DISABLE CHANGE_TRACKING")
    tracked.results("ALTER TABLE t ENABLE CHANGE_TRACKING")
    assert tracked.value(valid) == tracked.value("SELECT CHANGE_TRACKING_CURRENT_VERSION()") > before


def test_what_cleanup_forgets_is_no_longer_valid(sqlserver_standin: StandInProcess) -> None:
    with own_database(sqlserver_standin.output()) as output:
        client = Client(output)
        client.results("ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON")
        client.results(
            "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE CHANGE_TRACKING; INSERT INTO t VALUES (1)"
        )
        client.results("EXEC sys.sp_flush_CT_internal_table_on_demand 'dbo.t'")
        assert client.value("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.t'))") == 1
        assert client.rows("SELECT * FROM CHANGETABLE(CHANGES dbo.t, 0) AS c") == []
        client.close()


# --- change data capture


ALL = (
    "SELECT __$start_lsn, __$seqval, __$operation, __$update_mask, id, v, n FROM cdc.fn_cdc_get_all_changes_dbo_t("
    "sys.fn_cdc_get_min_lsn('dbo_t'), sys.fn_cdc_get_max_lsn(), N'{}') ORDER BY __$start_lsn, id, __$operation"
)


def test_every_operation_is_captured_in_the_order_of_commit(captured: Client) -> None:
    captured.results("INSERT INTO t VALUES (1, N'a', 1), (2, N'b', 2)")
    captured.results("UPDATE t SET v = N'c' WHERE id = 1; DELETE FROM t WHERE id = 2")
    found = captured.rows(ALL.format("all update old"))
    assert [row[2:] for row in found] == [
        (2, b"\x07", 1, "a", 1),
        (2, b"\x07", 2, "b", 2),
        (3, b"\x02", 1, "a", 1),
        (4, b"\x02", 1, "c", 1),
        (1, b"\x07", 2, "b", 2),
    ]
    assert [row[2] for row in captured.rows(ALL.format("all"))] == [2, 2, 4, 1]
    assert len({row[0] for row in found}) == 3
    assert [row[0] for row in found] == sorted(row[0] for row in found)


def test_one_transaction_has_one_lsn_and_a_changed_key_is_a_delete_and_an_insert(captured: Client) -> None:
    captured.results("BEGIN TRANSACTION; INSERT INTO t VALUES (1, N'a', 1); UPDATE t SET id = 5; COMMIT TRANSACTION")
    found = captured.rows(ALL.format("all update old"))
    assert len({row[0] for row in found}) == 1
    in_order = "SELECT __$operation, id FROM cdc.dbo_t_CT ORDER BY __$start_lsn, __$command_id, __$operation"
    assert [tuple(row) for row in captured.rows(in_order)] == [(2, 1), (1, 1), (2, 5)]
    with transaction(captured):
        captured.results("INSERT INTO t VALUES (9, N'z', 9)")
    assert len(captured.rows(ALL.format("all"))) == 3


def test_a_position_outside_of_what_is_kept_is_refused(captured: Client) -> None:
    captured.results("INSERT INTO t VALUES (1, N'a', 1); INSERT INTO t VALUES (2, N'b', 2)")
    lost = (
        "DECLARE @last binary(10) = sys.fn_cdc_get_max_lsn(); {} SELECT COUNT(*) FROM "
        "cdc.fn_cdc_get_all_changes_dbo_t({}, @last, N'all')"
    )
    assert captured.refused(lost.format("", "0x00000000000000000001")) == 313
    assert captured.refused(lost.format("", "sys.fn_cdc_increment_lsn(@last)")) == 313
    assert captured.value(lost.format("", "@last")) == 1
    captured.results(
        "DECLARE @mark binary(10) = sys.fn_cdc_get_max_lsn(); "
        "EXEC sys.sp_cdc_cleanup_change_table @capture_instance = 'dbo_t', @low_water_mark = @mark"
    )
    assert captured.value("SELECT COUNT(*) FROM cdc.dbo_t_CT") == 1
    assert captured.value("SELECT CASE WHEN sys.fn_cdc_get_min_lsn('dbo_t') = sys.fn_cdc_get_max_lsn() THEN 1 END") == 1


def test_a_second_capture_instance_has_the_columns_of_its_time(captured: Client) -> None:
    captured.results("ALTER TABLE t ADD w int; INSERT INTO t VALUES (1, N'a', 1, 1)")
    captured.results(
        "EXEC sys.sp_cdc_enable_table 'dbo', 't', 'second', @role_name = NULL; INSERT INTO t VALUES (2, N'b', 2, 2)"
    )
    assert captured.rows("SELECT id, w FROM cdc.second_CT") == [(2, 2)]
    assert captured.value("SELECT COUNT(*) FROM cdc.dbo_t_CT") == 2
    assert captured.refused("EXEC sys.sp_cdc_enable_table 'dbo', 't', 'third', @role_name = NULL") == 22962
    captured.results("EXEC sys.sp_cdc_disable_table 'dbo', 't', 'dbo_t'")
    assert captured.rows("SELECT capture_instance FROM cdc.change_tables") == [("second",)]


def test_a_captured_column_follows_its_sources_type(captured: Client) -> None:
    captured.results("INSERT INTO t VALUES (1, N'a', 1); ALTER TABLE t ALTER COLUMN n bigint")
    captured.results(
        "INSERT INTO t VALUES (2, N'b', 5000000000); EXEC sp_rename 'dbo.t.v', 'w', 'COLUMN'; DELETE FROM t"
    )
    assert [row[4:] for row in captured.rows(ALL.format("all"))] == [
        (1, "a", 1),
        (2, "b", 5_000_000_000),
        (1, "a", 1),
        (2, "b", 5_000_000_000),
    ]


def test_times_and_positions_translate_both_ways(captured: Client) -> None:
    captured.results("INSERT INTO t VALUES (1, N'a', 1)")
    assert captured.value(
        "DECLARE @last binary(10) = sys.fn_cdc_get_max_lsn(); SELECT CASE WHEN @last = sys.fn_cdc_map_time_to_lsn("
        "'largest less than or equal', sys.fn_cdc_map_lsn_to_time(@last)) THEN 1 ELSE 0 END"
    ) == 1  # fmt: skip


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("SELECT a FROM (SELECT 1 AS a ORDER BY a) AS q", 1033),
        ("SELECT a FROM (SELECT 1 AS a UNION SELECT 2 ORDER BY a) AS q", 1033),
        ("WITH q AS (SELECT 1 AS a ORDER BY a) SELECT a FROM q", 1033),
        ("SELECT a FROM (SELECT 1 AS a OPTION (MAXDOP 1)) AS q", 156),
        ("SELECT * FROM (SELECT 1 AS a, 2 AS A) AS q", 8156),
        ("SELECT * FROM (SELECT 1 AS a, 2) AS q", 8155),
        ("WITH q AS (SELECT 1) SELECT * FROM q", 8155),
    ],
)
def test_what_no_derived_table_holds_is_refused(connect: Callable[[], Client], query: str, number: int) -> None:
    assert connect().refused(query) == number


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM (SELECT TOP 1 1 AS a ORDER BY a) AS q",
        "SELECT a FROM (SELECT 1 AS a ORDER BY a OFFSET 0 ROWS) AS q OPTION (MAXDOP 1)",
        "SELECT b FROM (SELECT 1) AS q (b)",
        "WITH q (b) AS (SELECT 1) SELECT b FROM q",
    ],
)
def test_what_a_derived_table_holds_is_read(connect: Callable[[], Client], query: str) -> None:
    assert connect().value(query) == 1
