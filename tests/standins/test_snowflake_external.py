"""External stages on the Snowflake stand-in: what LIST and COPY of the documentation say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from snowflake.connector.errors import ProgrammingError

from tests.standins.ask_snowflake import parquet, run, second
from tests.standins.snowflake import SnowflakeStandIn

COPY = (
    "COPY INTO t FROM @s/ FILES = ({files}) FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = {match} "
    'INCLUDE_METADATA = ("F" = METADATA$FILENAME, "R" = METADATA$FILE_ROW_NUMBER, "K" = METADATA$FILE_CONTENT_KEY, '
    '"M" = METADATA$FILE_LAST_MODIFIED) FORCE = TRUE ON_ERROR = ABORT_STATEMENT'
)


def staged(session: Any, folder: Path) -> None:
    run(session, f"CREATE STAGE s URL = '{folder.as_uri()}/' STORAGE_INTEGRATION = lake")
    run(session, "CREATE TABLE t (id NUMBER(19,0), a VARCHAR, f VARCHAR, r NUMBER, k VARCHAR, m TIMESTAMP_NTZ)")


def test_list_tells_url_size_checksum_and_time_of_what_is_below_the_path(session: Any, tmp_path: Path) -> None:
    staged(session, tmp_path)
    parquet(tmp_path, "a.parquet", ID=[1])
    parquet(tmp_path, "b.parquet", ID=[1])
    (row,) = run(session, "LIST @s/a")
    assert row[0] == f"{tmp_path.as_uri()}/a.parquet"
    assert row[1] == (tmp_path / "a.parquet").stat().st_size
    assert len(row[2]) == 32
    assert row[3].endswith(" GMT")


def test_copy_takes_the_files_that_are_named_with_their_names_rows_and_checksums(session: Any, tmp_path: Path) -> None:
    staged(session, tmp_path)
    parquet(tmp_path, "a.parquet", ID=[7, 8], A=["x", None])
    parquet(tmp_path, "b.parquet", ID=[9])
    for _ in range(2):
        (loaded,) = run(session, COPY.format(files="'a.parquet'", match="CASE_SENSITIVE"))
        assert loaded[1:4] == ("LOADED", 2, 2)
    name, key = str(tmp_path / "a.parquet").lstrip("/"), run(session, "LIST @s/a")[0][2]
    first = run(session, "SELECT id, a, f, r, k FROM t ORDER BY r, id")
    assert first == [(7, "x", name, 1, key)] * 2 + [(8, None, name, 2, key)] * 2


def test_a_column_that_does_not_match_is_null_and_so_is_a_value_of_another_type(session: Any, tmp_path: Path) -> None:
    staged(session, tmp_path)
    parquet(tmp_path, "a.parquet", id=[1], other=[2])
    parquet(tmp_path, "b.parquet", ID=["no number"])
    run(session, COPY.format(files="'a.parquet', 'b.parquet'", match="CASE_SENSITIVE"))
    assert run(session, "SELECT id, a FROM t") == [(None, None)] * 2


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (COPY.format(files="'gone.parquet'", match="CASE_SENSITIVE"), "was not found"),
        (COPY.format(files="'a.parquet'", match="NONE"), "INCLUDE_METADATA can only be used with"),
        (COPY.format(files=", ".join(["'a.parquet'"] * 1001), match="CASE_SENSITIVE"), "at most 1000"),
        (
            "COPY INTO t FROM (SELECT $1 FROM @s/) FILES = ('a.parquet') FILE_FORMAT = (TYPE = PARQUET) FORCE = TRUE "
            "VALIDATION_MODE = RETURN_ERRORS",
            "does not support COPY that transforms",
        ),
    ],
)
def test_what_the_documentation_refuses_is_refused(session: Any, tmp_path: Path, told: str, why: str) -> None:
    staged(session, tmp_path)
    parquet(tmp_path, "a.parquet", ID=[1])
    with pytest.raises(ProgrammingError, match=why):
        run(session, told)
    assert run(session, "SELECT count(*) FROM t") == [(0,)]


def test_an_external_stage_is_used_by_whom_usage_of_it_was_granted(
    standin: SnowflakeStandIn, session: Any, tmp_path: Path
) -> None:
    staged(session, tmp_path)
    parquet(tmp_path, "a.parquet", ID=[1])
    role = f"R_{session.schema}"
    for what in (f"DATABASE {session.database}", f"SCHEMA {session.database}.{session.schema}"):
        run(session, f"CREATE ROLE IF NOT EXISTS {role}")
        run(session, f"GRANT USAGE ON {what} TO ROLE {role}")
    with second(standin, session, role=role) as visitor:
        with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
            run(visitor, "LIST @s")
        run(session, f"GRANT USAGE ON STAGE {session.database}.{session.schema}.S TO ROLE {role}")
        assert len(run(visitor, "LIST @s")) == 1


def test_a_copy_in_a_transaction_is_undone_with_it(session: Any, tmp_path: Path) -> None:
    staged(session, tmp_path)
    parquet(tmp_path, "a.parquet", ID=[1])
    run(session, "BEGIN")
    run(session, COPY.format(files="'a.parquet'", match="CASE_SENSITIVE"))
    run(session, "ROLLBACK")
    assert run(session, "SELECT count(*) FROM t") == [(0,)]


TEXT = (
    "COPY INTO t (id, a, r) FROM (SELECT {chosen}, METADATA$FILE_ROW_NUMBER FROM @s/ x) FILES = ('a.csv') "
    "FILE_FORMAT = (TYPE = CSV {options}) {more}"
)
EXACT = """FIELD_OPTIONALLY_ENCLOSED_BY = '"' ESCAPE_UNENCLOSED_FIELD = NONE NULL_IF = ()"""


@pytest.mark.parametrize(
    ("data", "options", "rows"),
    [
        ('1,"a ""b"", c"\r\n2, x ', EXACT, [("1", 'a "b", c'), ("2", " x ")]),
        ('1,""\n2,\n3\n4,a,b\n', EXACT, [("1", ""), ("2", None), ("3", None), ("4", "a")]),
        ("1,\n", f"{EXACT} EMPTY_FIELD_AS_NULL = FALSE", [("1", "")]),
        ('1,"NULL"\n2,NULL\n', EXACT.replace("()", "('NULL')"), [("1", None), ("2", None)]),
        ("id,a\n1|x\n", f"{EXACT} SKIP_HEADER = 1 FIELD_DELIMITER = '0x7c'", [("1", "x")]),
        (
            "1+|x\ny&|2+|&|",
            f"{EXACT} FIELD_DELIMITER = '+|' RECORD_DELIMITER = '\\x26\\x7c'",
            [("1", "x\ny"), ("2", None)],
        ),
        ("1, x \n", f"{EXACT} TRIM_SPACE = TRUE", [("1", "x")]),
        ("1\n\n2\n", f"{EXACT} SKIP_BLANK_LINES = TRUE", [("1", None), ("2", None)]),
    ],
)
def test_copy_reads_text_as_is_documented(
    session: Any, tmp_path: Path, data: str, options: str, rows: list[tuple[str, str | None]]
) -> None:
    run(session, f"CREATE STAGE s URL = '{tmp_path.as_uri()}/'")
    run(session, "CREATE TABLE t (id VARCHAR, a VARCHAR, r NUMBER)")
    (tmp_path / "a.csv").write_bytes(data.encode())
    run(session, TEXT.format(chosen="x.$1, x.$2", options=options, more="FORCE = TRUE"))
    assert [row[:2] for row in run(session, "SELECT id, a, r FROM t ORDER BY r")] == rows


@pytest.mark.parametrize(
    ("data", "chosen", "options", "more", "why"),
    [
        ("1,a\n\n", "$1, $2", EXACT, "", "End of record reached"),
        ('1,"a"b\n', "$1, $2", EXACT, "", "instead of field delimiter"),
        ('1,"a', "$1, $2", EXACT, "", "expected an enclosing character"),
        ("1,a", "$1, $2", "FIELD_DELIMITER = 'aa' RECORD_DELIMITER = 'aabb'", "", "part of the other one"),
        ("1,a", "$1, $2", f"FIELD_DELIMITER = '{'|' * 21}'", "", "20 characters at most"),
        ("1,a", "$1, $2", "FIELD_OPTIONALLY_ENCLOSED_BY = '~'", "", "invalid value"),
        ("1,a", "$1, $2", "UNKNOWN = 1", "", "invalid parameter"),
        ('1,5" pipe', "$1, $2", EXACT, "", "not documented"),
        ("1,a\\,b", "$1, $2", "", "", "not documented"),
        ("1,a\rb\n", "$1, $2", EXACT, "", "not documented"),
        ("1,a", "HASH($1), $2", EXACT, "", "not supported within a COPY"),
        ("1,a", "$1, $2", EXACT, "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE", "match_by_column_name is not supported"),
        ("1,a", "$1, $2", EXACT, "VALIDATION_MODE = RETURN_ERRORS", "does not support COPY that transforms"),
        ("1,\udcff", "$1, $2", EXACT, "", "Invalid UTF8"),
    ],
)
def test_text_that_copy_does_not_read_or_of_which_nothing_says_how_ends_it(
    session: Any, tmp_path: Path, data: str, chosen: str, options: str, more: str, why: str
) -> None:
    run(session, f"CREATE STAGE s URL = '{tmp_path.as_uri()}/'")
    run(session, "CREATE TABLE t (id VARCHAR, a VARCHAR, r NUMBER)")
    (tmp_path / "a.csv").write_bytes(data.encode(errors="surrogateescape"))
    with pytest.raises(ProgrammingError, match=why):
        run(session, TEXT.format(chosen=chosen, options=options, more=f"FORCE = TRUE {more}"))
    assert run(session, "SELECT count(*) FROM t") == [(0,)]


def test_a_file_that_the_table_has_is_passed_over_unless_force_is_said(session: Any, tmp_path: Path) -> None:
    run(session, f"CREATE STAGE s URL = '{tmp_path.as_uri()}/'")
    run(session, "CREATE TABLE t (id VARCHAR, a VARCHAR, r NUMBER)")
    (tmp_path / "a.csv").write_text("1,a\n")
    copy = TEXT.format(chosen="$1, $2", options=EXACT, more="{}")
    run(session, copy.format(""))
    assert run(session, copy.format("FORCE = FALSE")) == [("Copy executed with 0 files processed.",)]
    run(session, copy.format("FORCE = TRUE"))
    (tmp_path / "a.csv").write_text("2,a\n")
    run(session, copy.format(""))
    assert run(session, "SELECT id FROM t ORDER BY id") == [("1",), ("1",), ("2",)]
    assert run(session, "SELECT MD5_NUMBER_LOWER64('Snowflake')") == [(9203306159527282910,)]
