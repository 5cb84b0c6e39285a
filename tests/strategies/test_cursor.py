"""cursor: every type of column, and every way in which real columns misbehave: nothing skipped, nothing for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from el.cli import main
from el.connectors.catalog import SourceType
from el.connectors.request import Value
from el.strategies.cursor import minus
from tests.shop import Workspace
from tests.tsql_shop import TsqlShop


@pytest.fixture
def shop(tsql_shop: TsqlShop) -> TsqlShop:
    return tsql_shop


def table(shop: TsqlShop, type_: str, *rows: str, entry: str = "") -> TsqlShop:
    """dbo.t (id, c) with a cursor column c of this type, and rows (1, ...), (2, ...) of these values."""
    values = ", ".join(f"({number}, {value})" for number, value in enumerate(rows, 1))
    return shop.create(
        f"  - {{name: dbo.t, cursor: c{entry}}}",
        f"CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, c {type_})",
        *([f"INSERT INTO dbo.t VALUES {values}"] if rows else []),
    )


def run(shop: TsqlShop) -> tuple[str | None, int]:
    report = shop.el()["dbo.t"]
    return (report["kind"] if report["status"] == "loaded" else report["status"], report["rows"])


def ids(shop: TsqlShop) -> list[int]:
    return [row[0] for row in shop.state("t", "id", "id")]


STEPS = {
    "INT NOT NULL": ("-5", "0", "7"),
    "BIGINT NOT NULL": ("-9223372036854775808", "-1", "9223372036854775807"),
    "DECIMAL(20,4) NOT NULL": ("-0.0001", "0", "0.0001"),
    "FLOAT NOT NULL": ("-1.5e300", "0.1", "0.30000000000000004"),
    "VARCHAR(20) NOT NULL": ("''", "'a'", "'b'"),
    "NVARCHAR(20) NOT NULL": ("N'0009'", "N'0010'", "N'ä'"),
    "DATE NOT NULL": ("'0001-01-01'", "'2023-12-31'", "'2024-01-01'"),
    "DATETIME NOT NULL": ("'1753-01-01'", "'2024-01-01T00:00:00.003'", "'2024-01-01T00:00:00.007'"),
    "SMALLDATETIME NOT NULL": ("'1900-01-01'", "'2024-01-01T00:01:00'", "'2024-01-01T00:02:00'"),
    "DATETIME2(6) NOT NULL": ("'0001-01-01'", "'2024-01-01T00:00:00.000001'", "'2024-01-01T00:00:00.000002'"),
    "DATETIMEOFFSET(3) NOT NULL": (
        "'2024-01-01T00:00:00.001+02:00'",
        "'2024-01-01T00:00:00.001+00:00'",
        "'2024-01-01T00:00:00.002+00:00'",
    ),
}


@pytest.mark.parametrize("type_", STEPS)
def test_each_type_goes_on_behind_its_last_value_and_then_has_nothing_new(shop: TsqlShop, type_: str) -> None:
    first, second, third = STEPS[type_]
    table(shop, type_, first)
    assert run(shop) == ("snapshot", 1)
    for number, value in ((2, second), (3, third)):
        shop.sql(f"INSERT INTO dbo.t VALUES ({number}, {value})")
        kind, rows = run(shop)
        assert kind == "delta"
        # Dates and whole minutes bring the row at the bound again, for more of them may come.
        assert rows == (2 if type_.startswith(("DATE ", "SMALLDATETIME")) else 1)
    run(shop)
    assert run(shop)[0] in ("nothing new", "unchanged"), "no endless reading of the same row"
    assert ids(shop) == [1, 2, 3]


def test_zero_is_a_value_and_no_missing_bound(shop: TsqlShop) -> None:
    table(shop, "INT NOT NULL", "0")
    assert run(shop) == ("snapshot", 1)
    assert run(shop) == ("nothing new", 0)
    assert shop.ledger("upper_bound") == [("0",)]


def test_every_tick_of_a_datetime_is_told_from_its_neighbours(shop: TsqlShop) -> None:
    """A datetime has ticks of 1/300 s, whose texts end in 0, 3 and 7: a bound in text has to find its own tick."""
    table(shop, "DATETIME NOT NULL", "'2024-02-29T23:59:59.990'")
    run(shop)
    for number, tick in enumerate(("59.993", "59.997"), 2):
        shop.sql(f"INSERT INTO dbo.t VALUES ({number}, '2024-02-29T23:59:{tick}')")
        assert run(shop) == ("delta", 1)
        assert run(shop) == ("nothing new", 0)


def test_rows_that_come_later_with_the_date_of_the_bound_are_not_skipped(shop: TsqlShop) -> None:
    table(shop, "DATE NOT NULL", "'2024-01-01'", "'2024-01-02'")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (3, '2024-01-02')")
    assert run(shop) == ("delta", 2)
    assert run(shop) == ("unchanged", 0)
    assert ids(shop) == [1, 2, 3]


def test_whether_rows_at_the_bound_are_read_again_can_be_said(shop: TsqlShop) -> None:
    table(shop, "INT NOT NULL", "1", entry=", inclusive: true")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (2, 1)")
    assert run(shop) == ("delta", 2)
    assert run(shop) == ("unchanged", 0)
    shop.tables("  - {name: dbo.t, cursor: c, inclusive: false}")
    assert run(shop) == ("nothing new", 0)


def test_rows_without_a_value_come_with_the_next_delta_and_once_only(shop: TsqlShop) -> None:
    table(shop, "INT NULL", "1", "NULL")
    assert run(shop) == ("snapshot", 2)
    run(shop)
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (3, NULL)")
    assert run(shop) == ("delta", 2)
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (4, 2)")
    run(shop)
    assert ids(shop) == [1, 2, 3, 4]


def test_rows_that_come_again_and_have_no_key_stay_double_and_the_plan_says_so(shop: TsqlShop) -> None:
    shop.create(
        "  - {name: dbo.t, cursor: c}", "CREATE TABLE dbo.t (c INT NULL)", "INSERT INTO dbo.t VALUES (1), (NULL)"
    )
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (2)")
    notes = " ".join(shop.el()["dbo.t"]["notes"])
    assert "rows without c are read each time, and loaded with what else is new or when one changed" in notes
    assert "there is no key to tell the rows that are read again by" in notes
    assert sorted(shop.complete("t", "c"), key=str) == [(1,), (2,), (None,), (None,)]


def test_a_table_that_was_empty_is_taken_when_it_fills(shop: TsqlShop) -> None:
    table(shop, "INT NULL")
    assert run(shop) == ("snapshot", 0)
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (1, 5)")
    assert run(shop) == ("snapshot", 1)
    assert run(shop) == ("nothing new", 0)


def test_late_commits_within_the_lag_are_taken_and_read_again_but_not_loaded_again(shop: TsqlShop) -> None:
    table(shop, "DATETIME2(3) NOT NULL", "'2024-01-01T10:00:00'", entry=", lag: 10m")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (2, '2024-01-01T09:55:00')")
    assert run(shop) == ("delta", 2)
    assert run(shop) == ("unchanged", 0)
    assert ids(shop) == [1, 2]


def test_the_bound_does_not_go_back_when_the_last_row_is_deleted(shop: TsqlShop) -> None:
    table(shop, "INT NOT NULL", "1", "2", "9")
    run(shop)
    shop.sql("DELETE FROM dbo.t WHERE c = 9")
    assert run(shop) == ("nothing new", 0)
    shop.sql("INSERT INTO dbo.t VALUES (10, 10)")
    assert run(shop) == ("delta", 1)
    assert shop.ledger("upper_bound") == [("9",), ("10",)]


def test_a_value_in_the_future_does_not_carry_the_bound_along(shop: TsqlShop) -> None:
    table(shop, "DATETIME2(3) NOT NULL", "'2024-01-01'", "'9999-12-31'")
    report = shop.el()["dbo.t"]
    assert report["rows"] == 2
    assert any("has values in the future, up to 9999-12-31" in note for note in report["notes"])
    shop.sql("INSERT INTO dbo.t VALUES (3, '2024-01-02'), (4, '9999-12-30')")
    assert run(shop) == ("delta", 3), "the new row, and what lies in the future"
    run(shop)
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (5, '2024-01-03')")
    run(shop)
    assert ids(shop) == [1, 2, 3, 4, 5]


def test_where_every_value_lies_in_the_future_there_is_no_bound_that_what_comes_next_falls_behind(
    shop: TsqlShop,
) -> None:
    table(shop, "DATETIME2(3) NOT NULL", "'9999-12-31'")
    report = shop.el()["dbo.t"]
    assert (report["kind"], report["rows"]) == ("snapshot", 1)
    assert "a new snapshot begins: every value of c lies in the future" in report["notes"]
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (2, SYSUTCDATETIME())")
    assert run(shop) == ("snapshot", 2)
    shop.sql("INSERT INTO dbo.t VALUES (3, DATEADD(SECOND, 1, SYSUTCDATETIME()))")
    assert run(shop) == ("delta", 2)
    assert ids(shop) == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "lag", "less"),
    [
        ("12345678901234567890123456789012345678", 5, "12345678901234567890123456789012345673"),
        ("0.0000000000000000000000000000000000001", 0, "0.0000000000000000000000000000000000001"),
        ("-5", 10**40, "-10000000000000000000000000000000000000005"),
        ("1.5e300", 5, None),
    ],
)
def test_a_lag_is_taken_from_a_number_to_the_last_digit(text: str, lag: int, less: str | None) -> None:
    found = minus(Value(text, SourceType("decimal", precision=38, scale=0)), lag).text
    assert found == less if less is not None else float(found) == float(text)


@pytest.mark.parametrize("type_", ["INT NOT NULL", "VARCHAR(20) NOT NULL"])
def test_a_lag_of_time_behind_what_is_no_time_stops_its_table(shop: TsqlShop, type_: str) -> None:
    table(shop, type_, "'20240131'", entry=", lag: 5m")
    assert "a lag of time needs a date or time as cursor, not c" in shop.el(code=1)["dbo.t"]["error"]


@pytest.mark.parametrize(
    ("type_", "says"),
    [
        ("UNIQUEIDENTIFIER NOT NULL", "uniqueidentifier is drawn, and does not grow"),
        ("BIT NOT NULL", "has two values"),
        ("VARBINARY(20) NOT NULL", "has no order here"),
        ("TIME(3) NOT NULL", "begins anew every day"),
        ("ROWVERSION NOT NULL", "passes over rows of open transactions"),
    ],
)
def test_a_column_that_cannot_be_a_cursor_is_refused_with_the_reason(shop: TsqlShop, type_: str, says: str) -> None:
    table(shop, type_)
    shop.tables("  - {name: dbo.t, strategy: cursor, cursor: c}")
    assert says in shop.el(code=1)["dbo.t"]["error"]


def test_a_table_made_anew_begins_a_new_snapshot_and_says_so(shop: TsqlShop) -> None:
    table(shop, "INT NOT NULL", "1", "2", "3")
    run(shop)
    shop.sql("DROP TABLE dbo.t", "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, c INT NOT NULL)")
    shop.sql("INSERT INTO dbo.t VALUES (7, 1)")
    report = shop.el()["dbo.t"]
    assert (report["kind"], report["rows"]) == ("snapshot", 1)
    assert "a new snapshot begins: the table was made anew" in report["notes"]
    assert ids(shop) == [7]


SENTINELS = {
    "TIMESTAMP": ("'2024-01-01'", "'infinity'", "'2024-01-01T00:00:00.000001'"),
    "DATE": ("'2024-01-01'", "'infinity'", "'2024-01-02'"),
    "TIMESTAMPTZ": ("'2024-01-01T00:00:00Z'", "'9999-12-31'", "'2024-01-01T00:00:00.000001Z'"),
    "TIMESTAMP_NS": ("'2024-01-01'", "'2261-12-31'", "'2024-01-01T00:00:00.000000001'"),
    "TIMESTAMP_MS": ("'2024-01-01'", "'9999-12-31'", "'2024-01-01T00:00:00.001'"),
    "TIMESTAMP_S": ("'2024-01-01'", "'20000-12-31'", "'2024-01-01T00:00:01'"),
    "DOUBLE": ("1.5", "'nan'", "1.5000000000000002"),
    "FLOAT": ("1.5", "'inf'", "1.75"),
}


def test_no_value_past_all_that_comes_carries_the_bound_of_any_type_of_duckdb_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = Workspace(tmp_path).create()
    with open(tmp_path / "el.yml", "a") as config:
        config.write("  - {name: 'kinds.*', cursor: c}\n  - {name: 'sales.*', exclude: true}\n")

    def loaded() -> dict[str, tuple[str | None, int, str]]:
        assert main(["run", "--json"]) == 0
        tables = json.loads(capsys.readouterr().out)["tables"]
        return {
            table["table"].removeprefix("kinds.").upper(): (table["kind"], table["rows"], " ".join(table["notes"]))
            for table in tables
            if table["table"].startswith("kinds.")
        }

    shop.source("CREATE SCHEMA kinds")
    for type_, (first, sentinel, _) in SENTINELS.items():
        shop.source(f"CREATE TABLE kinds.{type_} (id INTEGER PRIMARY KEY, c {type_})")
        shop.source(f"INSERT INTO kinds.{type_} VALUES (1, {first}), (2, {sentinel})")
    begun = loaded()
    assert {type_: found[:2] for type_, found in begun.items()} == dict.fromkeys(SENTINELS, ("snapshot", 2))
    for type_, (*_, note) in begun.items():
        assert f"c has values {'without end' if type_ in ('DOUBLE', 'FLOAT') else 'in the future'}, up to" in note
    for type_, (*_, later) in SENTINELS.items():
        shop.source(f"INSERT INTO kinds.{type_} VALUES (3, {later})")
    # Where the bound's own rows come again, the first one does.
    again = {"DATE": 3, "TIMESTAMP_S": 3}
    assert {type_: found[:2] for type_, found in loaded().items()} == {
        type_: ("delta", again.get(type_, 2)) for type_ in SENTINELS
    }
