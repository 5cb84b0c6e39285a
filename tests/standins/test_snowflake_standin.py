"""What the Snowflake stand-in must do for the real connector."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.errors import DatabaseError, IntegrityError, ProgrammingError

from tests.standins.ask_snowflake import parquet, run, second
from tests.standins.snowflake import SnowflakeStandIn

UTC = dt.UTC


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


@pytest.mark.parametrize(
    ("statement", "errno", "sqlstate"),
    [
        ("SELECT * FROM nowhere", 2003, "42S02"),
        ("SELECT nothing FROM (SELECT 1 AS a)", 904, "42000"),
        ("CREATE TABLE no_schema.t (a INT)", 2003, "02000"),
        ("SELEKT 1", 1003, "42000"),
        ("SELECT no_such_function(1)", 2140, "42601"),
        ("SELECT max(CASE WHEN a IN (SELECT 1) THEN a END) FROM (SELECT 1 AS a)", 2031, "42601"),
        (
            "WITH t AS (SELECT 1 AS a), u AS (SELECT 1 AS a) "
            "SELECT * FROM t WHERE a = 2 OR EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
            2031,
            "42601",
        ),
        ("CREATE STREAM s ON TABLE t", 2, "0A000"),
        ("CREATE TASK t AS SELECT 1", 2, "0A000"),
        ("GET @s file:///tmp", 2, "0A000"),
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


def test_a_temporary_table_made_of_a_query_takes_no_null_where_it_says_so(session: Any) -> None:
    with pytest.raises(IntegrityError) as failed:
        run(session, "CREATE TEMPORARY TABLE n (a INT NOT NULL) AS SELECT NULL AS a")
    assert failed.value.errno == 100072


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
