"""A raw schema that cannot be loaded leaves the others to be loaded, in this run and in those that come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dlt.common.schema import Schema
from dlt.extract.pipe_iterator import PipeIterator

from el.cli.app import main
from el.errors import LoadError
from el.loading.package import Loader
from tests.shop import Workspace


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def test_a_raw_schema_that_cannot_be_loaded_or_finished_keeps_no_other_one_waiting(
    shop: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source("CREATE SCHEMA web; CREATE TABLE web.visits AS SELECT * FROM range(5) t (id)")
    (tmp_path / "el.yml").write_text((tmp_path / "el.yml").read_text() + '  - {name: "web.*"}\n')

    def statuses(code: int) -> dict[str, str]:
        assert main(["run", "--json"]) == code
        tables = json.loads(capsys.readouterr().out)["tables"]
        failed = [table["error"] for table in tables if table["status"] == "failed"]
        assert all("is full" in error for error in failed)
        return {table["table"]: table["status"] for table in tables}

    load = Loader._load

    def full(loader: Loader, *arguments: object) -> list[str]:
        if loader._raw_schema == "shop_sales":
            raise LoadError("the disk is full", retryable=True)
        return load(loader, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Loader, "_load", full)
        sales = dict.fromkeys(("sales.lines", "sales.nothing", "sales.orders"), "failed")
        assert statuses(1) == sales | {"web.visits": "loaded"}
        shop.source("INSERT INTO web.visits VALUES (5)")
        assert statuses(1) == sales | {"web.visits": "loaded"}
    assert statuses(0)["web.visits"] == "unchanged"
    assert len(shop.complete("orders")) == 3000


def test_a_raw_schema_may_have_any_number_of_tables(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """dlt took the tables in turns, and went one call deeper for each that was through: at 950 Python refused."""
    shop.source("".join(f"CREATE TABLE sales.t{n} AS SELECT 1 AS a;" for n in range(30)))
    now, deepest = 0, 0
    item = PipeIterator._get_source_item

    def nested(self: PipeIterator) -> Any:
        nonlocal now, deepest
        now += 1
        deepest = max(deepest, now)
        try:
            return item(self)
        finally:
            now -= 1

    monkeypatch.setattr(PipeIterator, "_get_source_item", nested)
    assert main(["run", "--progress", "none"]) == 0
    assert 0 < deepest <= 3
    assert len(shop.complete("t29")) == 1


def test_what_dlt_works_out_for_each_table_does_not_grow_with_their_number(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    version = Schema.version_hash.fget
    assert version is not None
    monkeypatch.setattr(Schema, "version_hash", property(lambda self: (asked.append(1), version(self))[1]))
    counts = []
    for tables in (3, 40):
        shop.source("".join(f"CREATE OR REPLACE TABLE sales.n{tables}_{n} AS SELECT 1 AS a;" for n in range(tables)))
        asked.clear()
        assert main(["run", "--progress", "none"]) == 0
        counts.append(len(asked))
    assert counts[1] <= counts[0] + 5
