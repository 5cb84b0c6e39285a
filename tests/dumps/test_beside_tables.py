"""Dumps beside the tables of a database: one raw schema, one package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shop import EL_YML, Workspace, inside


def test_tables_and_files_are_loaded_by_one_run_into_one_raw_schema(tmp_path: Path) -> None:
    from el.cli.app import main

    shop = Workspace(tmp_path).create()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.csv").write_text("id,note\n-1,old\n")
    dumps = 'dumps:\n  - {name: sales.old_orders, files: "old/*.csv", format: csv}\n'
    (tmp_path / "el.yml").write_text(EL_YML + dumps)
    with inside(tmp_path):
        for _ in range(2):
            assert main(["run", "--progress", "none"]) == 0
        assert main(["plan"]) == 0
    assert shop.complete("old_orders", "id, note") == [("-1", "old")]
    assert len(shop.complete("orders")) == 3000
    loads = shop.warehouse("SELECT DISTINCT _dlt_load_id FROM shop_sales.old_orders UNION "
                           "SELECT DISTINCT _dlt_load_id FROM shop_sales.orders")  # fmt: skip
    assert len(loads) == 1


def test_a_table_that_files_brought_is_none_that_the_source_lost(tmp_path: Path) -> None:
    """Taken out of `dumps`, it stays in raw, and is no failure of the glob over the database's tables."""
    from el.cli.app import main

    Workspace(tmp_path).create()
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "el.yml").write_text(EL_YML + "dumps:\n  - {name: sales.old, files: a.csv, format: csv}\n")
    with inside(tmp_path):
        assert main(["run", "--progress", "none"]) == 0
        (tmp_path / "el.yml").write_text(EL_YML)
        assert main(["run", "--progress", "none"]) == 0


@pytest.mark.parametrize("first", ["table", "files"])
def test_rows_of_a_table_and_of_files_never_stand_in_one_raw_table(tmp_path: Path, first: str) -> None:
    """Where el.yml takes by files what it took from the database before, or the other way round."""
    from el.cli.app import main

    shop = Workspace(tmp_path).create()
    shop.source("CREATE TABLE sales.notes (note VARCHAR); INSERT INTO sales.notes VALUES ('live')")
    (tmp_path / "a.csv").write_text("note\nold\n")
    head = EL_YML.partition("tables:")[0]
    entries = {
        "table": "tables:\n  - {name: sales.notes, key: note}\n",
        "files": "dumps:\n  - {name: sales.notes, files: a.csv, format: csv}\n",
    }
    other = "files" if first == "table" else "table"
    with inside(tmp_path):
        (tmp_path / "el.yml").write_text(head + entries[first])
        assert main(["run", "--progress", "none"]) == 0
        (tmp_path / "el.yml").write_text(head + entries[other])
        assert main(["run", "--progress", "none"]) == 1
        assert main(["plan"]) == 2
    assert shop.complete("notes", "note") == [("live" if first == "table" else "old",)]


def test_files_of_a_place_of_their_own_are_named_by_its_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from el.cli.app import main

    shop = Workspace(tmp_path).create()
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "far" / "away" / "a.csv").write_text("id\n1\n")
    entry = "dumps:\n  - {name: sales.old, source: exports, files: 'away/*.csv', format: csv}\n"
    (tmp_path / "el.yml").write_text(EL_YML + entry)
    profiles = (tmp_path / "profiles.yml").read_text()
    (tmp_path / "profiles.yml").write_text(profiles + "exports: {target: it, outputs: {it: {type: files, url: far}}}\n")
    with inside(tmp_path):
        assert main(["run", "--progress", "none", "--select", "old"]) == 0
        assert shop.complete("old", "id") == [("1",)]
        (tmp_path / "el.yml").write_text(EL_YML + entry.replace("exports", "warehouse"))
        assert main(["plan"]) == 2
    assert "an entry of `dumps` needs `type: files`" in capsys.readouterr().err


@pytest.mark.parametrize("other", ["table", "files"])
def test_one_name_for_two_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str) -> None:
    """Of a table and files, or of two entries of files: both would land in one raw table."""
    from el.cli.app import main

    shop = Workspace(tmp_path).create()
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("id\n1\n")
    entry = "  - {name: sales.orders, files: a.csv, format: csv}\n"
    more = "  - {name: sales.old, files: a.csv, format: csv}\n  - {name: sales.old, files: b.csv, format: csv}\n"
    (tmp_path / "el.yml").write_text(EL_YML + "dumps:\n" + (entry if other == "table" else more))
    with inside(tmp_path):
        assert main(["run", "--progress", "none"]) == 1
    name = "sales.orders" if other == "table" else "sales.old"
    assert f"FAILED {name}: {name} stands twice among `tables` and `dumps`" in capsys.readouterr().out
    assert len(shop.complete("lines")) == 9000
    tables = shop.warehouse("SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop_sales'")
    assert (name.partition(".")[2],) not in tables


@pytest.mark.parametrize(
    ("tables", "select", "asked"),
    [
        ("sales.*", "sales.old", False),
        ("sales.*", "old", True),  # may be a table of another spelling
        ("sales.*", "sales.o*", True),
        ("sales.orders", "o*", True),
        ("sales.orders", "ol*", False),
        ("hr.*", "sales.*", False),
    ],
)
def test_a_database_that_is_away_matters_to_none_who_selects_files_alone(
    tmp_path: Path, tables: str, select: str, asked: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does it to `plan`, `state` and `purge`."""
    from el.cli.app import main

    shop = Workspace(tmp_path).create()
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "shop.duckdb").rename(tmp_path / "away.duckdb")
    head = EL_YML.partition("tables:")[0] + "raw: {keep: 30d}\ndbt: {loads_taken: none}\n"
    dumps = "dumps:\n  - {name: sales.old, files: a.csv, format: csv}\n"
    (tmp_path / "el.yml").write_text(f'{head}tables:\n  - {{name: "{tables}"}}\n{dumps}')
    with inside(tmp_path):
        codes = [main([command, "--select", select]) for command in ("plan", "run", "state", "purge")]
    found = capsys.readouterr()
    assert codes == ([3] * 4 if asked else [0] * 4), found.out + found.err
    if not asked:
        assert shop.complete("old", "id") == [("1",)]
        # The tables of this raw schema are not as new as this run.
        said = shop.warehouse("SELECT comment FROM duckdb_tables() WHERE table_name = '_el_ledger'")
        assert "whole run" not in str(said[0][0])
