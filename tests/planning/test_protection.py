"""What el.yml protects stays protected, and what it says is what is taken; shown by the values that stand in raw."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from el.cli.app import main
from tests.shop import Workspace, inside

HEAD = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {workers: 1, retries: 0}\ntables:\n"
PEOPLE = """
CREATE SCHEMA hr;
CREATE TABLE hr.people (id INTEGER PRIMARY KEY, Email VARCHAR, salary INTEGER);
INSERT INTO hr.people VALUES (1, 'ann@example.com', 100), (2, 'bob@example.com', 200);
"""
MASKED = [hashlib.sha256(f"{name}@example.com".encode()).hexdigest() for name in ("ann", "bob")]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    shop = Workspace(tmp_path).create()
    shop.source(PEOPLE)
    with inside(tmp_path):
        yield shop


def settings(shop: Workspace, tables: str) -> None:
    (shop.path / "el.yml").write_text(HEAD + tables, encoding="utf-8")


def raw(shop: Workspace, columns: str) -> list[tuple[object, ...]]:
    return shop.warehouse(f"SELECT {columns} FROM shop_hr.people ORDER BY ALL")


@pytest.mark.parametrize(
    "later",
    [
        "{Email: {rename: e_mail}}",
        "{email: {rename: e_mail}}",
        "{EMAIL: {rename: e_mail, lossy: true}}",
    ],
)
def test_a_mask_of_one_entry_holds_when_a_later_one_renames_the_column(shop: Workspace, later: str) -> None:
    settings(
        shop, f"  - {{name: 'hr.*', columns: {{email: {{mask: sha256}}}}}}\n  - {{name: hr.people, columns: {later}}}\n"
    )
    assert main(["run", "--json"]) == 0
    assert sorted(raw(shop, "e_mail")) == sorted((value,) for value in MASKED)


def test_two_spellings_of_a_column_in_one_entry_are_one_column(shop: Workspace) -> None:
    settings(shop, "  - {name: hr.people, columns: {email: {mask: sha256}, Email: {rename: e_mail}}}\n")
    assert main(["run", "--json"]) == 0
    assert sorted(raw(shop, "e_mail")) == sorted((value,) for value in MASKED)


def test_two_spellings_that_say_different_things_are_refused(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(shop, "  - {name: hr.people, columns: {email: {mask: sha256}, Email: {mask: none}}}\n")
    assert main(["plan"]) == 2
    assert "hr.people.Email: hr.people gives it mask twice, by two spellings" in capsys.readouterr().out


@pytest.mark.parametrize(
    "entry", ["{name: hr.peple, columns: {email: {mask: sha256}}}", "{name: hr.peo, exclude: true}"]
)
def test_nothing_is_taken_where_an_entry_that_protects_something_matches_no_table(
    shop: Workspace, capsys: pytest.CaptureFixture[str], entry: str
) -> None:
    settings(shop, f"  - {{name: 'hr.*'}}\n  - {entry}\n")
    assert main(["run"]) == 2
    assert "el.yml line 7: no table matches 'hr.pe" in capsys.readouterr().err
    assert not (shop.path / "warehouse.duckdb").exists() or not shop.warehouse("SELECT 1 FROM duckdb_tables()")


def test_an_exclusion_of_one_entry_holds_when_a_later_one_sets_something_else(shop: Workspace) -> None:
    settings(
        shop,
        "  - {name: 'hr.*', columns: {SALARY: {exclude: true}}}\n"
        "  - {name: hr.people, columns: {salary: {cast: varchar(10)}}}\n",
    )
    assert main(["run", "--json"]) == 0
    columns = shop.warehouse("SELECT column_name FROM duckdb_columns() WHERE table_name = 'people'")
    assert ("salary",) not in columns
    assert ("email",) in columns


def test_a_mask_and_an_exclusion_are_taken_away_by_name(shop: Workspace) -> None:
    settings(
        shop,
        "  - {name: 'hr.*', columns: {email: {mask: sha256}, salary: {exclude: true}}}\n"
        "  - {name: hr.people, columns: {Email: {mask: none}, salary: {exclude: false}}}\n",
    )
    assert main(["run", "--json"]) == 0
    assert raw(shop, "email, salary") == [("ann@example.com", 100), ("bob@example.com", 200)]


@pytest.mark.parametrize("mask", ["null", "'null'"])
def test_the_mask_null_makes_every_value_null(shop: Workspace, mask: str) -> None:
    settings(shop, f"  - {{name: hr.people, columns: {{email: {{mask: {mask}}}}}}}\n")
    assert main(["run", "--json"]) == 0
    assert raw(shop, "id, email") == [(1, None), (2, None)]


@pytest.mark.parametrize("mask", ["", "~"])
def test_a_mask_without_a_name_is_refused(shop: Workspace, capsys: pytest.CaptureFixture[str], mask: str) -> None:
    settings(shop, f"  - name: hr.people\n    columns:\n      email:\n        mask: {mask}\n")
    assert main(["run", "--json"]) == 2
    assert "el.yml line 9: tables[0].columns.email.mask: name a mask" in capsys.readouterr().err


def test_a_masked_cursor_is_refused_for_its_bound_would_stand_in_raw(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(shop, "  - {name: hr.people, cursor: email, columns: {Email: {mask: sha256}}}\n")
    assert main(["run"]) != 0
    said = capsys.readouterr()
    assert "hr.people.Email: it is masked, and as the cursor" in said.err + said.out


def test_a_mask_is_not_lost_to_a_cast(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    settings(
        shop,
        "  - {name: 'hr.*', columns: {email: {mask: sha256}}}\n"
        "  - {name: hr.people, columns: {email: {cast: varchar(100)}}}\n",
    )
    assert main(["run"]) != 0
    said = capsys.readouterr()
    assert "hr.people.Email: mask sha256 and cast varchar(100)" in said.err + said.out


@pytest.mark.parametrize(
    ("tables", "lines", "key"),
    [
        (
            "  - name: hr.people\n    columns:\n      email: {mask: sha256}\n      email: {rename: e_mail}\n",
            (9, 8),
            "email",
        ),
        ("  - {name: hr.people}\ntables:\n  - {name: 'sales.*'}\n", (7, 5), "tables"),
        ("  - {name: hr.people,\n     strategy: full,\n     name: sales.orders}\n", (8, 6), "name"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(
    shop: Workspace, capsys: pytest.CaptureFixture[str], tables: str, lines: tuple[int, int], key: str
) -> None:
    settings(shop, tables)
    assert main(["run", "--json"]) == 2
    assert f"el.yml line {lines[0]}: {key}: this key stands twice, first in line {lines[1]}" in capsys.readouterr().err


def test_a_bound_on_deletes_holds_when_a_later_entry_sets_how_often(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(
        shop,
        "  - {name: 'sales.*', deletes: {max_percent: 0}}\n"
        "  - {name: sales.orders, cursor: updated_at, deletes: {every: 0s}}\n"
        "  - {name: sales.lines, exclude: true}\n  - {name: sales.nothing, exclude: true}\n",
    )
    assert main(["run", "--json"]) == 0
    shop.source("DELETE FROM sales.orders WHERE id < 10")
    assert main(["run", "--json"]) == 1
    assert "max_percent" in capsys.readouterr().out


def test_what_a_merge_key_would_replace_is_refused(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    settings(
        shop,
        "  - {name: 'hr.*', columns: &masks {email: {mask: sha256}}}\n"
        "  - {name: hr.people, columns: {<<: *masks, email: {rename: e_mail}}}\n",
    )
    assert main(["run", "--json"]) == 2
    assert "email: this key stands here and in what `<<` brings" in capsys.readouterr().err
