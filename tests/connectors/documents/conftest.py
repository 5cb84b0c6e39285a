"""A store of documents, and `el run` from it into DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from el.cli.app import main
from tests.guests import installed, on_path


@dataclass
class Shop:
    """A store of documents, and a warehouse."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def documents(self, *lines: str, name: str = "orders") -> None:
        (self.folder / "store" / "shop" / f"{name}.ndjson").write_text("".join(f"{line}\n" for line in lines))

    def el_yml(self, *entries: str) -> None:
        tables = "".join(f"  - {{name: {entry}}}\n" for entry in entries)
        text = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {retries: 0}\ntables:\n"
        (self.folder / "el.yml").write_text(text + tables)

    def el(self, *arguments: str) -> str:
        self.code = main(list(arguments))
        out, err = self.capsys.readouterr()
        return " ".join((out + err).split())

    def run(self) -> dict[str, dict[str, Any]]:
        report = json.loads(self.el("run", "--json").partition("\n")[0])
        return {table["table"].partition(".")[2]: table for table in report["tables"]}

    def raw(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as warehouse:
            return warehouse.execute(sql.replace("raw.", "shop_shop.")).fetchall()


@pytest.fixture
def shop(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    outputs = {
        "shop": {"type": "documents", "folder": str(folder / "store")},
        "warehouse": {"type": "duckdb", "path": str(folder / "warehouse.duckdb")},
    }
    profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in outputs.items()}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    (folder / "store" / "shop").mkdir(parents=True)
    with on_path(installed(folder / "site", "el_documents", "documents = el_documents:Documents")):
        yield Shop(folder, capsys)
