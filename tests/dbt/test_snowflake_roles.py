"""el, dbt and a reader on Snowflake, each with a role that has what docs/snowflake_setup.sql grants, and no more."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.cli.main import dbtRunner

from el.cli.app import main
from el.connectors.catalog import TableName
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.errors import ElError
from el.sample import shop as sample
from tests import snowflake_roles
from tests.dbt.project import ROOT, copy_project
from tests.standins.snowflake import SnowflakeStandIn

EL_YML = """\
version: 1
source: shop
destination: warehouse
raw: {keep: 30d}
tables:
  - {name: sales.orders, cursor: updated_at}
"""
CHAIN = ("load", "build", "read", "purge")


class Chain:
    """A load by LOADER, models by TRANSFORMER, a report by REPORTER, and a purge by LOADER; all in this process."""

    def __init__(self, standin: SnowflakeStandIn, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.standin, self.path = standin, path
        (path / "local").mkdir(parents=True)
        sample.create(path / "local" / "shop.duckdb")
        shutil.copy(ROOT / "profiles.example.yml", path / "profiles.yml")
        (path / "el.yml").write_text(EL_YML)
        copy_project(path, generated=False)
        patch.chdir(path)
        patch.delenv("EL_TARGET", raising=False)
        patch.setenv("EL_READER_ROLES", "REPORTER")
        patch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        assert main(["codegen"]) == 0

    def _act_as(self, role: str) -> None:
        profiles = yaml.safe_load((self.path / "profiles.yml").read_text())
        profiles["warehouse"]["outputs"] = {"local": snowflake_roles.output(self.standin, role)}
        (self.path / "profiles.yml").write_text(yaml.safe_dump(profiles))

    def load(self) -> bool:
        self._act_as("LOADER")
        return main(["run", "--progress", "none"]) == 0

    def build(self) -> bool:
        self._act_as("TRANSFORMER")
        places = ["--project-dir", "dbt_project", "--profiles-dir", ".", "--target-path", str(self.path / "target")]
        return dbtRunner().invoke(["--quiet", "run", *places]).success

    def read(self) -> bool:
        try:
            with open_connector(snowflake_roles.output(self.standin, "REPORTER")) as reader:
                return reader.read_buffer(ReadRequest(table=TableName("SALES", "ORDERS"))).to_arrow().num_rows > 0
        except ElError:
            return False

    def purge(self) -> bool:
        self._act_as("LOADER")
        return main(["purge", "--yes"]) == 0

    def first_red(self) -> str | None:
        """The step that fails."""
        return next((step for step in CHAIN if not getattr(self, step)()), None)


def test_each_of_them_needs_no_more_than_the_setup_grants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SnowflakeStandIn() as standin:
        snowflake_roles.apply(standin)
        assert Chain(standin, tmp_path / "project", monkeypatch).first_red() is None
        reader = open_connector(snowflake_roles.output(standin, "REPORTER"))
        with pytest.raises(ElError, match="not authorized"), reader:
            reader.read_buffer(ReadRequest(table=TableName("SHOP_SALES", "ORDERS")))


def _grants() -> list[Any]:
    """Those that the load needs in every run of the suite, those of later steps in the long one."""
    first = ("TO ROLE loader", "DATABASE analytics TO ROLE transformer")
    grants = snowflake_roles.grants()
    return [g if g.endswith(first) and "staging" not in g else pytest.param(g, marks=pytest.mark.soak) for g in grants]


@pytest.mark.parametrize("grant", _grants())
def test_with_one_grant_less_it_fails(grant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role = grant.split(" TO ROLE ")[1].split()[0]
    steps = {"loader": ("load", "purge"), "transformer": ("build",), "reporter": ("read",)}[role]
    with SnowflakeStandIn() as standin:
        snowflake_roles.apply(standin, but=grant)
        assert Chain(standin, tmp_path / "project", monkeypatch).first_red() in steps
