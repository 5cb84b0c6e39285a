"""dbt's part of `benchmarks/statements.py`: what building the models of the same tables asks of Snowflake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.statements import Asked, Shop
from tests.dbt.project import ROOT, copy_project

DBT = Path(sys.executable).with_name("dbt")
HOURLY = ("build", "--vars", "{el_tests: changed}")


class Models(Shop):
    """The shop with a dbt project of its own; models are built without their tests unless a line says otherwise."""

    def builds(self, news: int) -> dict[str, Asked]:
        """A first build; with news in some tables, and with nothing new, each of all models and by `el changed`."""
        self.call(sys.executable, "-m", "el", "run", "--progress", "none")
        copy_project(self.folder, generated=False)
        self.call(sys.executable, "-m", "el", "codegen")
        with self.told("first build"):
            self.build()
        self.bring(2, news)
        with self.told(f"{news} have news"):
            self.build()
        self.bring(3, news)
        with self.told(f"{news} have news, by `el changed`"):
            selected = self.changed()
            assert len(selected) == 2 * news
            self.build("--select", *selected)
        with self.told("nothing new"):
            self.build()
        with self.told("nothing new, by `el changed`"):
            assert self.changed() == []
        with self.told("all tests"):
            self.dbt("test")
        self.bring(4, news)
        with self.told(f"{news} have news, build of each hour"):
            self.dbt(*HOURLY)
        with self.told("nothing new, build of each hour"):
            self.dbt(*HOURLY)
        return self.asked()

    def bring(self, day: int, tables: int) -> None:
        self.change(day, tables)
        self.call(sys.executable, "-m", "el", "run", "--progress", "none")

    def build(self, *arguments: str) -> None:
        self.dbt("run", *arguments)

    def dbt(self, *command: str) -> None:
        self.call(str(DBT), "--quiet", *command, "--project-dir", "dbt_project", "--profiles-dir", ".")

    def changed(self) -> list[str]:
        """The models and raw tables that have loads to take."""
        return self.call(sys.executable, "-m", "el", "changed", codes=(0, 5)).split()

    def call(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "EL_"))}
        environment |= {"PYTHONPATH": str(ROOT), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        done = subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True, check=False)
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout
