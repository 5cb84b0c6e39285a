"""Where tables land in raw: what cannot be called so is one line before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.cli import main
from tests.shop import Workspace


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def configure(shop: Workspace, settings: str, source: str = "shop", tables: str = '[{name: "*.*"}]') -> None:
    (shop.path / "el.yml").write_text(
        f"version: 1\nsource: {source}\ndestination: warehouse\ndefaults: {{retries: 0}}\n"
        f"{settings}\ntables: {tables}\n"
    )


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    return said


@pytest.mark.parametrize(
    ("settings", "other"),
    [("raw: {schema: raw}", "orders"), ("raw: {schema: raw, naming: preserve}", "ORDERS")],
    ids=["one name", "names that only case tells apart"],
)
def test_two_tables_of_el_yml_that_meet_in_raw_are_refused_also_where_a_run_takes_only_one(
    shop: Workspace, capsys: pytest.CaptureFixture[str], settings: str, other: str
) -> None:
    shop.source(f'CREATE SCHEMA web; CREATE TABLE web."{other}" (id INTEGER)')
    configure(shop, settings)
    for arguments in ([], ["--select", "web.*"]):
        assert "sales.orders and web." in refused(capsys, "plan", *arguments)
