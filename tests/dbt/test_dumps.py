"""File dumps in the dbt project: casts that lose nothing, and rows that meet the live table in one way only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import snowflake.connector
import yaml

from el.cli.app import main
from tests.dbt.project import Project, copy_project
from tests.shop import inside
from tests.standins.snowflake import SnowflakeStandIn

EL_YML = """\
version: 1
source: shop
destination: warehouse
tables:
  - {name: sales.orders, cursor: updated_at, model: [current, history]}
dumps:
  - name: sales.old_orders
    files: "old/{as_of:%Y-%m-%d}*.csv"
    format: {type: csv, delimiter: "|"}
    into: sales.orders
    history: archive
    changed: replace
  - {name: sales.past_orders, files: "old/{as_of:%Y-%m-%d}*.csv", format: {type: csv, delimiter: "|"},
     into: sales.orders, history: versions, changed: append}
  - {name: sales.notes, files: "notes/*.csv", format: csv, types: {amount: "decimal(5,2)", day: date}}
"""
PROFILES = """\
shop: {target: local, outputs: {local: {type: duckdb, path: shop.duckdb, read_only: true}}}
warehouse: {target: local, outputs: {local: {type: duckdb, path: warehouse.duckdb}}}
"""
SHOP = """
CREATE SCHEMA sales;
CREATE TABLE sales.orders (id INTEGER PRIMARY KEY, amount DECIMAL(12, 2), note VARCHAR, updated_at TIMESTAMP NOT NULL);
INSERT INTO sales.orders VALUES (3, 3.30, 'live', '2024-01-01'), (4, 4.40, NULL, '2024-01-02');
"""
# Orders 1 and 2 are purged from the source; 3 is still there; `note` came later; one file says more than the table.
OLD = {
    "2019-01-31.csv": "id|amount|updated_at|clerk\n1|1.10|2019-01-01|a\n2|2.20|2019-01-02|b\n",
    "2020-01-31.csv": "updated_at|id|note|amount\n2020-01-05|2|again|2.50\n2020-01-06|3|old|3.00\n",
}


def create(path: Path) -> None:
    (path / "el.yml").write_text(EL_YML)
    (path / "profiles.yml").write_text(PROFILES)
    with duckdb.connect(str(path / "shop.duckdb")) as shop:
        shop.execute(SHOP)
    for folder, files in {"old": OLD, "notes": {"a.csv": "amount,day\n1.25,2020-01-01\n,\n"}}.items():
        (path / folder).mkdir()
        for name, text in files.items():
            (path / folder / name).write_text(text)
    copy_project(path, generated=False)


def sql(path: Path, text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path / "warehouse.duckdb")) as warehouse:
        return warehouse.execute(text).fetchall()


@pytest.mark.parametrize(
    "order", [["orders", "old_orders past_orders notes"], ["old_orders past_orders notes", "orders"]]
)
def test_old_rows_meet_live_ones_in_one_way_whichever_are_loaded_first(tmp_path: Path, order: list[str]) -> None:
    create(tmp_path)
    with inside(tmp_path):
        for names in order:
            assert main(["run", "--progress", "none", "--select", *names.split()]) == 0
        assert main(["codegen"]) == 0
        assert main(["codegen", "--check"]) == 0
    statuses = Project(tmp_path).dbt("build")
    assert "el_files_equal_ledger__shop_sales" in statuses
    assert "el_values_survive_cast__shop_sales_notes" in statuses
    archive = sql(
        tmp_path, "SELECT id, amount::VARCHAR, note, _el_file IS NULL FROM sales.orders_with_archive ORDER BY id"
    )
    assert archive == [
        (1, "1.10", None, False),
        (2, "2.50", "again", False),
        (3, "3.30", "live", True),
        (4, "4.40", None, True),
    ]
    versions = sql(
        tmp_path,
        "SELECT id, amount::VARCHAR, _el_valid_to IS NULL FROM sales.orders_history_with_versions "
        "ORDER BY id, _el_valid_from",
    )
    assert versions == [
        (1, "1.10", False), (2, "2.20", False), (2, "2.50", False), (3, "3.00", False), (3, "3.30", True),
        (4, "4.40", True),
    ]  # fmt: skip
    gaps = sql(
        tmp_path,
        "SELECT count(*) FROM (SELECT _el_valid_to, lead(_el_valid_from) OVER "
        "(PARTITION BY id ORDER BY _el_valid_from) AS next "
        "FROM sales.orders_history_with_versions) WHERE next <> _el_valid_to",
    )
    assert gaps == [(0,)]
    assert sql(tmp_path, "SELECT amount::VARCHAR, day::VARCHAR FROM sales.notes ORDER BY 1") == [
        ("1.25", "2020-01-01"),
        (None, None),
    ]


def test_a_text_that_a_cast_would_lose_or_round_fails_its_test_and_a_replaced_file_counts_no_longer(
    tmp_path: Path,
) -> None:
    create(tmp_path)
    (tmp_path / "notes" / "b.csv").write_text(
        "amount,day\n1.239,2020-01-01\n1.0,2020-13-01\n2,2020-01-01 10:00:00\n3,2020-01-01\n"
    )
    with inside(tmp_path):
        assert main(["run", "--progress", "none"]) == 0
        (tmp_path / "old" / "2019-01-31.csv").write_text("id|amount|updated_at|clerk\n1|9.99|2019-01-01|a\n")
        assert main(["run", "--progress", "none", "--select", "old_orders", "past_orders", "orders", "notes"]) == 0
        assert main(["codegen"]) == 0
    statuses = Project(tmp_path).dbt("build", code=1)
    bad = {name for name, status in statuses.items() if status not in ("success", "pass")}
    assert "el_values_survive_cast__shop_sales_notes" in bad
    results = json.loads((tmp_path / "target" / "run_results.json").read_text())["results"]
    (failures,) = [r["failures"] for r in results if "el_values_survive_cast__shop_sales_notes" in r["unique_id"]]
    assert failures == 3
    with inside(tmp_path):
        staged = sql(tmp_path, "SELECT id, amount::VARCHAR FROM staging.stg_shop__old_orders ORDER BY 1, 2")
    assert staged == [(1, "9.99"), (2, "2.50"), (3, "3.00")]
    # Of a file that counts beside its former version, what was loaded later is the later version of a row.
    versions = sql(
        tmp_path,
        "SELECT amount::VARCHAR, _el_valid_from < _el_valid_to "
        "FROM sales.orders_history_with_versions WHERE id = 1 ORDER BY _el_valid_from, _el_valid_to",
    )
    assert versions == [("1.10", True), ("9.99", True)]
    assert statuses["el_files_equal_ledger__shop_sales"] == "pass"
    sql(tmp_path, "DELETE FROM shop_sales.notes WHERE amount = '3'")
    Project(tmp_path).dbt("test", "--select", "el_files_equal_ledger__shop_sales", code=1)


@pytest.mark.soak
def test_the_models_of_dumps_are_built_on_snowflake_too(tmp_path: Path) -> None:
    create(tmp_path)
    with SnowflakeStandIn() as server:
        profiles = yaml.safe_load((tmp_path / "profiles.yml").read_text())
        profiles["warehouse"]["outputs"]["local"] = server.dbt_output()
        (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles))
        with inside(tmp_path):
            assert main(["run", "--progress", "none"]) == 0
            assert main(["codegen"]) == 0
        statuses = Project(tmp_path).dbt("build")
        assert {"el_values_survive_cast__shop_sales_notes", "orders_history_with_versions"} <= set(statuses)
        with snowflake.connector.connect(**server.connection_parameters()) as connection:
            query = "SELECT id, note, _el_file IS NULL FROM sales.orders_with_archive ORDER BY id"
            found = connection.cursor().execute(query).fetchall()
    assert found == [(1, None, False), (2, "again", False), (3, "live", True), (4, None, True)]
