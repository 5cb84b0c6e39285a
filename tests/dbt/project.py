"""A folder with the sample shop, the dbt project and a warehouse in DuckDB: what a user has after `make demo`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from el.sample import shop as sample
from tests.forked import call

ROOT = Path(__file__).parents[2]
TABLES = ("customers", "products", "orders", "order_lines", "payments")
# profiles.yml -> what dbt has parsed under it, for the next project of this process: parsing is half of a small build.
_PARSED: dict[str, bytes] = {}


def copy_project(path: Path, *, generated: bool = True) -> None:
    """The dbt project into a folder; without what `codegen` wrote for the sample shop where that is not wanted."""
    ignored = ["target", "logs"] + ([] if generated else ["sales", "staging", "*exposures*"])
    shutil.copytree(ROOT / "dbt_project", path / "dbt_project", ignore=shutil.ignore_patterns(*ignored))


@dataclass(frozen=True)
class Project:
    """Commands run in `path`, in processes of their own."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> Project:
        (path / "local").mkdir(parents=True)
        shutil.copy(ROOT / "el.yml", path / "el.yml")
        shutil.copy(ROOT / "profiles.example.yml", path / "profiles.yml")
        copy_project(path)
        sample.create(path / "local" / "shop.duckdb")
        return cls(path)

    def copied(self, folder: Path) -> Project:
        """All of it once more, in this folder."""
        shutil.copytree(self.path, folder / "project")
        return Project(folder / "project")

    def day(self, number: int) -> None:
        sample.business_day(self.path / "local" / "shop.duckdb", number)

    def load(self) -> None:
        done = self._call("el", "run", "--progress", "none")
        assert done.returncode == 0, done.stdout + done.stderr

    def el(self, *arguments: str, code: int = 0) -> str:
        """Run a command of el, which has to end with `code`; what it printed."""
        done = self._call("el", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def dbt(self, *arguments: str, code: int = 0) -> dict[str, str]:
        """Run a dbt command, which has to end with `code`; the state of each node by its name."""
        results = self.path / "target" / "run_results.json"
        results.unlink(missing_ok=True)
        self._begin_with_what_was_parsed()
        done = self._call("dbt", "--no-use-colors", *arguments, "--project-dir", "dbt_project", "--profiles-dir", ".")
        self._keep_what_was_parsed()
        assert done.returncode == code, done.stdout + done.stderr
        if not results.exists():
            return {}
        return {
            found["unique_id"].split(".")[2]: found["status"]
            for found in json.loads(results.read_text())["results"]
            if not found["unique_id"].startswith(("exposure.", "operation."))
        }

    def models(self, *arguments: str) -> dict[str, str]:
        """Build the models alone, without the tests."""
        return self.dbt("run", *arguments)

    def warehouse(self, *statements: str) -> list[tuple[Any, ...]]:
        """What the last of the statements gives."""
        with duckdb.connect(str(self.path / "local" / "warehouse.duckdb")) as connection:
            for statement in statements:
                result = connection.execute(statement)
            return result.fetchall()

    def built(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every schema table, landing columns included."""
        return {name: self.warehouse(f"SELECT * FROM sales.{name} ORDER BY ALL") for name in (*TABLES, "orders_log")}

    def shown(self) -> dict[str, list[tuple[Any, ...]]]:
        """The schema tables in the source's own columns."""
        with duckdb.connect(str(self.path / "local" / "warehouse.duckdb"), read_only=True) as warehouse:
            return {
                name: warehouse.execute(
                    f"SELECT {', '.join(self.columns(name))} FROM sales.{name} ORDER BY ALL"
                ).fetchall()
                for name in TABLES
            }

    def source(self) -> dict[str, list[tuple[Any, ...]]]:
        with duckdb.connect(str(self.path / "local" / "shop.duckdb"), read_only=True) as shop:
            return {name: shop.execute(f"SELECT * FROM sales.{name} ORDER BY ALL").fetchall() for name in TABLES}

    def columns(self, table: str) -> list[str]:
        with duckdb.connect(str(self.path / "local" / "shop.duckdb"), read_only=True) as shop:
            return [row[0] for row in shop.execute(f"DESCRIBE sales.{table}").fetchall()]

    def loads(self, table: str) -> list[str]:
        return [
            row[0]
            for row in self.warehouse(
                f"SELECT _dlt_load_id FROM shop_sales._el_ledger WHERE table_name = '{table}' ORDER BY ALL"
            )
        ]

    @property
    def _parsed(self) -> Path:
        return self.path / "target" / "partial_parse.msgpack"

    def _begin_with_what_was_parsed(self) -> None:
        """dbt parses again what is not as it was: of a copied project nearly nothing."""
        kept = _PARSED.get((self.path / "profiles.yml").read_text())
        if kept is not None and not self._parsed.exists():
            self._parsed.parent.mkdir(exist_ok=True)
            self._parsed.write_bytes(kept)

    def _keep_what_was_parsed(self) -> None:
        if self._parsed.exists():
            _PARSED.setdefault((self.path / "profiles.yml").read_text(), self._parsed.read_bytes())

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "EL_"))}
        environment |= {
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_TARGET_PATH": str(self.path / "target"),
            "DBT_LOG_PATH": str(self.path / "logs"),
            # What a debugger reads costs a tenth of a build; `--log-level-file debug` writes it.
            "DBT_LOG_LEVEL_FILE": "none",
            "PYTHONPATH": str(ROOT),
        }
        return call(program, arguments, self.path, environment)
