"""What el.yml makes of a key: what could leave two rows with one key stops the table, and doubled keys are said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from el.cli.app import main
from tests.shop import Workspace, inside
from tests.tsql_shop import TsqlShop

HEAD = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {workers: 1, retries: 0}\ntables:\n"
ROWS = """
CREATE SCHEMA k;
CREATE TABLE k.t (code VARCHAR, moment TIMESTAMP, c INTEGER);
INSERT INTO k.t VALUES ('a', '2024-01-01 01:00', 1), ('b', '2024-01-01 05:00', 2), ('b', '2024-01-02', 3);
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    shop = Workspace(tmp_path).create()
    shop.source(ROWS)
    with inside(tmp_path):
        yield shop


def run(shop: Workspace, capsys: pytest.CaptureFixture[str], settings: str, code: int = 0) -> dict[str, object]:
    (shop.path / "el.yml").write_text(f"{HEAD}  - {{name: k.t, cursor: c, {settings}}}\n")
    assert main(["run", "--json"]) == code
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    return dict(table)


def test_a_mask_that_gives_a_key_one_value_stops_the_table(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    table = run(shop, capsys, "key: [code], columns: {code: {mask: 'null'}}", code=1)
    assert table["error"] == ("k.t: code is part of the key, and its mask gives every row one value: use `mask: hmac`")
    assert run(shop, capsys, "key: [code], columns: {code: {mask: sha256}}")["status"] == "loaded"


def test_a_cast_that_may_make_two_keys_one_is_accepted_by_name(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    cast = "key: [moment], columns: {moment: {cast: date}}"
    table = run(shop, capsys, cast, code=1)
    assert "moment is part of the key, and what lands of it is less (cast from timestamp to date)" in str(
        table["error"]
    )
    table = run(shop, capsys, f"{cast}, accept: [changed_keys]")
    assert table["status"] == "loaded"
    assert "1 keys (moment) come more than once, in 2 rows" in " ".join(map(str, table["notes"]))  # type: ignore[call-overload]


def test_a_declared_key_that_is_not_one_is_said(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    notes = run(shop, capsys, "key: [code]")["notes"]
    assert "1 keys (code) come more than once, in 2 rows: of each, the schema table keeps one row" in str(notes)
    assert "more than once" not in str(run(shop, capsys, "key: [code, moment]")["notes"])


def test_a_masked_key_that_compares_without_case_is_accepted_by_name(tsql_shop: TsqlShop) -> None:
    entry = "  - {{name: dbo.t, cursor: c, columns: {{code: {{mask: sha256}}}}{}}}"
    tsql_shop.create(
        entry.format(""),
        "CREATE TABLE dbo.t (code VARCHAR(10) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY, c INT NOT NULL)",
        "INSERT INTO dbo.t VALUES ('abc', 1)",
    )
    assert "dbo.t: code is part of the key and compares without case" in tsql_shop.el(code=1)["dbo.t"]["error"]
    tsql_shop.tables(entry.format(", accept: [keys_by_bytes]"))
    assert tsql_shop.el()["dbo.t"]["rows"] == 1
