"""`mask: hmac`: a pseudonym that nobody without the key can look up, and a key that never stands anywhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from el.cli.app import main
from el.config.mask_key import MaskKey
from tests.shop import Workspace, inside

KEY, OTHER = "k-8c1f" * 8, "k-77aa" * 8
HEAD = "version: 1\nsource: shop\ndestination: warehouse\nmask_key: env:EL_MASK_KEY\ndefaults: {workers: 1}\ntables:\n"
PEOPLE = """
CREATE SCHEMA hr;
CREATE TABLE hr.people (id INTEGER PRIMARY KEY, email VARCHAR, u INTEGER NOT NULL);
INSERT INTO hr.people VALUES (1, 'ann@example.com', 1), (2, 'bob@example.com', 2), (3, NULL, 3), (4, '', 4);
CREATE TABLE hr.logins (email VARCHAR PRIMARY KEY, n INTEGER);
INSERT INTO hr.logins VALUES ('ann@example.com', 5), ('bob@example.com', 6);
"""
MASKED = "columns: {email: {mask: hmac}}"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    shop = Workspace(tmp_path).create()
    shop.source(PEOPLE)
    monkeypatch.setenv("EL_MASK_KEY", KEY)
    with inside(tmp_path):
        yield shop


def settings(shop: Workspace, *tables: str, head: str = HEAD) -> None:
    (shop.path / "el.yml").write_text(head + "".join(f"  - {table}\n" for table in tables), encoding="utf-8")


def pseudonym(value: str, key: str = KEY) -> str:
    return hmac.digest(key.encode(), hashlib.sha256(value.encode()).digest(), "sha256").hex()


def test_raw_holds_the_hmac_of_each_value_and_neither_value_hash_nor_key_stands_anywhere(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(shop, f"{{name: 'hr.*', {MASKED}}}")
    assert main(["plan", "--why"]) == 0
    assert main(["plan", "--sql"]) == 0
    assert main(["run", "--json"]) == 0
    rows = dict(shop.warehouse("SELECT id, email FROM shop_hr.people"))
    assert rows == {1: pseudonym("ann@example.com"), 2: pseudonym("bob@example.com"), 3: None, 4: pseudonym("")}
    found = capsys.readouterr()
    written = [path.read_bytes() for path in shop.path.rglob("*") if path.is_file() and path.name != "shop.duckdb"]
    digest = hashlib.sha256(b"ann@example.com").hexdigest()
    for secret in (KEY, digest, "ann@example.com"):
        assert not [text for text in written if secret.encode() in text]
        assert secret not in found.out + found.err


def test_tables_with_one_mask_are_joined_by_it_and_a_masked_key_tells_rows_apart(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(
        shop,
        f"{{name: 'hr.*', {MASKED}, deletes: {{by: keys, every: 0s, max_percent: 100}}, cursor: u}}",
        "{name: hr.logins, cursor: n}",
    )
    assert main(["run", "--json"]) == 0
    join = "SELECT p.id, l.n FROM shop_hr.people p JOIN shop_hr.logins l USING (email) ORDER BY ALL"
    assert shop.warehouse(join) == [(1, 5), (2, 6)]
    shop.source("DELETE FROM hr.logins WHERE n = 5")
    capsys.readouterr()
    assert main(["run", "--json"]) == 0
    gone = shop.warehouse("SELECT email FROM shop_hr.logins WHERE _el_op = 'D'")
    assert gone == [(pseudonym("ann@example.com"),)]


def test_another_key_begins_a_new_snapshot_and_says_so(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(shop, f"{{name: hr.people, cursor: u, {MASKED}}}")
    assert main(["run", "--json"]) == 0
    capsys.readouterr()
    shop.source("INSERT INTO hr.people VALUES (5, 'eve@example.com', 5)")
    monkeypatch.setenv("EL_MASK_KEY", OTHER)
    assert main(["run", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert (table["kind"], table["rows"]) == ("snapshot", 5)
    assert any("email: mask hmac, key " in note and "new snapshot begins" in note for note in table["notes"])
    newest = "_dlt_load_id = (SELECT max(_dlt_load_id) FROM shop_hr.people)"
    assert dict(shop.warehouse(f"SELECT id, email FROM shop_hr.people WHERE {newest}"))[5] == pseudonym(
        "eve@example.com", OTHER
    )
    assert main(["run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"][0]["kind"] != "snapshot"


def test_a_key_that_is_not_there_or_can_be_guessed_stops_the_table_by_name(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(shop, f"{{name: 'hr.*', {MASKED}}}")
    monkeypatch.setenv("EL_MASK_KEY", "short")
    assert main(["plan"]) == 2
    said = capsys.readouterr().out
    assert "hr.people.email: mask_key: env:EL_MASK_KEY has 5 characters" in said
    assert "short" not in said.replace("key that short", "")
    monkeypatch.delenv("EL_MASK_KEY")
    assert main(["plan"]) == 2
    assert "EL_MASK_KEY is not set" in capsys.readouterr().out
    settings(shop, f"{{name: 'hr.*', {MASKED}}}", head=HEAD.replace("mask_key: env:EL_MASK_KEY\n", ""))
    assert main(["plan"]) == 2
    assert "hr.people.email: mask hmac needs a key" in capsys.readouterr().out


def test_a_key_that_stands_in_el_yml_itself_is_refused_and_not_shown(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(shop, f"{{name: 'hr.*', {MASKED}}}", head=HEAD.replace("env:EL_MASK_KEY", KEY))
    assert main(["plan"]) == 2
    said = capsys.readouterr()
    assert "el.yml line 4: mask_key: name where the key is" in said.err
    assert KEY not in said.err + said.out


def test_a_pickle_and_a_repr_hold_the_reference_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_MASK_KEY", KEY)
    key = MaskKey("env:EL_MASK_KEY")
    assert key.secret() == KEY.encode()
    assert KEY.encode() not in pickle.dumps(key)
    assert KEY not in repr(key)
    assert pickle.loads(pickle.dumps(key)).fingerprint() == key.fingerprint() != key.secret().decode()


def test_the_plan_says_once_that_a_mask_without_a_key_can_be_looked_up(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(shop, "{name: 'hr.*', columns: {email: {mask: sha256}}}")
    assert main(["plan"]) == 0
    assert capsys.readouterr().out.count("mask sha256 has no key") == 1
    settings(shop, f"{{name: 'hr.*', {MASKED}}}")
    assert main(["plan"]) == 0
    assert "has no key" not in capsys.readouterr().out
