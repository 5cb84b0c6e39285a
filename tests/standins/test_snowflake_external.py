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
