"""`el run` from a store of documents into DuckDB, as the tests of each such connector need it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from el.cli.app import main


@dataclass
class DocumentShop:
    """A folder with el.yml and profiles.yml. schema: of the store's tables."""

    schema: str
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def profiles(self, output: dict[str, Any]) -> None:
        """profiles.yml with the store at this output, and a warehouse."""
        warehouse = {"type": "duckdb", "path": str(self.folder / "warehouse.duckdb")}
        named = {"shop": output, "warehouse": warehouse}
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in named.items()}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump(profiles))

    def el_yml(self, entries: Iterable[str], more: str = "") -> None:
        """el.yml with these tables, such as "orders, strategy: full"."""
        text = f"version: 1\nsource: shop\ndestination: warehouse\ndefaults: {{retries: 0}}\n{more}\ntables:\n"
        lines = (f"  - {{name: {self.schema}.{entry}}}\n" for entry in entries)
        (self.folder / "el.yml").write_text(text + "".join(lines))

    def el(self, *arguments: str) -> str:
        """What a command says, in one line; its exit code is `code` then."""
        self.code = main(list(arguments))
        out, err = self.capsys.readouterr()
        return " ".join((out + err).split())

    def run(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """What a run did, by the tables' names."""
        main(["run", "--json", *arguments])
        out, err = self.capsys.readouterr()
        assert out, err
        return {table["table"].partition(".")[2]: table for table in json.loads(out)["tables"]}

    def raw(self, sql: str) -> list[tuple[Any, ...]]:
        """What the warehouse answers; "raw." stands for the raw schema."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as warehouse:
            return warehouse.execute(sql.replace("raw.", f"shop_{self.schema}.")).fetchall()
