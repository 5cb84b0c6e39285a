"""A workspace for tests of file dumps: a folder with files, el.yml without tables, a warehouse."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from el.cli.app import main

EL_YML = """\
version: 1
source: old
destination: warehouse
defaults: {{workers: 2, retries: 0}}
dumps:
  - name: sales.orders
    files: "files/**"
    {entry}
"""
PROFILES = """\
old: {target: local, outputs: {local: {type: files, url: .}}}
warehouse: {target: local, outputs: {local: {type: duckdb, path: warehouse.duckdb}}}
"""


@dataclass
class Dumps:
    """`python -m el` over the files of one folder."""

    path: Path
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    _times: int = field(default=0)

    def entry(self, *settings: str, text: str | None = None) -> Dumps:
        """el.yml with one entry of these settings, or with this text."""
        told = [each for each in settings if not each.startswith("format")]
        formats = [each for each in settings if each.startswith("format")] or ["format: csv"]
        entry = "\n    ".join([*formats, *told])
        (self.path / "el.yml").write_text(
            text or EL_YML.format(entry=entry if formats != ["format: none"] else "rejects: 0")
        )
        (self.path / "profiles.yml").write_text(PROFILES)
        (self.path / "files").mkdir(exist_ok=True)
        return self

    def file(self, name: str, data: str | bytes, *, age: float = 60) -> Path:
        """Write a file of this age in seconds, in place of what was there."""
        path = self.path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        # Never the same time twice, whatever the clock's grain is.
        self._times += 1
        moment = time.time_ns() - int(age * 1e9) + self._times
        os.utime(path, ns=(moment, moment))
        return path

    def run(self, *arguments: str, command: str = "run") -> int:
        extra = ("--progress", "none") if command == "run" and "--json" not in arguments else ()
        code = main([command, *extra, *arguments])
        found = self.capsys.readouterr()
        self.out = found.out + found.err
        return code

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    def rows(self, columns: str = "*", table: str = "orders") -> list[tuple[Any, ...]]:
        """The rows of complete loads, in order."""
        return self.sql(
            f"SELECT {columns} FROM old_sales.{table} WHERE _dlt_load_id IN "
            "(SELECT load_id FROM old_sales._dlt_loads WHERE status = 0) ORDER BY ALL"
        )
