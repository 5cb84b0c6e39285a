"""Stages, COPY and the catalog on the Snowflake stand-in."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector.errors import IntegrityError, ProgrammingError

from tests.standins.ask_snowflake import COPY, parquet, run
from tests.standins.snowflake import SnowflakeStandIn


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


def test_copy_names_a_thousand_files_at_most(session: Any) -> None:
    run(session, "CREATE TABLE t (id INT)")
    run(session, "CREATE STAGE s")
    copy = COPY.format(table="t", stage="@s", match="CASE_INSENSITIVE", purge="FALSE")
    names = ", ".join(f"'{n}.parquet'" for n in range(1001))
    with pytest.raises(ProgrammingError, match="1000 at most"):
        run(session, f"{copy} FILES = ({names})")


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
        "CREATE ROLE IF NOT EXISTS visitor COMMENT = 'x'",
        "CREATE WAREHOUSE IF NOT EXISTS loading WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60",
        "GRANT USAGE ON DATABASE el TO ROLE visitor",
        "GRANT SELECT ON FUTURE TABLES IN SCHEMA public TO ROLE visitor",
        "GRANT ROLE visitor TO USER el_user",
        "REVOKE ALL ON SCHEMA public FROM ROLE visitor",
        "USE WAREHOUSE loading",
        "USE SECONDARY ROLES ALL",
        "USE ROLE transformer",
        "DROP ROLE IF EXISTS visitor",
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
