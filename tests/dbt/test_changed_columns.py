"""What changes at the source after the schema tables were built reaches them as it is, or stops them."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import duckdb

from tests.dbt.project import ROOT, Project, copy_project

SHOP = """
CREATE SCHEMA sales;
CREATE TABLE sales.prices (id INTEGER PRIMARY KEY, amount DECIMAL(9, 2), n INTEGER, day DATE);
CREATE TABLE sales.pairs (a INTEGER, b INTEGER, PRIMARY KEY (a, b));
CREATE TABLE sales.tight (id INTEGER PRIMARY KEY, a VARCHAR, seen INTEGER CHECK (seen > 0), b INTEGER,
    FOREIGN KEY (seen, b) REFERENCES sales.pairs (a, b));
INSERT INTO sales.prices VALUES (1, 1.25, 1, '2024-01-01');
INSERT INTO sales.pairs VALUES (1, 1), (2, 1);
INSERT INTO sales.tight VALUES (1, NULL, 1, 1);
"""
EL_YML = 'version: 1\nsource: shop\ndestination: warehouse\ntables:\n  - {name: "sales.*"}\n'


def built(path: Path, *, model: str = "") -> Project:
    """The first load of a shop of its own, its project generated and built."""
    (path / "local").mkdir(parents=True)
    (path / "el.yml").write_text(EL_YML + model)
    shutil.copy(ROOT / "profiles.example.yml", path / "profiles.yml")
    copy_project(path, generated=False)
    project = Project(path)
    change(project, SHOP)
    project.load()
    project.el("codegen")
    project.dbt("build")
    return project


def change(project: Project, statements: str) -> None:
    with duckdb.connect(str(project.path / "local" / "shop.duckdb")) as shop:
        shop.execute(statements)


def test_a_widened_column_is_never_rounded_or_cut_on_its_way_into_a_table_that_is_there(tmp_path: Path) -> None:
    project = built(tmp_path, model="  - {name: sales.prices, model: [current, log]}\n")
    change(
        project,
        "ALTER TABLE sales.prices ALTER amount TYPE DECIMAL(11, 4); ALTER TABLE sales.prices ALTER n TYPE DOUBLE; "
        "ALTER TABLE sales.prices ALTER day TYPE TIMESTAMP; "
        "UPDATE sales.prices SET amount = 1.2345, n = 1.75, day = '2024-01-01 12:34:56'",
    )
    project.load()
    states = project.dbt("run", code=1)
    assert {states["prices"], states["prices_log"]} == {"error"}
    project.el("codegen")
    project.dbt("build")
    now = (Decimal("1.2345"), 1.75, "2024-01-01 12:34:56")
    assert project.warehouse("SELECT amount, n, day::VARCHAR FROM sales.prices") == [now]
    log = project.warehouse("SELECT amount, n, day::VARCHAR FROM sales.prices_log ORDER BY _dlt_load_id")
    assert log == [(Decimal("1.25"), 1.0, "2024-01-01 00:00:00"), now]


def test_a_column_that_was_narrowed_by_hand_is_wide_again_before_rows_go_into_it(tmp_path: Path) -> None:
    project = built(tmp_path, model="  - {name: sales.prices, model: [current, log]}\n")
    for table in ("prices", "prices_log"):
        project.warehouse(f"ALTER TABLE sales.{table} ALTER amount TYPE DECIMAL(8, 1)")
    change(project, "INSERT INTO sales.prices VALUES (2, 1.35, 1, '2024-01-01')")
    project.load()
    project.models()
    for table in ("prices", "prices_log"):
        found = project.warehouse(f"SELECT DISTINCT amount FROM sales.{table} WHERE id = 2")
        assert found == [(Decimal("1.35"),)], table


def test_a_column_that_holds_no_null_from_now_on_does_not_stop_its_table_for_what_was_loaded_before(
    tmp_path: Path,
) -> None:
    """A new column of a snapshot; a column that was cleaned, of a delta and a history."""
    entry = "  - {name: sales.tight, strategy: cursor, cursor: seen, model: [current, history]}\n"
    project = built(tmp_path, model=entry)
    change(
        project,
        "ALTER TABLE sales.prices ADD COLUMN b INTEGER DEFAULT 7; ALTER TABLE sales.prices ALTER b SET NOT NULL; "
        "UPDATE sales.tight SET a = 'x', seen = 2; ALTER TABLE sales.tight ALTER a SET NOT NULL",
    )
    project.load()
    project.el("codegen")
    states = project.dbt("build")
    assert project.warehouse("SELECT b FROM sales.prices") == [(7,)]
    assert project.warehouse("SELECT a FROM sales.tight") == [("x",)]
    assert "relationships" in {name.split("__sales_tight_history__")[0] for name in states}
    assert "el_row_rules__sales_tight_history" in states
    project.warehouse("UPDATE shop_sales.tight SET a = NULL")
    states = project.dbt("test", "--select", "source:*", code=1)
    assert [name for name, state in states.items() if state == "fail"] == ["el_source_row_rules__shop_sales_tight"]
