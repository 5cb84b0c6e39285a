"""What the Snowflake stand-in must do for the real connector, dlt's real destination and dbt-snowflake."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowflake.connector
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dbt.cli.main import dbtRunner
from snowflake.connector.errors import DatabaseError, IntegrityError, ProgrammingError

from tests.standins.snowflake import SnowflakeStandIn

UTC = dt.UTC
COPY = (
    "COPY INTO {table} FROM {stage} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE "
    "USE_VECTORIZED_SCANNER = TRUE) MATCH_BY_COLUMN_NAME = {match} ON_ERROR = ABORT_STATEMENT PURGE = {purge}"
)


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture
def session(standin: SnowflakeStandIn) -> Iterator[Any]:
    """A connection in a schema of the test's own."""
    name = f"S_{uuid.uuid4().hex.upper()}"
    with snowflake.connector.connect(**standin.connection_parameters()) as connection:
        connection.cursor().execute(f"CREATE OR REPLACE SCHEMA {name}")
        yield connection


def run(connection: Any, sql: str, *args: Any, **kwargs: Any) -> list[Any]:
    return list(connection.cursor().execute(sql, *args, **kwargs).fetchall())


def second(standin: SnowflakeStandIn, session: Any, **changes: Any) -> Any:
    return snowflake.connector.connect(**standin.connection_parameters(schema=session.schema, **changes))


def parquet(directory: Path, name: str, **columns: Any) -> str:
    pq.write_table(pa.table(columns), directory / name)
    return (directory / name).as_uri()


# -- connecting -------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_refused_with_snowflakes_number(standin: SnowflakeStandIn) -> None:
    with pytest.raises(DatabaseError) as refused:
        snowflake.connector.connect(**standin.connection_parameters(password="wrong"))
    assert refused.value.errno in {250001, 390100}
    assert "Incorrect username or password" in str(refused.value)


def test_a_key_pair_opens_a_session(standin: SnowflakeStandIn) -> None:
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    parameters = standin.connection_parameters(authenticator="SNOWFLAKE_JWT", private_key=key)
    del parameters["password"]
    with snowflake.connector.connect(**parameters) as connection:
        assert run(connection, "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE()") == [
            ("EL_USER", "LOADER", "LOADING")
        ]


def test_stand_ins_share_no_data_and_keep_it_between_starts_where_asked(tmp_path: Path) -> None:
    with SnowflakeStandIn(db_path=tmp_path) as kept, SnowflakeStandIn() as other:
        with snowflake.connector.connect(**kept.connection_parameters()) as connection:
            run(connection, "CREATE TABLE kept (a INT) COMMENT = 'stays'")
            run(connection, "INSERT INTO kept VALUES (1)")
            run(connection, "CREATE STAGE files")
            run(connection, f"PUT {parquet(tmp_path, 'f.parquet', a=[1])} @files AUTO_COMPRESS = FALSE")
        with (
            snowflake.connector.connect(**other.connection_parameters()) as connection,
            pytest.raises(ProgrammingError, match="does not exist or not authorized"),
        ):
            run(connection, "SELECT * FROM kept")
    with (
        SnowflakeStandIn(db_path=tmp_path) as again,
        snowflake.connector.connect(**again.connection_parameters()) as connection,
    ):
        assert run(connection, "SELECT * FROM kept") == [(1,)]
        assert run(connection, "SELECT comment FROM information_schema.tables") == [("stays",)]
        assert [row[0] for row in run(connection, "LIST @files")] == ["files/f.parquet"]


# -- values and results -----------------------------------------------------------------------------------------


def test_every_type_comes_back_as_it_went_in_and_null_as_null(session: Any) -> None:
    run(
        session,
        "CREATE TABLE t (n NUMBER(38,0) NOT NULL, d NUMBER(38,10), i INT, f FLOAT, v VARCHAR(20), b BINARY, j VARIANT,"
        " ntz TIMESTAMP_NTZ, tz TIMESTAMP_TZ, da DATE, t TIME, bo BOOLEAN)",
    )
    big, fraction = 10**38 - 1, Decimal("1234567890123456789012345678.0123456789")
    run(
        session,
        f"INSERT INTO t SELECT {big}, {fraction}, 5, 1.5, 'ä😀', TO_BINARY('00ff', 'HEX'), PARSE_JSON('{{\"a\": 1}}'),"
        " '9999-12-31 23:59:59.999999'::TIMESTAMP_NTZ, '1900-01-01 00:00:00.000001 +02:00'::TIMESTAMP_TZ,"
        " '0001-01-01'::DATE, '23:59:59.999999'::TIME, TRUE",
    )
    run(session, "INSERT INTO t (n) VALUES (-1)")
    full, empty = run(session, "SELECT * FROM t ORDER BY n DESC")
    assert full[:5] == (big, fraction, 5, 1.5, "ä😀")
    assert bytes(full[5]) == b"\x00\xff"
    assert json.loads(full[6]) == {"a": 1}
    assert full[7] == dt.datetime(9999, 12, 31, 23, 59, 59, 999999)
    assert full[8] == dt.datetime(1899, 12, 31, 22, 0, 0, 1, tzinfo=UTC)
    assert full[9:] == (dt.date(1, 1, 1), dt.time(23, 59, 59, 999999), True)
    assert empty == (-1, *[None] * 11)
    table = session.cursor().execute("SELECT * FROM t ORDER BY n DESC").fetch_arrow_all()
    assert table.schema.field("D").type == pa.decimal128(38, 10)
    assert table.column("NTZ").to_pylist() == [full[7], None]


def test_sums_are_exact(session: Any) -> None:
    run(session, "CREATE TABLE t (i INT, d NUMBER(38,4))")
    run(session, "INSERT INTO t VALUES (9223372036854775807, 12345678901234567890.0001), (1, 0.1)")
    exact = (2**63, Decimal("12345678901234567890.1001"))
    cursor = session.cursor().execute("SELECT SUM(i), SUM(d) FROM t")
    assert cursor.fetchall() == [exact]
    assert [column[0] for column in cursor.description] == ["SUM(I)", "SUM(D)"]


def test_results_are_fetched_as_arrow_batches(session: Any) -> None:
    cursor = session.cursor().execute("SELECT seq AS n FROM (SELECT UNNEST(RANGE(20000)) AS seq)")
    assert sum(batch.num_rows for batch in cursor.fetch_arrow_batches()) == 20000


def test_parameters_are_bound_in_both_styles(standin: SnowflakeStandIn, session: Any) -> None:
    values = (1, "it's", dt.date(2020, 1, 2), None, Decimal("1.5"), True, dt.datetime(2020, 1, 1, 1, 2, 3, 4))
    assert run(session, "SELECT %s, %s, %s, %s", (1, "it's", None, "ä")) == [(1, "it's", None, "ä")]
    with second(standin, session, paramstyle="qmark") as other:
        assert run(other, f"SELECT {', '.join('?' * len(values))}", values) == [values]
        run(other, "CREATE TABLE many (a INT, b VARCHAR)")
        other.cursor().executemany("INSERT INTO many VALUES (?, ?)", [(1, "a"), (2, None)])
        assert run(other, "SELECT * FROM many ORDER BY a") == [(1, "a"), (2, None)]


def test_names_in_quotes_keep_their_case_blanks_quotes_and_dots(session: Any) -> None:
    run(session, 'CREATE TABLE "Mixed ""q"".dot" ("a b" INT, "select" VARCHAR, "Ünï" INT, at INT)')
    run(session, 'INSERT INTO "Mixed ""q"".dot" VALUES (1, \'x\', 2, 3)')
    cursor = session.cursor().execute('SELECT * FROM "Mixed ""q"".dot"')
    assert [column[0] for column in cursor.description] == ["a b", "select", "Ünï", "AT"]
    assert [row[0] for row in run(session, 'DESCRIBE TABLE "Mixed ""q"".dot"')] == ["a b", "select", "Ünï", "AT"]


def test_several_statements_go_in_one_call_only_where_asked(session: Any) -> None:
    cursor = session.cursor().execute("SELECT 1; SELECT ';' ; -- no more", num_statements=0)
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset().fetchall() == [(";",)]
    with pytest.raises(ProgrammingError, match="statement count 2 did not match") as refused:
        run(session, "SELECT 1; SELECT 2")
    assert refused.value.errno == 8


# -- transactions and writers -----------------------------------------------------------------------------------


def test_a_transaction_is_seen_by_others_at_its_commit_and_not_before(standin: SnowflakeStandIn, session: Any) -> None:
    run(session, "CREATE TABLE t (a INT)")
    with second(standin, session) as other:
        run(session, "BEGIN")
        run(session, "INSERT INTO t VALUES (1)")
        assert run(other, "SELECT COUNT(*) FROM t") == [(0,)]
        run(session, "COMMIT")
        assert run(other, "SELECT COUNT(*) FROM t") == [(1,)]
        run(session, "BEGIN")
        run(session, "DELETE FROM t")
        run(session, "ROLLBACK")
        assert run(other, "SELECT COUNT(*) FROM t") == [(1,)]


def test_ddl_commits_the_open_transaction(session: Any) -> None:
    run(session, "CREATE TABLE t (a INT)")
    run(session, "BEGIN")
    run(session, "INSERT INTO t VALUES (1)")
    run(session, "CREATE TABLE other (a INT)")
    run(session, "ROLLBACK")
    assert run(session, "SELECT COUNT(*) FROM t") == [(1,)]


def test_a_closed_or_ended_session_leaves_nothing_uncommitted(standin: SnowflakeStandIn, session: Any) -> None:
    run(session, "CREATE TABLE t (a INT)")
    run(session, "INSERT INTO t VALUES (1)")
    closed, lost = second(standin, session), second(standin, session)
    for other in (closed, lost):
        run(other, "BEGIN")
        run(other, "UPDATE t SET a = 2")
        if other is closed:
            other.close()
    standin.end_sessions()
    lost.close()
    with second(standin, session) as after:
        run(after, "UPDATE t SET a = a + 10")
        assert run(after, "SELECT a FROM t") == [(11,)]


def test_concurrent_merges_of_one_key_insert_it_once_and_lose_no_update(
    standin: SnowflakeStandIn, session: Any
) -> None:
    run(session, "CREATE TABLE t (k INT, n INT)")
    failed: list[BaseException] = []

    def write() -> None:
        try:
            with second(standin, session) as own:
                for _ in range(5):
                    run(own, "BEGIN")
                    run(
                        own,
                        "MERGE INTO t USING (SELECT 1 AS k) s ON t.k = s.k WHEN MATCHED THEN UPDATE SET t.n = t.n + 1"
                        " WHEN NOT MATCHED THEN INSERT (k, n) VALUES (s.k, 1)",
                    )
                    run(own, "COMMIT")
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    assert run(session, "SELECT * FROM t") == [(1, 20)]


def test_merge_counts_what_it_did_and_refuses_two_source_rows_for_one_target(session: Any) -> None:
    run(session, "CREATE TABLE t (k INT, v VARCHAR)")
    run(session, "INSERT INTO t VALUES (1, 'old'), (2, 'gone')")
    merge = (
        "MERGE INTO t USING (SELECT column1 AS k, column2 AS v FROM VALUES {}) AS s ON t.k = s.k"
        " WHEN MATCHED AND s.v IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET t.v = s.v"
        " WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
    )
    cursor = session.cursor().execute(merge.format("(1, 'new'), (2, NULL), (3, 'c')"))
    assert cursor.rowcount == 3
    assert dict(zip([c[0] for c in cursor.description], cursor.fetchone(), strict=True)) == {
        "number of rows inserted": 1,
        "number of rows updated": 1,
        "number of rows deleted": 1,
    }
    assert run(session, "SELECT * FROM t ORDER BY k") == [(1, "new"), (3, "c")]
    with pytest.raises(ProgrammingError) as refused:
        run(session, merge.format("(1, 'x'), (1, 'y')"))
    assert refused.value.errno == 100090


def test_a_temporary_table_hides_a_permanent_one_in_its_own_session_only(
    standin: SnowflakeStandIn, session: Any
) -> None:
    schema = session.schema
    run(session, "CREATE TABLE t AS SELECT 'permanent' AS v")
    with second(standin, session) as other:
        run(other, f"CREATE OR REPLACE TEMPORARY TABLE EL.{schema}.t AS SELECT 'temporary' AS v")
        run(other, f"CREATE TEMPORARY VIEW EL.{schema}.w AS SELECT t.v FROM t")
        assert run(other, f"SELECT t.v FROM EL.{schema}.t") == [("temporary",)]
        assert [row[0] for row in run(other, f"DESCRIBE TABLE EL.{schema}.w")] == ["V"]
        assert run(session, "SELECT v FROM t") == [("permanent",)]
        assert [row[1] for row in run(session, "SHOW OBJECTS")] == ["T"]
    with second(standin, session) as later:
        assert run(later, "SELECT v FROM t") == [("permanent",)]
        with pytest.raises(ProgrammingError):
            run(later, "SELECT * FROM w")


# -- stages and COPY --------------------------------------------------------------------------------------------


def test_parquet_is_copied_from_named_and_table_stages_by_column_name(session: Any, tmp_path: Path) -> None:
    run(session, 'CREATE TABLE t (id NUMBER(38,0), "Name" VARCHAR, at TIMESTAMP_NTZ, missing INT)')
    run(session, 'CREATE STAGE "my stage"')
    file = parquet(
        tmp_path,
        "f.parquet",
        ID=[1, 2],
        Name=["a", None],
        at=[dt.datetime(2020, 1, 1, microsecond=7)] * 2,
        extra=[1, 2],
    )
    put = run(session, f"PUT '{file}' '@\"my stage\"/\"load 1\"' AUTO_COMPRESS = FALSE, OVERWRITE = TRUE")
    assert [row[1] for row in put] == ["f.parquet"]
    from_named = COPY.format(
        table="t", stage='\'@"my stage"/"load 1"/f.parquet\'', match="CASE_INSENSITIVE", purge="FALSE"
    )
    (loaded,) = run(session, from_named)
    assert loaded[1:4] == ("LOADED", 2, 2)
    assert run(session, "SELECT * FROM t ORDER BY id")[0] == (1, "a", dt.datetime(2020, 1, 1, microsecond=7), None)
    assert len(run(session, 'LIST @"my stage"')) == 1

    run(session, f"PUT {file} @%t AUTO_COMPRESS = FALSE")
    run(session, COPY.format(table="t", stage="@%t", match="CASE_SENSITIVE", purge="TRUE"))
    assert run(session, 'SELECT id, "Name", at FROM t WHERE at IS NULL ORDER BY id') == [
        (1, "a", None),
        (2, None, None),
    ]
    assert run(session, "LIST @%t") == []


def test_a_file_is_loaded_once_and_again_when_it_is_put_again(session: Any, tmp_path: Path) -> None:
    run(session, "CREATE TABLE t (id INT)")
    run(session, "CREATE STAGE s")
    file = parquet(tmp_path, "f.parquet", id=[1])
    copy = COPY.format(table="t", stage="@s", match="CASE_INSENSITIVE", purge="FALSE")
    states = []
    for put_first in (True, False, True):
        if put_first:
            run(session, f"PUT {file} @s AUTO_COMPRESS = FALSE OVERWRITE = TRUE")
        states += [row[1] for row in run(session, copy)]
    assert states == ["LOADED", "LOAD_SKIPPED", "LOADED"]


def test_a_copy_that_fails_in_its_second_file_leaves_nothing(session: Any, tmp_path: Path) -> None:
    run(session, "CREATE TABLE t (id INT NOT NULL)")
    run(session, "CREATE STAGE s")
    for name, ids in (("a.parquet", [1]), ("b.parquet", [2, None])):
        run(session, f"PUT {parquet(tmp_path, name, id=ids)} @s AUTO_COMPRESS = FALSE")
    with pytest.raises(IntegrityError, match="NULL result in a non-nullable column"):
        run(session, COPY.format(table="t", stage="@s", match="CASE_INSENSITIVE", purge="FALSE"))
    assert run(session, "SELECT COUNT(*) FROM t") == [(0,)]


def test_remove_deletes_what_is_under_its_path_and_drop_stage_the_rest(session: Any, tmp_path: Path) -> None:
    run(session, "CREATE STAGE s")
    file = parquet(tmp_path, "f.parquet", id=[1])
    for path in ("one", "two"):
        run(session, f"PUT {file} @s/{path} AUTO_COMPRESS = FALSE")
    assert run(session, "REMOVE '@s/\"one\"/f.parquet'") == [("s/one/f.parquet", "removed")]
    assert [row[0] for row in run(session, "LIST @s")] == ["s/two/f.parquet"]
    run(session, "DROP STAGE s")
    run(session, "CREATE STAGE s")
    assert run(session, "LIST @s") == []


# -- the catalog ------------------------------------------------------------------------------------------------


def test_the_catalog_tells_types_comments_transience_views_and_exact_row_counts(session: Any) -> None:
    run(
        session,
        "CREATE TRANSIENT TABLE t (a NUMBER(10,2) NOT NULL COMMENT 'it''s a', b VARCHAR(20)) COMMENT = 'the table'",
    )
    run(session, "INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    run(session, "DELETE FROM t WHERE a < 3")
    run(session, "CREATE VIEW w AS SELECT * FROM t")
    run(session, 'ALTER TABLE t ALTER "A" COMMENT $$new a$$, "B" COMMENT $$the b$$')
    where = f"FROM information_schema.{{}} WHERE table_schema = '{session.schema}'"
    assert run(
        session, f"SELECT table_name, table_type, is_transient, row_count, comment {where.format('tables')} ORDER BY 1"
    ) == [("T", "BASE TABLE", "YES", 1, "the table"), ("W", "VIEW", "NO", None, None)]
    columns = "column_name, data_type, numeric_precision, numeric_scale, character_maximum_length, is_nullable, comment"
    query = f"SELECT {columns} {where.format('columns')} AND table_name = 'T' ORDER BY ordinal_position"
    assert run(session, query) == [
        ("A", "NUMBER", 10, 2, None, "NO", "new a"),
        ("B", "TEXT", None, None, 20, "YES", "the b"),
    ]
    assert [row[:2] for row in run(session, "DESCRIBE TABLE t")] == [("A", "NUMBER(10,2)"), ("B", "VARCHAR(20)")]


def test_tables_of_a_transient_schema_are_transient_until_it_is_made_anew(session: Any) -> None:
    mine = f"table_schema = '{session.schema}' AND table_name = 'T'"
    query = f"SELECT is_transient FROM information_schema.tables WHERE {mine}"
    for how, transient in (("TRANSIENT", "YES"), ("", "NO")):
        run(session, f"CREATE OR REPLACE {how} SCHEMA {session.schema}")
        run(session, "CREATE TABLE t (a INT)")
        assert run(session, query) == [(transient,)]


def test_keys_are_shown_in_their_order_and_never_enforced(session: Any) -> None:
    run(session, "CREATE TABLE p (b INT, a INT, u INT UNIQUE, CONSTRAINT pk PRIMARY KEY (a, b))")
    run(session, "INSERT INTO p VALUES (1, 1, 1), (1, 1, 1)")
    run(session, "CREATE TABLE c (x INT, y INT, FOREIGN KEY (x, y) REFERENCES p (a, b))")
    with pytest.raises(IntegrityError):
        run(session, "INSERT INTO p VALUES (NULL, 1, 1)")
    assert [row[3:7] for row in run(session, "SHOW PRIMARY KEYS IN TABLE p")] == [
        ("P", "A", 1, "PK"),
        ("P", "B", 2, "PK"),
    ]
    assert [row[3:5] for row in run(session, f"SHOW UNIQUE KEYS IN SCHEMA EL.{session.schema}")] == [("P", "U")]
    imported = [(row[3], row[4], row[7], row[8], row[9]) for row in run(session, "SHOW IMPORTED KEYS IN TABLE c")]
    assert imported == [("P", "A", "C", "X", 1), ("P", "B", "C", "Y", 2)]


def test_roles_warehouses_and_grants_are_accepted(session: Any) -> None:
    for statement in (
        "CREATE ROLE IF NOT EXISTS loader COMMENT = 'x'",
        "CREATE WAREHOUSE IF NOT EXISTS loading WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60",
        "GRANT USAGE ON DATABASE el TO ROLE loader",
        "GRANT SELECT ON FUTURE TABLES IN SCHEMA public TO ROLE loader",
        "GRANT ROLE loader TO USER el_user",
        "REVOKE ALL ON SCHEMA public FROM ROLE loader",
        "USE WAREHOUSE loading",
        "USE SECONDARY ROLES ALL",
        "USE ROLE transformer",
        "DROP ROLE IF EXISTS loader",
    ):
        run(session, statement)
    assert run(session, "SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE()") == [("TRANSFORMER", "LOADING")]


def test_every_query_is_kept_with_its_tag(standin: SnowflakeStandIn, session: Any) -> None:
    run(session, "ALTER SESSION SET QUERY_TAG = '{\"run\": 1}'")
    run(session, "SELECT 'tagged'")
    run(session, "SELECT 'tagged by statement'", _statement_params={"QUERY_TAG": "own"})
    assert run(session, "SHOW PARAMETERS LIKE 'query_tag' IN SESSION")[0][:2] == ("QUERY_TAG", '{"run": 1}')
    run(session, "ALTER SESSION UNSET QUERY_TAG")
    run(session, "SELECT 'untagged'")
    tags = {query.sql: query.tag for query in standin.queries}
    assert [tags[f"SELECT '{which}'"] for which in ("tagged", "tagged by statement", "untagged")] == [
        '{"run": 1}',
        "own",
        "",
    ]


# -- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "errno", "sqlstate"),
    [
        ("SELECT * FROM nowhere", 2003, "42S02"),
        ("SELECT nothing FROM (SELECT 1 AS a)", 904, "42000"),
        ("CREATE TABLE no_schema.t (a INT)", 2003, "02000"),
        ("SELEKT 1", 1003, "42000"),
        ("SELECT no_such_function(1)", 2140, "42601"),
        ("CREATE STREAM s ON TABLE t", 2, "0A000"),
        ("CREATE TASK t AS SELECT 1", 2, "0A000"),
        ("GET @s file:///tmp", 2, "0A000"),
        ("SHOW GRANTS TO ROLE loader", 2, "0A000"),
    ],
)
def test_a_statement_that_cannot_run_fails_at_once_with_its_text(
    session: Any, statement: str, errno: int, sqlstate: str
) -> None:
    started = time.monotonic()
    with pytest.raises(ProgrammingError) as failed:
        run(session, statement)
    assert time.monotonic() - started < 2
    assert (failed.value.errno, failed.value.sqlstate) == (errno, sqlstate)
    if sqlstate == "0A000":
        assert statement in str(failed.value)


def test_failures_are_injected_before_a_statement_runs_or_after_it_committed(
    standin: SnowflakeStandIn, session: Any
) -> None:
    run(session, "CREATE TABLE faulty (a INT)")
    for after, rows in ((False, 0), (True, 1)):
        standin.fail("INSERT INTO faulty", after=after)
        with pytest.raises(ProgrammingError) as failed:
            run(session, "INSERT INTO faulty VALUES (1)")
        assert failed.value.errno == 603
        assert run(session, "SELECT COUNT(*) FROM faulty") == [(rows,)]


# -- dlt --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own_tables", [None, "parquet"])
def test_dlt_loads_arrow_twice_over_a_named_stage_and_finds_its_state_in_a_fresh_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_tables: str | None
) -> None:
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID", "true")
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    # el turns it off for its own pipelines, in the same process when tests of runs came before.
    dlt.config["restore_from_destination"] = True

    def load(standin: SnowflakeStandIn, directory: str, **extra: Any) -> dict[str, Any]:
        table = pa.table(
            {
                "Order Id": pa.array([1, 2], pa.int64()),
                "amount": pa.array([Decimal("1.5"), None], pa.decimal128(38, 10)),
                "at": pa.array([dt.datetime(9999, 12, 31, 23, 59, 59, 999999)] * 2, pa.timestamp("us")),
                "bits": pa.array([b"\x00\xff", None]),
                **extra,
            }
        )

        @dlt.resource(name="orders", write_disposition="append", file_format="parquet")
        def orders() -> Iterator[pa.Table]:
            state = dlt.current.resource_state()
            state["runs"] = state.get("runs", 0) + 1
            yield table

        others = [
            dlt.resource([table], name=f"other_{i}", write_disposition="append", file_format="parquet")
            for i in range(4)
        ]
        settings = {"preferred_loader_file_format": own_tables} if own_tables else {}
        destination = dlt.destinations.snowflake(
            credentials=standin.dlt_credentials(),
            stage_name="RAW.PUBLIC.LOADS",
            keep_staged_files=False,
            use_vectorized_scanner=True,
            query_tag='{{"table": "{table}"}}',
            **settings,
        )
        pipeline = dlt.pipeline(
            "standin", pipelines_dir=str(tmp_path / directory), destination=destination, dataset_name="shop"
        )
        pipeline.run([orders, *others]).raise_on_failed_jobs()
        return dict(pipeline.state["sources"]["standin"]["resources"]["orders"])

    with SnowflakeStandIn(database="RAW") as standin:
        with snowflake.connector.connect(**standin.connection_parameters()) as connection:
            run(connection, "CREATE STAGE RAW.PUBLIC.LOADS")
        assert load(standin, "first") == {"runs": 1}
        assert load(standin, "second", added=["x", "y"]) == {"runs": 2}
        with snowflake.connector.connect(**standin.connection_parameters()) as connection:
            assert run(
                connection, "SELECT COUNT(*), COUNT(added), COUNT(_dlt_load_id), MAX(bits) FROM shop.orders"
            ) == [(4, 2, 4, bytearray(b"\x00\xff"))]
            assert run(connection, "SELECT COUNT(*) FROM shop.other_3") == [(4,)]
            assert run(connection, "SELECT COUNT(*) FROM shop._dlt_loads WHERE status = 0") == [(2,)]
            assert run(connection, "LIST @RAW.PUBLIC.LOADS") == []
        copies = [query for query in standin.queries if query.sql.startswith("COPY") and "other_0" in query.sql.lower()]
        assert [query.tag for query in copies] == ['{"table": "other_0"}'] * 2


# -- dbt --------------------------------------------------------------------------------------------------------


def test_dbt_builds_twice_and_again_after_changes_and_documents(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "snowflake_project", project)
    with SnowflakeStandIn() as standin, snowflake.connector.connect(**standin.connection_parameters()) as connection:
        profile = {"shop": {"target": "standin", "outputs": {"standin": standin.dbt_output(schema="ANALYTICS")}}}
        (project / "profiles.yml").write_text(yaml.safe_dump(profile))

        def dbt(*command: str) -> dict[str, str]:
            where = [
                "--project-dir",
                str(project),
                "--profiles-dir",
                str(project),
                "--quiet",
                "--no-send-anonymous-usage-stats",
            ]
            result = dbtRunner().invoke([*command, *where])
            assert result.success, (command, result.exception, [query for query in standin.queries if query.error])
            return {r.node.name: str(r.status) for r in getattr(result.result, "results", []) if hasattr(r, "node")}

        run(connection, "CREATE SCHEMA raw")
        run(
            connection,
            "CREATE TRANSIENT TABLE raw.orders (id NUMBER(38,0), amount NUMBER(12,2), country VARCHAR,"
            " at TIMESTAMP_NTZ, loaded_at TIMESTAMP_NTZ)",
        )
        insert = "INSERT INTO raw.orders SELECT {}, '{}', '{}'::TIMESTAMP_NTZ, CURRENT_TIMESTAMP()::TIMESTAMP_NTZ"
        run(connection, insert.format("1, 1.5", "DE", "2024-01-01"))
        run(connection, insert.format("2, 2.5", "FR", "2024-01-02"))
        assert set(dbt("build").values()) == {"success", "pass"}
        assert set(dbt("build").values()) == {"success", "pass"}
        run(connection, "UPDATE raw.orders SET amount = 9, at = '2024-02-01' WHERE id = 1")
        run(connection, "DELETE FROM raw.orders WHERE id = 2")
        run(connection, insert.format("3, 3.5", "DE", "2024-02-02"))
        assert set(dbt("build").values()) == {"success", "pass"}

        def amounts(table: str, more: str = "") -> list[Any]:
            return [(i, float(a)) for i, a in run(connection, f"SELECT id, amount FROM {table} {more} ORDER BY 1, 2")]

        assert amounts("analytics.orders") == [(1, 9.0), (3, 3.5)]
        assert amounts("analytics.inc_merge") == [(1, 9.0), (2, 2.5), (3, 3.5)]
        assert amounts("analytics.inc_append") == [(1, 1.5), (1, 9.0), (2, 2.5), (3, 3.5)]
        assert amounts("analytics.inc_delete_insert") == [(1, 9.0), (2, 2.5), (3, 3.5)]
        current = "WHERE dbt_valid_to IS NULL"
        assert amounts("analytics_snapshots.orders_by_check") == [(1, 1.5), (1, 9.0), (2, 2.5), (3, 3.5)]
        assert amounts("analytics_snapshots.orders_by_check", current) == [(1, 9.0), (3, 3.5)]
        assert amounts("analytics_snapshots.orders_by_time", current) == [(1, 9.0), (2, 2.5), (3, 3.5)]

        assert set(dbt("source", "freshness").values()) == {"pass"}
        dbt("docs", "generate")
        catalog = json.loads((project / "target" / "catalog.json").read_text())
        staged, orders = catalog["nodes"]["model.shop.stg_orders"], catalog["nodes"]["model.shop.orders"]
        assert (staged["metadata"]["type"], staged["metadata"]["comment"]) == ("VIEW", "staged 'orders'")
        assert orders["metadata"]["type"] == "BASE TABLE"
        assert orders["columns"]["ID"] == {"type": "NUMBER", "index": 1, "name": "ID", "comment": "the key"}
        assert orders["stats"]["row_count"]["value"] == 2
        assert catalog["errors"] is None
        assert "dbt_shop" in {query.tag for query in standin.queries}
