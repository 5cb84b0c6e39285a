"""cursor: every type of column, and every way in which real columns misbehave: nothing skipped, nothing for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from el.cli.app import main
from el.connectors.catalog import SourceType
from el.connectors.request import Value
from el.connectors.sqlserver import SqlServer
from el.errors import NotPermitted
from el.planning.strategies import cursor, lag
from el.planning.strategies.lag import minus
from tests.engines import statement
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


def of_each(shop: TsqlShop, types: Mapping[str, str], entry: Callable[[str], str] = lambda _: "") -> dict[str, str]:
    """Type -> a table like that of `table`, with one row of this value; they are taken together, each for itself."""
    names = {type_: f"t{number}" for number, type_ in enumerate(types, 1)}
    shop.create(
        "\n".join(f"  - {{name: dbo.{name}, cursor: c{entry(type_)}}}" for type_, name in names.items()),
        *(f"CREATE TABLE dbo.{name} (id INT NOT NULL PRIMARY KEY, c {type_})" for type_, name in names.items()),
        *(f"INSERT INTO dbo.{names[type_]} VALUES (1, {value})" for type_, value in types.items()),
    )
    return names


def run(shop: TsqlShop, name: str = "t") -> tuple[str | None, int]:
    return outcome(shop.el()[f"dbo.{name}"])


def run_each(shop: TsqlShop, names: Mapping[str, str]) -> dict[str, tuple[str | None, int]]:
    report = shop.el()
    return {type_: outcome(report[f"dbo.{name}"]) for type_, name in names.items()}


def outcome(report: dict[str, Any]) -> tuple[str | None, int]:
    return (report["kind"] if report["status"] == "loaded" else report["status"], report["rows"])


def ids(shop: TsqlShop, name: str = "t") -> list[int]:
    return [row[0] for row in shop.state(name, "id", "id")]


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


def test_each_type_goes_on_behind_its_last_value_and_then_has_nothing_new(shop: TsqlShop) -> None:
    firsts = {type_: first for type_, (first, _, _) in STEPS.items()}
    names = of_each(shop, firsts, lambda type_: ", accept: [text_cursor]" if "VARCHAR" in type_ else "")
    assert run_each(shop, names) == dict.fromkeys(STEPS, ("snapshot", 1))
    for number in (2, 3):
        shop.sql(*(f"INSERT INTO dbo.{names[t]} VALUES ({number}, {steps[number - 1]})" for t, steps in STEPS.items()))
        assert run_each(shop, names) == dict.fromkeys(STEPS, ("delta", 1))
    assert run_each(shop, names) == dict.fromkeys(STEPS, ("unchanged", 0))
    found = {type_: shop.complete(name, "id") for type_, name in names.items()}
    assert found == {type_: [(1,), (2,), (3,)] for type_ in STEPS}, "each of them once"


def test_zero_is_a_value_and_no_missing_bound(shop: TsqlShop) -> None:
    table(shop, "INT NOT NULL", "0")
    assert run(shop) == ("snapshot", 1)
    assert run(shop) == ("unchanged", 0)
    assert {bound for (bound,) in shop.ledger("upper_bound")} == {"0"}


def test_every_tick_of_a_datetime_is_told_from_its_neighbours(shop: TsqlShop) -> None:
    """A datetime has ticks of 1/300 s, whose texts end in 0, 3 and 7: a bound in text has to find its own tick."""
    table(shop, "DATETIME NOT NULL", "'2024-02-29T23:59:59.990'", entry=", lag: 0, inclusive: false")
    run(shop)
    for number, tick in enumerate(("59.993", "59.997"), 2):
        shop.sql(f"INSERT INTO dbo.t VALUES ({number}, '2024-02-29T23:59:{tick}')")
        assert run(shop) == ("delta", 1)
        assert run(shop) == ("nothing new", 0)


def test_rows_that_come_later_with_the_date_of_the_bound_are_not_skipped(shop: TsqlShop) -> None:
    table(shop, "DATE NOT NULL", "'2024-01-01'", "'2024-01-02'")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (3, '2024-01-02')")
    assert run(shop) == ("delta", 1)
    assert run(shop) == ("unchanged", 0)
    assert ids(shop) == [1, 2, 3]


TIES = {
    "DATETIME NOT NULL": "'2024-01-01T10:00:00.997'",
    "DATETIME2(3) NOT NULL": "'2024-01-01T10:00:00.123'",
    "DATETIME2(7) NOT NULL": "'2024-01-01T10:00:00.1234567'",
    "DATETIMEOFFSET(7) NOT NULL": "'2024-01-01T10:00:00.1234567+05:30'",
    "INT NOT NULL": "7",
}


def test_a_row_that_comes_later_with_the_bounds_value_is_loaded(shop: TsqlShop) -> None:
    """Also without a lag; and without a key, where equal rows keep their number and none of them is doubled."""
    names = of_each(shop, TIES, lambda _: ", lag: 0")
    keyless = {type_: f"keyless_{name}" for type_, name in names.items()}
    with open(shop.path / "el.yml", "a") as config:
        config.writelines(f"  - {{name: dbo.{name}, cursor: c, lag: 0}}\n" for name in keyless.values())
    shop.sql(*(f"CREATE TABLE dbo.{name} (id INT NULL, c {type_})" for type_, name in keyless.items()))
    shop.sql(*(f"INSERT INTO dbo.{name} VALUES (1, {TIES[type_]})" for type_, name in keyless.items()))
    shop.el()
    for id_ in (2, 1):
        shop.sql(*(f"INSERT INTO dbo.{name} VALUES ({id_}, {TIES[type_]})" for type_, name in keyless.items()))
        if id_ == 2:
            shop.sql(*(f"INSERT INTO dbo.{name} VALUES (2, {TIES[type_]})" for type_, name in names.items()))
        shop.el()
    shop.el()
    for type_, name in names.items():
        assert ids(shop, name) == [1, 2], type_
        assert sorted(shop.complete(name, "id")) == [(1,), (2,)], f"{type_}: none twice"
        assert sorted(shop.complete(keyless[type_], "id")) == [(1,), (1,), (2,)], type_


def test_a_column_of_which_no_two_rows_share_a_value_is_not_read_again_at_the_bound(shop: TsqlShop) -> None:
    shop.create("  - {name: dbo.t, cursor: id, lag: 0}", "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)")
    shop.sql("INSERT INTO dbo.t VALUES (1)")
    run(shop)
    assert run(shop) == ("nothing new", 0)


def test_whether_rows_at_the_bound_are_read_again_can_be_said(shop: TsqlShop) -> None:
    table(shop, "INT NOT NULL", "1", entry=", inclusive: true, lag: 0")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (2, 1)")
    assert run(shop) == ("delta", 1)
    assert run(shop) == ("unchanged", 0)
    shop.tables("  - {name: dbo.t, cursor: c, inclusive: false, lag: 0}")
    assert run(shop) == ("nothing new", 0)


def test_rows_without_a_value_come_with_the_next_delta_and_once_only(shop: TsqlShop) -> None:
    table(shop, "INT NULL", "1", "NULL")
    assert run(shop) == ("snapshot", 2)
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (3, NULL)")
    assert run(shop) == ("delta", 1)
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (4, 2)")
    run(shop)
    assert sorted(shop.complete("t", "id")) == [(1,), (2,), (3,), (4,)]


def test_runs_without_anything_new_note_it_once_and_move_no_bound(shop: TsqlShop) -> None:
    """What the lag covers is read each time; its fingerprint is noted once, so that no later run looks into raw."""
    types = {"DATETIME2(3) NOT NULL": ("'2024-01-01'", "'2024-01-02'"), "INT NOT NULL": ("1", "2")}
    names = of_each(shop, {type_: first for type_, (first, _) in types.items()}, lambda _: ", deletes: keys")
    shop.el()
    shop.sql(*(f"INSERT INTO dbo.{names[type_]} VALUES (2, {second})" for type_, (_, second) in types.items()))
    shop.el()
    assert run_each(shop, names) == dict.fromkeys(types, ("unchanged", 0))
    noted = {name: shop.ledger("kind, upper_bound, row_count", name) for name in names.values()}
    for rows in noted.values():
        assert len(rows) == 3
        assert rows[1:] == [("delta", rows[1][1], 1), ("delta", rows[1][1], 0)]
    for _ in range(2):
        assert run_each(shop, names) == dict.fromkeys(types, ("unchanged", 0))
    assert {name: shop.ledger("kind, upper_bound, row_count", name) for name in names.values()} == noted


def test_rows_that_come_again_and_have_no_key_are_told_by_all_of_their_values_and_the_plan_says_so(
    shop: TsqlShop,
) -> None:
    shop.create(
        "  - {name: dbo.t, cursor: c}", "CREATE TABLE dbo.t (c INT NULL)", "INSERT INTO dbo.t VALUES (1), (NULL)"
    )
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (2)")
    notes = " ".join(shop.el()["dbo.t"]["notes"])
    assert "rows without c are read each time, and loaded when they are new or changed" in notes
    assert "there is no key: a row that is read again and differs is taken for another row" in notes
    shop.sql("INSERT INTO dbo.t VALUES (NULL), (2)")
    shop.el()
    shop.el()
    assert sorted(shop.complete("t", "c"), key=str) == [(1,), (2,), (2,), (None,), (None,)]


def test_a_table_that_was_empty_is_taken_when_it_fills(shop: TsqlShop) -> None:
    table(shop, "INT NULL")
    assert run(shop) == ("snapshot", 0)
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (1, 5)")
    assert run(shop) == ("snapshot", 1)
    assert run(shop) == ("unchanged", 0)


def test_late_commits_within_the_lag_are_taken_and_read_again_but_not_loaded_again(shop: TsqlShop) -> None:
    table(shop, "DATETIME2(3) NOT NULL", "'2024-01-01T10:00:00'", entry=", lag: 10m")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (2, '2024-01-01T09:55:00')")
    assert run(shop) == ("delta", 1)
    assert run(shop) == ("unchanged", 0)
    assert shop.complete("t", "id") == [(1,), (2,)]


LATE = {
    "DATE NOT NULL": ("'2024-01-02'", "'2024-01-01'"),
    "DATETIME2(3) NOT NULL": ("'2024-01-01T10:00:00'", "'2024-01-01T09:55:01'"),
    "DATETIMEOFFSET(3) NOT NULL": ("'2024-01-01T10:00:00+02:00'", "'2024-01-01T07:55:01+00:00'"),
    "INT NOT NULL": ("20", "19"),
    "DECIMAL(9,2) NOT NULL": ("20.5", "-3.25"),
}


def test_a_row_that_is_committed_late_is_loaded_though_el_yml_says_nothing_of_a_lag(shop: TsqlShop) -> None:
    names = of_each(shop, {type_: value for type_, (value, _) in LATE.items()})
    shop.el()
    shop.sql(*(f"INSERT INTO dbo.{names[type_]} VALUES (2, {late})" for type_, (_, late) in LATE.items()))
    report = shop.el()
    for type_, name in names.items():
        found = report[f"dbo.{name}"]
        assert (found["kind"], found["rows"]) == ("delta", 1), type_
        said = "5m" if "DATE" in type_ else "the last 10,000 rows"
        assert f"c: {said} before the bound are read again, for what is committed late" in " ".join(found["notes"])
    assert run_each(shop, names) == dict.fromkeys(LATE, ("unchanged", 0))
    assert {type_: ids(shop, name) for type_, name in names.items()} == {type_: [1, 2] for type_ in LATE}
    shop.tables("\n".join(f"  - {{name: dbo.{name}, cursor: c, lag: 0}}" for name in names.values()))
    shop.sql(*(f"INSERT INTO dbo.{names[type_]} VALUES (3, {late})" for type_, (_, late) in LATE.items()))
    shop.el()
    found_ids = {type_: ids(shop, name) for type_, name in names.items()}
    assert found_ids == {type_: [1, 2] for type_ in LATE}, "who says `lag: 0` has none"


def test_of_numbers_the_one_before_is_read_again_however_many_rows_have_the_last(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "LAG_ROWS", 2)
    table(shop, "INT NOT NULL", "7", "8", "8", "8")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (5, 7)")
    assert run(shop) == ("delta", 1)
    assert ids(shop) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("type_", "early", "late"),
    [("DATETIME2(3) NOT NULL", "SYSUTCDATETIME()", "SYSUTCDATETIME()"), ("INT NOT NULL", "1", "9")],
)
def test_the_bound_does_not_pass_a_transaction_that_writes_for_longer_than_the_lag(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch, type_: str, early: str, late: str
) -> None:
    if shop.rows("SELECT @@VERSION")[0][0].startswith("Babelfish"):
        pytest.skip("it does not show the transactions of others")
    monkeypatch.setattr(lag, "LAG", timedelta(seconds=1))
    monkeypatch.setattr(lag, "LAG_ROWS", 1)
    monkeypatch.setattr(cursor, "LAG", timedelta(seconds=1))
    monkeypatch.setattr(cursor, "PATIENCE", timedelta(seconds=1))
    table(shop, type_, "'2024-01-01'" if "DATE" in type_ else "0")
    run(shop)
    with shop.server() as server, server.transaction():
        server.driver.execute(statement(f"INSERT INTO dbo.t VALUES (2, {early})"))
        time.sleep(3)
        for id_ in (3, 4, 5):
            shop.sql(f"INSERT INTO dbo.t VALUES ({id_}, {late})")
        notes = " ".join(shop.el()["dbo.t"]["notes"])
        assert "a transaction has been writing since" in notes
        assert ids(shop) == [1, 3, 4, 5]
    run(shop)
    assert ids(shop) == [1, 2, 3, 4, 5]
    assert sorted(shop.complete("t", "id")) == [(1,), (2,), (3,), (4,), (5,)]


def test_a_login_that_does_not_see_open_transactions_is_told_what_that_means(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: SqlServer) -> None:
        raise NotPermitted("VIEW SERVER STATE")

    monkeypatch.setattr(SqlServer, "oldest_writer", refused)
    table(shop, "DATETIME2(3) NOT NULL", "'2024-01-01'")
    notes = " ".join(shop.el()["dbo.t"]["notes"])
    assert "c: this login does not see open transactions (VIEW SERVER STATE): of one that commits more than 5m" in notes


def test_an_hour_that_comes_twice_in_autumn_lies_within_the_lag_where_the_clock_is_not_utc(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqlServer, "local_clock", lambda source: True)
    table(shop, "DATETIME2(3) NOT NULL", "'2024-10-27T02:59:00'")
    run(shop)
    shop.sql("INSERT INTO dbo.t VALUES (2, '2024-10-27T02:00:00')")
    notes = " ".join(shop.el()["dbo.t"]["notes"])
    assert "c has no offset, and the source's clock is not UTC: in autumn an hour of local time comes twice" in notes
    assert "c: 1h5m before the bound are read again" in notes
    assert ids(shop) == [1, 2]


def test_when_the_newest_row_is_deleted_one_snapshot_is_taken_and_no_second(shop: TsqlShop) -> None:
    table(shop, "INT NOT NULL", "1", "2", "9")
    run(shop)
    shop.sql("DELETE FROM dbo.t WHERE c = 9")
    report = shop.el()["dbo.t"]
    assert (report["kind"], report["rows"]) == ("snapshot", 2)
    assert any("the greatest value of c is 2, below raw's 9" in note for note in report["notes"])
    assert run(shop) == ("unchanged", 0)
    shop.sql("INSERT INTO dbo.t VALUES (10, 10)")
    assert run(shop) == ("delta", 1)
    assert ids(shop) == [1, 2, 10]


@pytest.mark.parametrize("deletes", ["", ", deletes: {by: keys, every: 1d, max_percent: 100}"])
def test_a_table_that_was_emptied_and_counts_from_the_beginning_again_is_taken_anew(
    shop: TsqlShop, deletes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "LAG_ROWS", 1)
    shop.create(
        f"  - {{name: dbo.t, cursor: id{deletes}}}",
        "CREATE TABLE dbo.t (id INT IDENTITY(1, 1) NOT NULL PRIMARY KEY, v NVARCHAR(9))",
        "INSERT INTO dbo.t (v) VALUES (N'old1'), (N'old2'), (N'old3')",
    )
    run(shop)
    shop.sql("TRUNCATE TABLE dbo.t")
    report = shop.el()["dbo.t"]
    if not deletes:
        assert (report["kind"], report["rows"]) == ("snapshot", 0)
        assert any("no row has a value of id now, and raw is at 3" in note for note in report["notes"])
    assert shop.state("t", "id", "id") == []
    assert run(shop) == ("snapshot" if deletes else "unchanged", 0)
    shop.sql("INSERT INTO dbo.t (v) VALUES (N'new1'), (N'new2'), (N'new3'), (N'new4'), (N'new5')")
    assert run(shop) == ("snapshot", 5), "also of those below the former bound"
    shop.sql("TRUNCATE TABLE dbo.t", "INSERT INTO dbo.t (v) VALUES (N'newer1')")
    assert run(shop) == ("snapshot", 1)
    shop.sql("TRUNCATE TABLE dbo.t", "INSERT INTO dbo.t (v) VALUES (N'1'), (N'2')")
    run(shop)
    assert shop.state("t", "id", "id, v") == [(1, "1"), (2, "2")], "also where it has passed the bound meanwhile"


def test_text_that_grows_in_another_order_than_the_rows_is_refused_unless_accepted(shop: TsqlShop) -> None:
    table(shop, "VARCHAR(20) COLLATE Latin1_General_CI_AS NOT NULL", "'8'", "'9'")
    assert "'10' before '9'" in str(shop.el(code=1)["dbo.t"]["error"])
    shop.tables("  - {name: dbo.t, cursor: c, accept: [text_cursor]}")
    report = shop.el()["dbo.t"]
    assert any("c is text: what counts as later is what Latin1_General_CI_AS" in note for note in report["notes"])
    assert shop.complete("t", "_el_position") == [(None,), (None,)], "bytes are in another order than a collation"
    shop.sql("UPDATE dbo.t SET c = 'b' WHERE id = 1")
    shop.el()
    assert shop.state("t", "id", "id, c") == [(1, "b"), (2, "9")]


def test_a_value_in_the_future_does_not_carry_the_bound_along(shop: TsqlShop) -> None:
    table(shop, "DATETIME2(3) NOT NULL", "'2024-01-01'", "'9999-12-31'")
    report = shop.el()["dbo.t"]
    assert report["rows"] == 2
    assert any("has values in the future, up to 9999-12-31" in note for note in report["notes"])
    shop.sql("INSERT INTO dbo.t VALUES (3, '2024-01-02'), (4, '9999-12-30')")
    assert run(shop) == ("delta", 2), "the new rows, one of them in the future"
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
    assert run(shop) == ("delta", 1)
    assert ids(shop) == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "by", "less"),
    [
        ("12345678901234567890123456789012345678", 5, "12345678901234567890123456789012345673"),
        ("0.0000000000000000000000000000000000001", 0, "0.0000000000000000000000000000000000001"),
        ("-5", 10**40, "-10000000000000000000000000000000000000005"),
        ("1.5e300", 5, None),
    ],
)
def test_a_lag_is_taken_from_a_number_to_the_last_digit(text: str, by: int, less: str | None) -> None:
    value = minus(Value(text, SourceType("decimal", precision=38, scale=0)), by)
    assert value is not None
    found = value.text
    assert found == less if less is not None else float(found) == float(text)


@pytest.mark.parametrize("type_", ["INT NOT NULL", "DECIMAL(20) NOT NULL"])
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


def test_numbers_of_more_digits_than_raw_has_are_told_apart_by_their_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They travel as text, which puts 10 before 9."""
    monkeypatch.chdir(tmp_path)
    shop = Workspace(tmp_path).create()
    with open(tmp_path / "el.yml", "a") as config:
        config.write("  - {name: sales.huge, cursor: c}\n")
    shop.source("CREATE TABLE sales.huge (id INTEGER PRIMARY KEY, c HUGEINT); INSERT INTO sales.huge VALUES (1, 9)")
    assert main(["run", "--select", "huge", "--progress", "none"]) == 0
    shop.source("UPDATE sales.huge SET c = 10")
    assert main(["run", "--select", "huge", "--progress", "none"]) == 0
    assert shop.complete("huge", "c, _el_position") == [("10", None), ("9", None)]


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
    assert {type_: found[:2] for type_, found in loaded().items()} == dict.fromkeys(SENTINELS, ("delta", 1))
