"""`python -m el write TABLE FILE`: scores from a file into a table, all or none, the same file once."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from el.cli import write
from el.cli.app import main
from el.connectors.base import WriteMode

Said = pytest.CaptureFixture[str]
PROFILES = """
warehouse:
  target: local
  outputs:
    local: {type: duckdb, path: warehouse.duckdb}
    staging: {type: duckdb, path: warehouse.duckdb, access: staging}
"""


@pytest.fixture
def place(folder: Path) -> Path:
    (folder / "profiles.yml").write_text(PROFILES)
    with duckdb.connect("warehouse.duckdb") as warehouse:
        warehouse.execute("CREATE SCHEMA scores")
    return folder


def rows(sql: str = "SELECT * FROM scores.churn ORDER BY ALL") -> list[tuple[Any, ...]]:
    with duckdb.connect("warehouse.duckdb") as warehouse:
        return warehouse.execute(sql).fetchall()


def call(*arguments: str) -> int:
    return main(["write", "scores.churn", *arguments, "--profile", "warehouse"])


def made(sql: str) -> None:
    with duckdb.connect("warehouse.duckdb") as warehouse:
        warehouse.execute(sql)


@pytest.mark.parametrize("flags", [(), ("--create",)], ids=["plain", "create"])
def test_a_schema_that_is_not_there_is_named_with_the_statement_that_makes_it(
    place: Path, capsys: Said, flags: tuple[str, ...]
) -> None:
    (place / "s.csv").write_text("id\n1\n")
    assert main(["write", "analytics.churn", "s.csv", *flags, "--profile", "warehouse"]) == 1
    said = capsys.readouterr().err
    assert "analytics.churn: there is no schema analytics" in said
    assert 'CREATE SCHEMA "analytics"' in said
    made('CREATE SCHEMA "analytics"')
    assert main(["write", "analytics.churn", "s.csv", "--create", "--profile", "warehouse"]) == 0


def test_a_parquet_file_makes_the_table_with_its_own_types(place: Path, capsys: Said) -> None:
    data = pa.table({"id": [1, 2], "p": pa.array([Decimal("0.1250"), None], pa.decimal128(5, 4)), "v": [[0.5], None]})
    pq.write_table(data, "s.parquet")
    assert call("s.parquet") == 1
    assert "there is no table scores.churn; `--create`" in capsys.readouterr().err
    assert call("s.parquet", "--create") == 0
    assert capsys.readouterr().out.startswith("scores.churn: 2 rows written (append), run file-")
    assert rows() == [(1, Decimal("0.1250"), "[0.5]"), (2, None, None)]


def test_the_same_file_is_written_once_and_another_run_id_writes_it_again(place: Path, capsys: Said) -> None:
    Path("s.csv").write_text("id\n1\n")
    assert call("s.csv", "--create") == call("s.csv", "--create") == 0
    assert "was written before; nothing was changed" in capsys.readouterr().out
    assert rows() == [("1",)]
    assert call("s.csv", "--run-id", "monday") == call("s.csv", "--run-id", "monday") == 0
    assert rows() == [("1",), ("1",)]


def test_merge_updates_by_its_key(place: Path) -> None:
    made("CREATE TABLE scores.churn (id BIGINT, p DOUBLE); INSERT INTO scores.churn VALUES (1, 0.5), (2, 0.5)")
    Path("s.csv").write_text("id,p\n2,0.75\n3,1e-300\n")
    assert call("s.csv", "--mode", "merge", "--key", "id") == 0
    assert rows() == [(1, 0.5), (2, 0.75), (3, 1e-300)]


def test_a_csv_has_the_types_of_the_table(place: Path) -> None:
    made(
        "CREATE TABLE scores.churn (id BIGINT, code VARCHAR, amount DECIMAL(10,2), day DATE, seen TIMESTAMP, "
        "there TIMESTAMPTZ, sure BOOLEAN, p DOUBLE)"
    )
    Path("s.csv").write_text(
        "id,code,amount,day,seen,there,sure,p\n1,007,12.50,2024-02-29,2024-02-29 12:30:15.123456,"
        '2024-02-29T12:30:15+02:00,true,nan\n2,"",,,,,,\n3,"a\n""b""",-0.01,0001-01-01,,,false,-0.5\n'
    )
    assert call("s.csv") == 0
    found = rows(
        "SELECT id, code, amount, day, CAST(seen AS VARCHAR), epoch(there), sure FROM scores.churn ORDER BY id"
    )
    moment = "2024-02-29 12:30:15.123456"
    assert found == [
        (1, "007", Decimal("12.50"), date(2024, 2, 29), moment, 1709202615.0, True),
        (2, "", None, None, None, None, None),
        (3, 'a\n"b"', Decimal("-0.01"), date(1, 1, 1), None, None, False),
    ]
    assert math.isnan(rows("SELECT p FROM scores.churn WHERE id = 1")[0][0])


@pytest.mark.parametrize(
    ("field", "says"),
    [("x", "row 2, column 'amount': 'x' is no"), ("1.234", "row 2, column 'amount': '1.234' is no")],
)
def test_a_value_that_does_not_fit_is_named_with_its_row(place: Path, capsys: Said, field: str, says: str) -> None:
    made("CREATE TABLE scores.churn (id BIGINT, amount DECIMAL(10,2))")
    Path("s.csv").write_text(f"id,amount\n1,1.23\n2,{field}\n")
    assert call("s.csv") == 1
    assert says in capsys.readouterr().err
    assert rows() == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("none.csv",), 2, "none.csv: No such file or directory"),
        (("s.txt",), 2, "s.txt: a file that is written is .parquet or .csv"),
        (("broken.parquet",), 1, "broken.parquet: "),
        (("twice.csv",), 2, "twice.csv: line 1 has a name twice"),
        (("ragged.csv",), 1, "Expected 2 columns, got 3"),
        (("s.csv", "--mode", "merge"), 2, "--mode merge needs --key COLUMN"),
        (("s.csv", "--key", "id"), 2, "--key is of --mode merge"),
        (("s.csv", "--target", "staging"), 3, "staging"),
        (("more.csv",), 1, "has no column 'more' to write to"),
    ],
)
def test_what_is_wrong_is_one_line_and_writes_nothing(
    place: Path, capsys: Said, arguments: tuple[str, ...], code: int, says: str
) -> None:
    made("CREATE TABLE scores.churn (id BIGINT, b BIGINT)")
    for name, text in {
        "s.txt": "id\n1\n",
        "s.csv": "id\n1\n",
        "broken.parquet": "no parquet",
        "twice.csv": "id,id\n1,2\n",
        "ragged.csv": "id,b\n1,2,3\n",
        "more.csv": "id,more\n1,2\n",
    }.items():
        Path(name).write_text(text)
    assert call(*arguments) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert rows() == []


def test_a_table_without_its_schema_is_refused(place: Path, capsys: Said) -> None:
    assert main(["write", "churn", "s.csv", "--profile", "warehouse"]) == 2
    assert "write it as schema.table" in capsys.readouterr().err


def test_the_destination_of_el_yml_is_where_it_goes_by_itself(place: Path) -> None:
    (place / "el.yml").write_text("version: 1\nsource: warehouse\ndestination: warehouse\ntables: [{name: a.b}]\n")
    Path("s.csv").write_text("id\n1\n")
    assert main(["write", "scores.churn", "s.csv", "--create"]) == 0
    assert rows() == [("1",)]


def test_the_modes_are_those_of_write_buffer() -> None:
    assert set(write.MODES) == set(WriteMode)
