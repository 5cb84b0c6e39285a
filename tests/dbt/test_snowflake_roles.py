"""el and dbt on Snowflake with the roles of `python -m el grants`, each with what its script gives, and no more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from dbt.cli.main import dbtRunner

from el.cli.app import main
from el.connectors.base import Target
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
STAGED = TableName("STAGING", "STG_SHOP__ORDERS")


class Chain:
    """Loads by the owner and the engineer, models by the engineer, a look at staging, a purge; all in this process."""

    steps = ("load_by_owner", "load", "build", "build_by_owner", "look", "purge")

    def __init__(self, standin: SnowflakeStandIn, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.standin, self.path = standin, path
        (path / "local").mkdir(parents=True)
        sample.create(path / "local" / "shop.duckdb")
        shutil.copy(ROOT / "profiles.example.yml", path / "profiles.yml")
        (path / "el.yml").write_text(EL_YML)
        copy_project(path, generated=False)
        patch.chdir(path)
        for name in ("EL_TARGET", "EL_READER_ROLES"):
            patch.delenv(name, raising=False)
        patch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        self.act_as("owner")
        self.scripts = {role: self._script(role) for role in snowflake_roles.ROLES}
        (path / "profiles.yml").write_text((ROOT / "profiles.example.yml").read_text())
        assert main(["codegen"]) == 0

    def _script(self, role: str) -> list[str]:
        # Grants are the owner's to make.
        self.act_as("owner")
        return snowflake_roles.script(role)

    def apply(self, *, but: str = "") -> None:
        every = dict.fromkeys(sql for statements in self.scripts.values() for sql in statements)
        snowflake_roles.apply(self.standin, [sql for sql in every if sql != but])

    def act_as(self, role: str) -> None:
        profiles = yaml.safe_load((self.path / "profiles.yml").read_text())
        profiles["warehouse"]["outputs"] = {"local": snowflake_roles.output(self.standin, role)}
        (self.path / "profiles.yml").write_text(yaml.safe_dump(profiles))

    def load_by_owner(self) -> bool:
        self.act_as("owner")
        return main(["run", "--progress", "none"]) == 0

    def load(self) -> bool:
        sample.business_day(self.path / "local" / "shop.duckdb", 1)
        self.act_as("engineer")
        return main(["run", "--progress", "none"]) == 0

    def build(self, role: str = "engineer") -> bool:
        self.act_as(role)
        places = ["--project-dir", "dbt_project", "--profiles-dir", ".", "--target-path", str(self.path / "target")]
        return bool(dbtRunner().invoke(["--quiet", "run", *places]).success)

    def build_by_owner(self) -> bool:
        return self.build("owner")

    def look(self) -> bool:
        try:
            return self.rows("staging", STAGED) > 0
        except ElError:
            return False

    def purge(self) -> bool:
        self.act_as("owner")
        return main(["purge", "--yes"]) == 0

    def rows(self, role: str, table: TableName) -> int:
        # Without a role in the profile el itself refuses nothing: what is left is the account's own wall.
        output = {name: value for name, value in snowflake_roles.output(self.standin, role).items() if name != "access"}
        with open_connector(output) as reader:
            return int(reader.read_buffer(ReadRequest(table=table)).to_arrow().num_rows)

    def first_red(self) -> str | None:
        """The step that fails."""
        return next((step for step in self.steps if not getattr(self, step)()), None)

    def errors(self, role: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """The errors that `check` finds, with what they say is to be done."""
        self.act_as(role)
        capsys.readouterr()
        code = main(["check", "--role", role, "--json"])
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["checks"]
        wrong = [f"{each['text']} -> {each['remedy']}" for each in found if each["level"] == "error"]
        assert code == (3 if wrong else 0)
        return wrong


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The account as the scripts make it, and all steps done."""
    with SnowflakeStandIn() as standin, pytest.MonkeyPatch.context() as patch:
        found = Chain(standin, tmp_path_factory.mktemp("roles") / "project", patch)
        found.apply()
        found.apply()  # again, and nothing is different
        assert found.first_red() is None
        yield found


def test_each_role_needs_no_more_than_its_script_gives_and_gets_no_further(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not [error for role in snowflake_roles.ROLES for error in chain.errors(role, capsys)]
    for beyond in (
        TableName("SHOP_SALES", "ORDERS"),
        TableName("SALES", "ORDERS"),
        TableName("STAGING", "EL_LOADS_TAKEN"),
    ):
        with pytest.raises(ElError, match="not authorized"):
            chain.rows("staging", beyond)


def test_check_names_each_right_that_is_taken_back(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    with snowflake_roles.administrator(chain.standin) as run:
        for role, statements in chain.scripts.items():
            grants = [sql for sql in statements if sql.startswith("GRANT ") and not sql.endswith("TO ROLE SYSADMIN")]
            assert len(grants) > 4
            for grant in grants:
                if " ON ALL " in grant:
                    continue  # Of what was there before: see the next test.
                if role == "owner" and grant in chain.scripts["engineer"]:
                    continue
                if " ON DATABASE " in grant:
                    continue  # An engineer's database roles bring it too.
                run([snowflake_roles.taken_back(grant)])
                assert chain.errors(role, capsys), f"{role} does without {grant}"
                run([grant])
            assert not chain.errors(role, capsys)


def test_tables_that_belong_to_another_role_are_told_with_the_statement_that_hands_them_over(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    within = 'TABLES IN SCHEMA "ANALYTICS"."SHOP_SALES"'
    hand_over = f"GRANT OWNERSHIP ON ALL {within} TO ROLE EL_ENGINEER COPY CURRENT GRANTS"
    assert hand_over in chain.scripts["engineer"]
    select = f"GRANT SELECT ON ALL {within} TO ROLE EL_ENGINEER"
    snowflake_roles.apply(chain.standin, [snowflake_roles.taken_back(hand_over), select])
    (error,) = chain.errors("engineer", capsys)
    assert hand_over in error
    snowflake_roles.apply(chain.standin, [hand_over, snowflake_roles.taken_back(select)])
    assert not chain.errors("engineer", capsys)


def test_who_writes_predictions_back_needs_what_grants_adds_for_that_schema(chain: Chain) -> None:
    chain.act_as("owner")
    added = [sql for sql in snowflake_roles.script("engineer", "--write", "SCORES") if '"WRITE_W"' in sql]
    rows = next(sql for sql in added if " ON FUTURE TABLES " in sql)
    snowflake_roles.apply(chain.standin, ["CREATE SCHEMA ANALYTICS.SCORES", *added])
    snowflake_roles.apply(chain.standin, ["CREATE TABLE ANALYTICS.SCORES.P (ID NUMBER(19,0))"])

    def write(run_id: str) -> int:
        with open_connector(snowflake_roles.output(chain.standin, "engineer")) as warehouse:
            assert isinstance(warehouse, Target)
            return warehouse.write_buffer(TableName("SCORES", "P"), pa.table({"ID": [1]}), run_id=run_id).rows

    assert write("first") == 1
    now = rows.replace("FUTURE", "ALL")
    snowflake_roles.apply(chain.standin, [snowflake_roles.taken_back(now)])
    with pytest.raises(ElError):
        write("second")
    snowflake_roles.apply(chain.standin, [now])
    assert write("third") == 1


def _grants() -> list[Any]:
    """Some that the load needs in every run of the suite, all in the long one."""
    schema = '"ANALYTICS"."SHOP_SALES"'
    first = [
        f"GRANT OWNERSHIP ON FUTURE TABLES IN SCHEMA {schema} TO ROLE EL_ENGINEER",
    ]
    later = [
        'GRANT DATABASE ROLE "ANALYTICS"."RAW_W" TO ROLE EL_ENGINEER',
        'GRANT USAGE ON WAREHOUSE "LOADING" TO ROLE EL_ENGINEER',
        f'GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA {schema} TO DATABASE ROLE "ANALYTICS"."RAW_W"',
        f"GRANT OWNERSHIP ON FUTURE STAGES IN SCHEMA {schema} TO ROLE EL_ENGINEER",
        'GRANT DATABASE ROLE "ANALYTICS"."STG_W" TO ROLE EL_ENGINEER',
        'GRANT DATABASE ROLE "ANALYTICS"."TGT_W" TO ROLE EL_ENGINEER',
        'GRANT USAGE, CREATE TABLE, CREATE VIEW ON SCHEMA "ANALYTICS"."STAGING" TO DATABASE ROLE "ANALYTICS"."STG_W"',
        'GRANT USAGE, CREATE TABLE, CREATE VIEW ON SCHEMA "ANALYTICS"."SALES" TO DATABASE ROLE "ANALYTICS"."TGT_W"',
        "GRANT ROLE EL_ENGINEER TO ROLE EL_OWNER",
        'GRANT ROLE EL_ENGINEER TO USER "EL_ENGINEER"',
        'GRANT ROLE EL_OWNER TO USER "EL_OWNER"',
        'GRANT DATABASE ROLE "ANALYTICS"."STG_R" TO ROLE EL_STAGING',
        'GRANT USAGE ON WAREHOUSE "LOADING" TO ROLE EL_STAGING',
        'GRANT USAGE ON SCHEMA "ANALYTICS"."STAGING" TO DATABASE ROLE "ANALYTICS"."STG_R"',
        'GRANT SELECT ON FUTURE VIEWS IN SCHEMA "ANALYTICS"."STAGING" TO DATABASE ROLE "ANALYTICS"."STG_R"',
        'GRANT ROLE EL_STAGING TO USER "EL_STAGING"',
    ]
    return [*first, *(pytest.param(grant, marks=pytest.mark.soak) for grant in later)]


@pytest.mark.parametrize("grant", _grants())
def test_with_one_grant_less_a_step_fails(grant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SnowflakeStandIn() as standin:
        chain = Chain(standin, tmp_path / "project", monkeypatch)
        assert any(grant in statements for statements in chain.scripts.values())
        chain.apply(but=grant)
        assert chain.first_red() is not None
