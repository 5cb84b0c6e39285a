"""A raw schema that cannot be loaded leaves the others to be loaded, in this run and in those that come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from el.cli.app import main
from el.errors import LoadError
from el.loading.package import Loader
from tests.shop import Workspace


def test_a_raw_schema_that_cannot_be_loaded_or_finished_keeps_no_other_one_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    shop = Workspace(tmp_path).create()
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
