"""A source whose columns change between runs: what raw can follow it follows, what it cannot stops one table alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.cli.app import main
from el.connectors.catalog import Column, SourceType, Table, TableName
from el.connectors.sqlserver.types import RULES
from el.connectors.type_rules import map_type
from el.loading.widening import can_widen
from el.planning.columns import ColumnPlan
from el.planning.drift import find_drift
from el.planning.held import HeldTable, column_rows, held_tables
from el.types.rule import parse_type
from tests.shop import EL_YML, Workspace

AFTER = "TIMESTAMP '2025-01-01'"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    found = Workspace(tmp_path).create()
    found.source("DELETE FROM sales.orders WHERE id >= 10; DELETE FROM sales.lines WHERE order_id >= 10")
    return found


def run(capsys: pytest.CaptureFixture[str], code: int = 0, *arguments: str) -> dict[str, dict[str, Any]]:
    """The reports, but for the note of what a cursor reads again: here it is asked what is said of drift."""
    assert main(["run", "--json", *arguments]) == code
    tables = json.loads(capsys.readouterr().out)["tables"]
    for table in tables:
        table["notes"] = [note for note in table["notes"] if "before the bound are read again" not in note]
    return {table["table"].split(".")[1]: table for table in tables}


def settings(text: str) -> None:
    Path("el.yml").write_text(EL_YML + text)


def raw_type(shop: Workspace, column: str, table: str = "orders") -> str:
    found = shop.warehouse(
        f"SELECT data_type FROM duckdb_columns() WHERE table_name = '{table}' AND column_name = '{column}'"
    )
    return str(found[0][0])


# -- a new column ------------------------------------------------------------------------------------------------


def of_drift(notes: list[str]) -> list[str]:
    """Without the one that says of each cursor how far before its bound rows are read again."""
    return [note for note in notes if "`lag` says how far" not in note]


def test_a_new_column_is_added_and_its_delta_goes_on(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    shop.source("ALTER TABLE sales.orders ADD COLUMN channel VARCHAR")
    shop.source(f"UPDATE sales.orders SET updated_at = {AFTER} WHERE id = 3")
    second = run(capsys)["orders"]
    assert (second["kind"], second["rows"]) == ("delta", 1)
    assert "new column channel (varchar)" in second["notes"]
    shop.source(f"UPDATE sales.orders SET channel = 'web', updated_at = {AFTER} + INTERVAL 1 DAY WHERE id = 4")
    third = run(capsys)["orders"]
    assert of_drift(third["notes"]) == []
    assert ("web",) in shop.complete("orders", "channel")
    assert shop.warehouse("SELECT count(*), count(channel) FROM shop_sales.orders") == [(12, 1)]


def test_a_new_column_with_values_in_rows_that_raw_holds_begins_a_new_snapshot(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    shop.source("ALTER TABLE sales.orders ADD COLUMN channel VARCHAR DEFAULT 'shop'")
    second = run(capsys)["orders"]
    assert (second["kind"], second["rows"]) == ("snapshot", 10)
    assert "a new snapshot begins: channel has values in rows that raw holds without it" in second["notes"]
    third = run(capsys)["orders"]
    assert third["status"] in ("nothing new", "unchanged", "loaded")
    assert third["kind"] != "snapshot"
    last = "SELECT max(_dlt_load_id) FROM shop_sales.orders WHERE _el_op = 'S'"
    assert shop.warehouse(f"SELECT DISTINCT channel FROM shop_sales.orders WHERE _dlt_load_id = ({last})") == [
        ("shop",)
    ]


# -- a wider type ------------------------------------------------------------------------------------------------

WIDER = [
    ("SMALLINT", "32767", "BIGINT", "9223372036854775807", "BIGINT"),
    ("INTEGER", "-2147483648", "BIGINT", "-9223372036854775808", "BIGINT"),
    ("INTEGER", "2147483647", "DECIMAL(38,10)", "9999999999999999999999999999.0123456789", "DECIMAL(38,10)"),
    ("INTEGER", "2147483647", "DOUBLE", "0.1", "DOUBLE"),
    ("DECIMAL(10,2)", "99999999.99", "DECIMAL(18,2)", "9999999999999999.99", "DECIMAL(18,2)"),
    ("DECIMAL(10,2)", "-99999999.99", "DECIMAL(18,4)", "12345678901234.5678", "DECIMAL(18,4)"),
    ("FLOAT", "0.5", "DOUBLE", "0.1", "DOUBLE"),
    ("DATE", "0001-01-01", "TIMESTAMP", "9999-12-31 23:59:59.999999", "TIMESTAMP"),
    ("TIMESTAMP", "2024-02-29 12:00:00.000001", "TIMESTAMP_NS", "2024-02-29 12:00:00.123456789", "VARCHAR"),
    ("DATE", "2024-02-29", "TIMESTAMP_NS", "2024-02-29 12:00:00.123456789", "VARCHAR"),
    ("TIME", "23:59:59.999999", "TIME_NS", "23:59:59.999999999", "VARCHAR"),
]


@pytest.mark.parametrize(("before", "first", "after", "second", "lands"), WIDER, ids=lambda value: str(value))
def test_a_wider_type_widens_the_raw_column_and_no_value_changes(
    shop: Workspace, capsys: pytest.CaptureFixture[str], before: str, first: str, after: str, second: str, lands: str
) -> None:
    shop.source(f"ALTER TABLE sales.orders ADD COLUMN v {before}; UPDATE sales.orders SET v = '{first}' WHERE id = 1")
    run(capsys)
    shop.source(
        f"ALTER TABLE sales.orders ALTER COLUMN v TYPE {after};"
        f"INSERT INTO sales.orders VALUES (100, NULL, NULL, {AFTER}, '{second}')"
    )
    found = run(capsys)["orders"]
    assert (found["status"], found["kind"]) == ("loaded", "delta")
    assert any(note.startswith("v changed from ") for note in found["notes"])
    assert raw_type(shop, "v") == lands
    shop.source(f"INSERT INTO sales.orders VALUES (101, NULL, NULL, {AFTER} + INTERVAL 1 DAY, '{first}')")
    assert of_drift(run(capsys)["orders"]["notes"]) == []
    raw = shop.warehouse(
        f"SELECT DISTINCT id, CAST(v AS {after}) FROM shop_sales.orders WHERE v IS NOT NULL ORDER BY 1"
    )
    assert [row[0] for row in raw] == [1, 100, 101]
    shop.source("CREATE TABLE sales.kept AS SELECT id, v FROM sales.orders WHERE v IS NOT NULL ORDER BY id")
    import duckdb

    with duckdb.connect("shop.duckdb") as connection:
        assert connection.execute("SELECT id, v FROM sales.kept").fetchall() == raw


def test_a_longer_text_needs_nothing_of_raw_and_is_said_once(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    varchar = [column("note", SourceType("varchar", length=10), 1)]
    held = hold(varchar)
    longer = [column("note", SourceType("nvarchar", length=50), 1)]
    drift = find_drift(held, table(longer), plans(longer), "snake_case")
    assert drift.notes == ("note changed from varchar(10) to nvarchar(50)",)
    assert (drift.widened, drift.stopped, drift.unrecorded) == ((), None, True)


def test_a_run_killed_after_widening_is_completed_by_the_next(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source("ALTER TABLE sales.orders ADD COLUMN v TIMESTAMP DEFAULT TIMESTAMP '2024-01-01 00:00:00.5'")
    run(capsys)
    shop.source(
        "ALTER TABLE sales.orders ALTER COLUMN v TYPE TIMESTAMP_NS;"
        f"UPDATE sales.orders SET updated_at = {AFTER} WHERE id = 1"
    )
    assert shop.run(stop_at=("raw schema prepared", 1)) == -9
    assert raw_type(shop, "v") == "VARCHAR"
    assert run(capsys)["orders"]["status"] == "loaded"
    assert shop.warehouse("SELECT DISTINCT CAST(v AS TIMESTAMP_NS)::VARCHAR FROM shop_sales.orders") == [
        ("2024-01-01 00:00:00.5",)
    ]


# -- a column less, and another name -----------------------------------------------------------------------------


def test_a_dropped_column_stays_and_gets_null(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    shop.source(f"ALTER TABLE sales.orders DROP COLUMN note; UPDATE sales.orders SET updated_at = {AFTER} WHERE id = 1")
    second = run(capsys)["orders"]
    assert "note is no longer in the source: raw keeps the column note and gets NULL" in second["notes"]
    assert shop.warehouse("SELECT count(*), count(note) FROM shop_sales.orders") == [(11, 10)]
    shop.source("ALTER TABLE sales.orders ADD COLUMN note VARCHAR")
    shop.source(f"UPDATE sales.orders SET note = 'back', updated_at = {AFTER} + INTERVAL 1 DAY WHERE id = 2")
    third = run(capsys)["orders"]
    assert "new column note (varchar)" in third["notes"]
    assert shop.warehouse("SELECT count(*) FROM shop_sales.orders WHERE note = 'back'")[0][0] >= 1


def test_a_column_that_el_yml_excludes_is_not_called_dropped(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    settings("  - {name: sales.lines, contract: freeze, columns: {price: {exclude: true}}}\n")
    found = run(capsys)["lines"]
    assert found["status"] == "loaded"
    assert of_drift(found["notes"]) == ["price is not taken any longer: raw keeps the column price and gets NULL"]


def test_a_source_without_lasting_ids_tells_of_a_rename_as_one_column_less_and_one_more(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    shop.source("ALTER TABLE sales.orders RENAME note TO remark")
    second = run(capsys)["orders"]
    assert second["kind"] == "snapshot"
    assert {note.split(" (")[0].split(":")[0] for note in second["notes"]} >= {
        "new column remark",
        "note is no longer in the source",
    }
    settings("  - {name: sales.lines, columns: {price: {rename: cost}}}\n")
    third = run(capsys)["orders"]
    assert third["kind"] != "snapshot"


def test_a_renamed_column_goes_on_in_its_raw_column_where_ids_are_lasting() -> None:
    before = [column("id", SourceType("int"), 1), column("Amount", SourceType("money"), 2)]
    held = hold(before, 7)
    now = [column("id", SourceType("int"), 1), column("AmountEur", SourceType("money"), 2)]
    drift = find_drift(held, table(now, 7), plans(now), "snake_case")
    assert [(plan.source.name, plan.name) for plan in drift.columns] == [("id", "id"), ("AmountEur", "amount")]
    assert drift.notes == (
        "Amount is now called AmountEur: it goes on in raw's column amount; "
        "`rename: amount` in el.yml says so for good",
    )
    assert (drift.added, drift.new_snapshot, drift.stopped) == ((), None, None)
    # The run after: the raw column is kept, and nothing is said again; also where the table came anew.
    held = hold(now, 7, names=["id", "amount"])
    for object_id in (7, 8):
        later = find_drift(held, table(now, object_id), plans(now), "snake_case")
        assert later.columns[1].name == "amount"
    assert find_drift(held, table(now, 7), plans(now), "snake_case").notes == ()


def test_a_column_of_another_id_under_the_same_name_cannot_go_on_from_old_rows() -> None:
    held = hold([column("id", SourceType("int"), 1), column("state", SourceType("int"), 2)], 7)
    now = [column("id", SourceType("int"), 1), column("state", SourceType("int"), 3)]
    assert find_drift(held, table(now, 7), plans(now), "snake_case").new_snapshot == (
        "state is another column than before, of the same name"
    )


def test_a_table_that_was_created_anew_begins_a_new_snapshot_and_its_ids_tell_nothing() -> None:
    held = hold([column("a", SourceType("int"), 1), column("b", SourceType("int"), 2)], 7)
    now = [column("a", SourceType("int"), 1), column("c", SourceType("int"), 2)]
    drift = find_drift(held, table(now, 8), plans(now), "snake_case")
    assert [plan.name for plan in drift.columns] == ["a", "c"]
    assert drift.new_snapshot == "the source's table was created anew"


# -- what raw cannot follow --------------------------------------------------------------------------------------

INCOMPATIBLE = [
    ("VARCHAR", "'1'", "INTEGER", "cast: varchar"),
    ("DECIMAL(12,2)", "1.25", "DECIMAL(12,1)", "cast: 'decimal(12,2)'"),
    ("DECIMAL(12,2)", "1.25", "DECIMAL(10,2)", "cast: 'decimal(12,2)'"),
    ("BIGINT", "1", "INTEGER", "cast: bigint"),
    ("TIMESTAMP", "'2024-01-01'", "DATE", "cast: timestamp"),
    ("BIGINT", "1", "DOUBLE", "rename: v_as_float"),
]


@pytest.mark.parametrize(("before", "value", "after", "way_out"), INCOMPATIBLE, ids=lambda value: str(value))
def test_an_incompatible_change_stops_its_table_and_leaves_the_others(
    shop: Workspace, capsys: pytest.CaptureFixture[str], before: str, value: str, after: str, way_out: str
) -> None:
    shop.source(f"ALTER TABLE sales.orders ADD COLUMN v {before}; UPDATE sales.orders SET v = {value}")
    run(capsys)
    shop.source(
        f"ALTER TABLE sales.orders ALTER COLUMN v TYPE {after}; UPDATE sales.orders SET updated_at = {AFTER};"
        "DELETE FROM sales.lines WHERE order_id = 1"
    )
    second = run(capsys, 1)
    assert second["orders"]["status"] == "failed"
    assert second["orders"]["error"].startswith("sales.orders: v changed from ")
    assert "give the column a cast to its former type, or a rename" in second["orders"]["error"]
    assert second["lines"]["status"] == "loaded"
    assert shop.warehouse("SELECT count(*) FROM shop_sales.orders") == [(10,)]
    settings(f"  - {{name: sales.orders, columns: {{v: {{{way_out}}}}}}}\n")
    third = run(capsys)["orders"]
    assert third["status"] == "loaded"
    assert third["rows"] == 10


def test_a_frozen_table_stops_at_any_change_and_says_which(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    settings("  - {name: sales.orders, contract: freeze}\n")
    run(capsys)
    shop.source(f"ALTER TABLE sales.orders ADD COLUMN extra INTEGER; UPDATE sales.orders SET updated_at = {AFTER}")
    shop.source("ALTER TABLE sales.lines ADD COLUMN extra INTEGER")
    second = run(capsys, 1)
    assert "contract: freeze, but the source changed: new column extra (integer)" in second["orders"]["error"]
    assert second["lines"]["status"] == "loaded"
    main(["plan"])
    assert "STOPPED" in capsys.readouterr().out
    settings("  - {name: sales.orders, contract: evolve}\n")
    assert run(capsys)["orders"]["rows"] == 10


def test_the_default_contract_holds_for_every_table_that_says_nothing(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("el.yml").write_text(EL_YML.replace("retries: 0", "retries: 0, contract: freeze"))
    run(capsys)
    shop.source("ALTER TABLE sales.lines DROP COLUMN price")
    assert run(capsys, 1)["lines"]["status"] == "failed"


def test_a_setting_that_lands_a_column_otherwise_is_no_change_of_the_source_but_stops_too(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    settings("  - {name: sales.lines, columns: {price: {cast: varchar}}}\n")
    shop.source("DELETE FROM sales.lines WHERE order_id = 1")
    found = run(capsys, 1)["lines"]
    assert "price (double) was taken as FLOAT, and el.yml now takes it as VARCHAR" in found["error"]


# -- what raw says of itself -------------------------------------------------------------------------------------


def test_raw_says_what_its_columns_are_at_the_source_once_and_again_when_they_change(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source(
        'CREATE TABLE sales."Price List" ("Net Price" DECIMAL(10,2) NOT NULL, until TIMESTAMP_NS);'
        "COMMENT ON COLUMN sales.\"Price List\".\"Net Price\" IS 'what it''s worth'"
    )
    settings('  - {name: "sales.Price List", types: lossy}\n')
    run(capsys)
    columns = "column_name, source_column, source_type, nullable, ordinal, landed_as, loses"
    where = "FROM shop_sales._el_columns WHERE table_name = 'price_list' ORDER BY ordinal"
    assert shop.warehouse(f"SELECT {columns} {where}") == [
        ("net_price", "Net Price", "decimal(10,2)", False, 1, "decimal128(10, 2)", None),
        ("until", "until", "timestamp_ns", True, 2, "timestamp[us]", "the seventh to ninth digits of the second"),
    ]
    tables = "SELECT comment FROM duckdb_tables() WHERE table_name = 'price_list'"
    said = (
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'price_list' AND column_name IN ('net_price', 'until')"
    )
    assert shop.warehouse(tables) == [("sales.Price List at the source",)]
    assert shop.warehouse(said) == [
        ("Net Price decimal(10,2) not null: what it's worth",),
        ("until timestamp_ns; loses the seventh to ninth digits of the second",),
    ]
    shop.source('INSERT INTO sales."Price List" VALUES (1, NULL)')
    run(capsys)
    assert shop.warehouse("SELECT count(*) FROM shop_sales._el_columns WHERE table_name = 'price_list'") == [(2,)]
    shop.source('ALTER TABLE sales."Price List" ADD COLUMN x INTEGER')
    run(capsys)
    assert shop.warehouse("SELECT count(*) FROM shop_sales._el_columns WHERE table_name = 'price_list'") == [(5,)]


def test_a_table_that_was_loaded_before_raw_kept_its_columns_goes_on(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    shop.warehouse("DROP TABLE shop_sales._el_columns")
    shop.warehouse("DELETE FROM shop_sales._dlt_version")
    shop.source(f"UPDATE sales.orders SET updated_at = {AFTER} WHERE id = 1")
    found = run(capsys)["orders"]
    assert (found["kind"], of_drift(found["notes"])) == ("delta", [])
    assert shop.warehouse("SELECT count(*) FROM shop_sales._el_columns WHERE table_name = 'orders'") == [(4,)]


# -- the rule ----------------------------------------------------------------------------------------------------


def column(name: str, type_: SourceType, id_: int) -> Column:
    return Column(name, type_, column_id=id_)


def table(columns: list[Column], object_id: int | None = None) -> Table:
    return Table(TableName("dbo", "t"), tuple(columns), object_id=object_id)


def plans(columns: list[Column], names: list[str] | None = None) -> tuple[ColumnPlan, ...]:
    from el.planning.naming import normalise

    found = names or [normalise(each.name) for each in columns]
    return tuple(
        ColumnPlan(each, name, map_type("sqlserver", each.type)) for each, name in zip(columns, found, strict=True)
    )


def hold(columns: list[Column], object_id: int | None = None, names: list[str] | None = None) -> HeldTable:
    rows = column_rows("t", object_id, plans(columns, names), "1.0")
    order = (
        *("_dlt_load_id", "table_name", "column_name", "source_column", "source_type", "nullable"),
        *("column_id", "table_id", "landed_as", "stands_for", "loses"),
    )
    return held_tables([[row[name] for name in order] for row in rows], can_widen)["t"]


@st.composite
def decimals(draw: st.DrawFn) -> SourceType:
    precision = draw(st.integers(1, 38))
    return SourceType("decimal", precision=precision, scale=draw(st.integers(0, min(37, precision))))


@given(decimals(), decimals())
def test_a_decimal_is_followed_exactly_if_every_value_of_the_old_type_is_one_of_the_new(
    old: SourceType, new: SourceType
) -> None:
    now = [column("v", new, 1)]
    drift = find_drift(hold([column("v", old, 1)]), table(now), plans(now), "snake_case")
    (p, s), (q, t) = ((each.precision or 0, each.scale or 0) for each in (old, new))
    fits = t >= s and q - t >= p - s
    assert (drift.stopped is None) == fits
    assert bool(drift.widened) == (old != new)


WHOLE = {"tinyint": 8, "smallint": 15, "int": 31, "bigint": 63}
MATRIX = [
    *((a, b, WHOLE[a] <= WHOLE[b]) for a in WHOLE for b in WHOLE),
    ("real", "float", True),
    ("int", "float", True),
    ("bigint", "float", False),
    ("float", "int", False),
    ("bit", "int", False),
    ("smallmoney", "money", True),
    ("money", "smallmoney", False),
    ("int", "money", True),
    ("bigint", "money", False),
    ("date", "datetime2(7)", True),
    ("datetime2(3)", "datetime2(7)", True),
    ("datetime2(7)", "datetime2(3)", False),
    ("datetime", "datetime2(7)", True),
    ("datetime2(7)", "datetimeoffset(7)", False),
    ("time(3)", "time(7)", True),
    ("varchar(50)", "nvarchar(max)", True),
    ("nvarchar(50)", "varchar(10)", True),
    ("varchar(50)", "int", False),
    ("int", "varchar(50)", False),
    ("datetime2(7)", "varchar(50)", False),
    ("uniqueidentifier", "varchar(36)", True),
    ("binary(8)", "varbinary(max)", True),
    ("varbinary(8)", "varchar(8)", False),
]


def parsed(declared: str) -> SourceType:
    return parse_type(RULES, declared)


@pytest.mark.parametrize(("old", "new", "followed"), MATRIX)
def test_sql_servers_types_are_followed_where_no_value_can_be_lost(old: str, new: str, followed: bool) -> None:
    now = [column("v", parsed(new), 1)]
    drift = find_drift(hold([column("v", parsed(old), 1)]), table(now), plans(now), "snake_case")
    assert (drift.stopped is None) == followed
    if old == new:
        assert (drift.notes, drift.unrecorded) == ((), False)


def test_every_landing_type_has_its_arrow_type_in_what_raw_keeps() -> None:
    kept = column_rows("t", None, plans([column("a", SourceType("money"), 1)]), "1.0")[0]
    assert kept["landed_as"] == str(pa.decimal128(19, 4))
    assert kept["stands_for"] == "NUMBER(19,4)"
