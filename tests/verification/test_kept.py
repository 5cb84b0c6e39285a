"""`python -m el verify` in the record of runs: what is kept of it, and that no key or value of the data is."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from el.cli.app import main
from el.errors import LoadError
from el.verification.kept import kept
from el.verification.report import Found, Method, Verdict
from el.verification.sides import Sides
from tests.forked import context
from tests.shop import Workspace, inside
from tests.steps import once_at

EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
tables:
  - {name: sales.people, cursor: seen, columns: {photo: {exclude: true}}}
  - {name: sales.later, cursor: seen}
"""
PEOPLE = """
CREATE TABLE sales.people (
    name VARCHAR, born DATE, no DECIMAL(9, 1), iban VARCHAR, photo BLOB, seen TIMESTAMP, PRIMARY KEY (name, born, no)
);
INSERT INTO sales.people SELECT 'O''Öz ' || i, DATE '1980-01-01' + i::INTEGER, i, 'DE' || (7000 + i), NULL,
    TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR FROM range(50) AS t (i);
CREATE TABLE sales.later (id INTEGER PRIMARY KEY, seen TIMESTAMP);
"""
FAULT = "UPDATE shop_sales.people SET iban = 'XX99' WHERE no IN (7, 8)"
OF_THE_DATA = ("Öz", "1980", "XX99", "DE7007")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    shop = Workspace(tmp_path).create()
    (tmp_path / "el.yml").write_text(EL_YML)
    shop.source(PEOPLE)
    with inside(tmp_path):
        assert main(["run", "--progress", "none", "--select", "sales.people"]) == 0
        yield shop


def test_a_comparison_is_listed_and_shown_among_the_runs(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.warehouse(FAULT)
    assert main(["verify"]) == 4
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    newest = json.loads(capsys.readouterr().out)[0]
    assert (newest["command"], newest["result"], newest["exit_code"]) == ("verify", "different", 4)
    assert main(["runs", "show", "--html", "kept.html"]) == 0
    for said in (capsys.readouterr().out, Path("kept.html").read_text()):
        for told in (
            "sales.people",
            "DIFFERENT",
            "iban (2)",
            "photo: excluded",
            "sales.later",
            "REFUSED",
            "not loaded",
        ):
            assert told in said
    rows = shop.warehouse(
        "SELECT command, result, database_user IS NOT NULL FROM shop_sales._el_runs ORDER BY started_at"
    )
    assert rows == [("run", "done", True), ("verify", "different", True)]
    (by,) = {row[0] for row in shop.warehouse("SELECT database_user FROM shop_sales._el_verified")}
    assert by


def test_no_key_and_no_value_of_the_data_is_kept(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.warehouse(FAULT)
    assert main(["verify", "--show-values", "--html", "own.html"]) == 4
    # The comparison's own output has them.
    for said in (capsys.readouterr().out, Path("own.html").read_text()):
        assert [word for word in OF_THE_DATA if word not in said] == []
    assert main(["verify", "--html", "own.html"]) == 4
    assert "XX99" not in Path("own.html").read_text()
    tables = [f"SELECT t::VARCHAR FROM shop_sales.{name} AS t" for name in ("_el_runs", "_el_verified")]
    kept = [row[0] for table in tables for row in shop.warehouse(table)]
    kept += [path.read_bytes().decode() for path in Path(".el").rglob("*.json*")]
    assert len(kept) > 6
    assert [word for word in OF_THE_DATA for text in kept if word in text] == []


def test_what_an_error_said_is_not_kept_for_it_may_name_a_value(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise LoadError("the value DE7007 is none")

    monkeypatch.setattr(Sides, "raw", fails)
    assert main(["verify", "--html", "own.html", "--select", "sales.people"]) == 1
    assert "DE7007" in capsys.readouterr().out
    assert "DE7007" in Path("own.html").read_text()
    assert shop.warehouse("SELECT why FROM shop_sales._el_verified") == [
        ("LoadError: what it said is in the output of that verify alone",)
    ]
    (details,) = shop.warehouse("SELECT result, details FROM shop_sales._el_runs WHERE command = 'verify'")
    assert details[0] == "failed"
    assert "DE7007" not in details[1]


def test_the_sql_that_is_given_shows_the_rows_that_differ(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.warehouse(FAULT)
    capsys.readouterr()
    assert main(["verify", "--json", "--select", "sales.people"]) == 4
    (found,) = json.loads(capsys.readouterr().out)["tables"]
    with duckdb.connect("shop.duckdb") as source:
        rows = source.execute(found["again"]["source"]).fetchall()
    assert sorted((row[0], row[3]) for row in rows) == [("O'Öz 7", "DE7007"), ("O'Öz 8", "DE7008")]
    assert [row[-1] for row in shop.warehouse(found["again"]["raw"])] == ["XX99", "XX99"]


def test_a_comparison_that_could_not_begin_is_kept_and_has_its_page(shop: Workspace) -> None:
    Path("shop.duckdb").rename("away.duckdb")
    assert main(["verify", "--html", "own.html", "--metrics", "el.prom"]) == 3
    assert "failed before anything was compared" in Path("own.html").read_text()
    assert 'el_run_exit_code{command="verify"' in Path("el.prom").read_text()
    found = shop.warehouse("SELECT result, error FROM shop_sales._el_runs WHERE command = 'verify'")
    assert [(result, "shop.duckdb" in error) for result, error in found] == [("failed", True)]


def killed(folder: str) -> None:
    os.chdir(folder)
    once_at("slice finished", lambda: os.kill(os.getpid(), signal.SIGKILL))
    main(["verify"])


def test_a_comparison_that_was_killed_is_known_of(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    process = context().Process(target=killed, args=(str(shop.path),))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL
    assert main(["verify", "--select", "sales.people"]) == 0
    assert shop.warehouse("SELECT result FROM shop_sales._el_runs WHERE command = 'verify' ORDER BY started_at") == [
        ("killed",),
        ("done",),
    ]


def test_a_failed_run_is_news_once_whatever_was_compared_meanwhile(shop: Workspace) -> None:
    Path("shop.duckdb").rename("away.duckdb")
    assert main(["run", "--progress", "none"]) == 3
    Path("away.duckdb").rename("shop.duckdb")
    assert main(["verify", "--select", "sales.people"]) == 0
    Path("shop.duckdb").rename("away.duckdb")
    assert main(["run", "--progress", "none"]) == 3
    assert shop.warehouse("SELECT count(*) FROM shop_sales._el_runs WHERE result = 'failed'") == [(1,)]


def test_lineage_is_told_nothing_of_a_comparison(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openlineage.client")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", "openlineage.yml")
    Path("openlineage.yml").write_text("transport: {type: file, log_file_path: events.json, append: true}\n")
    Path("el.yml").write_text(EL_YML + "lineage: {}\n")
    assert main(["verify", "--select", "sales.people"]) == 0
    assert not Path("events.json").exists()
    assert main(["run", "--progress", "none"]) == 0
    assert Path("events.json").exists()


def test_of_keys_that_not_every_server_reads_alike_no_sql_is_given(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source("CREATE TABLE sales.odd (name VARCHAR, moment TIMESTAMP, seen TIMESTAMP, PRIMARY KEY (name, moment))")
    shop.source("CREATE TABLE sales.paths (path VARCHAR PRIMARY KEY, size INTEGER, seen TIMESTAMP)")
    shop.source("INSERT INTO sales.odd VALUES ('a', '2024-01-01', '2024-01-01'), ('b', '2024-01-01', '2024-02-01')")
    shop.source(r"INSERT INTO sales.paths VALUES ('C:\n', 1, '2024-01-01'), ('/n', 1, '2024-01-01')")
    shop.source("INSERT INTO sales.paths VALUES ('/last', 1, '2024-02-01')")
    tables = "  - {name: sales.odd, cursor: seen}\n  - {name: sales.paths, cursor: seen}\n"
    Path("el.yml").write_text(EL_YML.partition("  - ")[0] + tables)
    assert main(["run", "--progress", "none"]) == 0
    shop.warehouse("DELETE FROM shop_sales.odd WHERE name = 'a'; UPDATE shop_sales.paths SET size = 2")
    capsys.readouterr()
    assert main(["verify", "--json"]) == 4
    odd, paths = json.loads(capsys.readouterr().out)["tables"]
    assert (odd["counts"]["missing"], odd["again"]) == (1, {})
    assert paths["counts"]["different"] == 2
    assert paths["again"]["source"].endswith("""WHERE "path" IN ('/n')""")


def test_a_schema_table_is_kept_beside_the_raw_table_that_it_is_made_of() -> None:
    raw = Found("sales.people", "shop_sales.people", "cursor", Verdict.DIFFERENT)
    model = replace(raw, verdict=Verdict.EQUAL, method=Method.MODEL, target="main.people")
    found = [kept(each) for each in (raw, model)]
    assert [each.table for each in found] == ["sales.people", "shop_sales.people -> main.people"]
    assert [each.sides[1] for each in found] == ["in raw", "in the schema table"]
