"""el.yml changes what raw holds of a table: a delta over it would be half one and half the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from el.cli.app import main
from tests.shop import Workspace

HEAD = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {workers: 1, retries: 0}\ntables:\n"
PLAIN = "{name: sales.o, cursor: u}"
TABLE = """
CREATE SCHEMA sales;
CREATE TABLE sales.o (id INTEGER PRIMARY KEY, status VARCHAR, note VARCHAR, moment TIMESTAMP_NS, u INTEGER NOT NULL);
INSERT INTO sales.o SELECT i, if(i % 2 = 0, 'open', 'done'), 'n' || i, TIMESTAMP_NS '2024-01-01 00:00:00.123456789', i
    FROM range(10) AS t (i);
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    found = Workspace(tmp_path).create()
    found.path.joinpath("shop.duckdb").unlink()
    found.source(TABLE)
    return found


def run(capsys: pytest.CaptureFixture[str], *entries: str, code: int = 0) -> dict[str, Any]:
    Path("el.yml").write_text(HEAD + "".join(f"  - {entry}\n" for entry in entries))
    assert main(["run", "--json"]) == code
    return dict(json.loads(capsys.readouterr().out)["tables"][0])


def kind_and_said(report: dict[str, Any]) -> tuple[Any, str]:
    return report["kind"], "; ".join(report["notes"])


@pytest.mark.parametrize(
    ("before", "after", "which"),
    [
        ('filters: [{column: status, op: "=", value: open}]', "", "filters"),
        ("", 'filters: [{column: status, op: "=", value: open}]', "filters"),
        ("columns: {note: {mask: sha256}}", "", "note: mask sha256, now as it is"),
        ("columns: {note: {cast: varchar}}", "columns: {note: {cast: varchar(3)}}", "note: cast varchar, now cast"),
        ("columns: {moment: {lossy: true}}", "columns: {moment: {cast: timestamp}}", "moment: lossy or"),
        ("", "key: [u]", "key"),
        (
            "columns: {note: {exclude: true}}",
            "columns: {status: {exclude: true}, note: {rename: status}}",
            "status: st",
        ),
        ("deletes: {by: keys, every: 0s}", "deletes: {by: keys, every: 0s}, key: u", "key"),
    ],
)
def test_what_el_yml_changed_begins_a_new_snapshot_and_says_which_setting(
    shop: Workspace, capsys: pytest.CaptureFixture[str], before: str, after: str, which: str
) -> None:
    shop.source("ALTER TABLE sales.o ALTER moment TYPE TIMESTAMP" if "lossy" not in before else "SELECT 1")
    entry = "{{name: sales.o, cursor: u, {}}}"
    run(capsys, entry.format(before))
    shop.source("INSERT INTO sales.o (id, status, note, u) VALUES (11, 'open', 'n11', 11)")
    kind, said = kind_and_said(run(capsys, entry.format(after)))
    assert kind == "snapshot"
    assert f"el.yml changed what o holds ({which}" in said
    shop.source("INSERT INTO sales.o (id, status, note, u) VALUES (12, 'open', 'n12', 12)")
    kind, said = kind_and_said(run(capsys, entry.format(after)))
    assert (kind, "el.yml" in said) == ("delta", False)


def test_a_changed_query_begins_a_new_snapshot(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    entry = '{{name: sales.q, query: "SELECT id, u FROM sales.o{}", key: id, cursor: u}}'
    run(capsys, entry.format(" WHERE id > 5"))
    shop.source("INSERT INTO sales.o (id, u) VALUES (11, 11)")
    report = run(capsys, entry.format(""))
    assert (report["kind"], report["rows"]) == ("snapshot", 11)
    assert "el.yml changed what q holds (query)" in kind_and_said(report)[1]


def test_what_the_source_changes_is_no_change_of_el_yml(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    entry = "{name: sales.o, cursor: u, types: lossy, columns: {note: {mask: sha256}}}"
    run(capsys, entry)
    shop.source("ALTER TABLE sales.o ADD COLUMN late TIMESTAMP_NS; ALTER TABLE sales.o DROP COLUMN moment")
    shop.source("INSERT INTO sales.o (id, u) VALUES (11, 11)")
    assert run(capsys, entry)["kind"] == "delta"


def test_a_ledger_that_does_not_know_what_el_yml_said_goes_on(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, PLAIN.replace("}", ", types: lossy}"))
    shop.warehouse("ALTER TABLE shop_sales._el_ledger DROP COLUMN definition; DELETE FROM shop_sales._dlt_version")
    shop.source("INSERT INTO sales.o (id, u) VALUES (11, 11)")
    assert run(capsys, PLAIN.replace("}", ", types: lossy, key: u}"))["kind"] == "delta"
    shop.source("INSERT INTO sales.o (id, u) VALUES (12, 12)")
    assert run(capsys, PLAIN.replace("}", ", types: lossy}"))["kind"] == "snapshot"


# -- another table, another database -----------------------------------------------------------------------------


def test_a_table_that_takes_the_place_of_another_in_raw_begins_a_new_snapshot(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source("CREATE TABLE sales.o2 AS SELECT * REPLACE (u - 100 AS u) FROM sales.o")
    run(capsys, PLAIN)
    report = run(capsys, "{name: sales.o2, cursor: u, rename: o}")
    assert (report["kind"], report["rows"]) == ("snapshot", 10)
    assert "the last load was of sales.o: a new snapshot begins" in report["notes"]


def test_the_same_table_of_another_database_begins_a_new_snapshot(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, PLAIN)
    with duckdb.connect("prod.duckdb") as connection:
        connection.execute(TABLE + "UPDATE sales.o SET u = u - 100")
    profiles = Path("profiles.yml").read_text()
    Path("profiles.yml").write_text(profiles.replace("path: shop.duckdb", "path: prod.duckdb"))
    report = run(capsys, PLAIN)
    assert (report["kind"], report["rows"]) == ("snapshot", 10)
    assert "the last load was from duckdb shop.duckdb shop, and this is duckdb prod.duckdb prod" in report["notes"][0]
    Path("profiles.yml").write_text(profiles.replace("path: shop.duckdb", "path: prod.duckdb, settings: {threads: 1}"))
    assert run(capsys, PLAIN)["status"] == "unchanged"


def test_a_raw_table_that_was_dropped_by_hand_begins_a_new_snapshot(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    for change in ("SELECT 1", "ALTER TABLE sales.o ALTER u TYPE BIGINT", "SELECT 1"):
        run(capsys, PLAIN)
        shop.warehouse("DROP TABLE shop_sales.o")
        shop.source(change)
        report = run(capsys, PLAIN)
        assert (report["kind"], report["rows"]) == ("snapshot", 10)
        assert "o is no longer in raw: a new snapshot begins" in report["notes"]
        assert len(shop.complete("o")) == 10
