"""Files go into Snowflake together: one PUT of a load, one COPY of a table, and each row once whatever is killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from el.cli.app import main
from el.connectors.snowflake.config import SnowflakeConfig
from el.loading.dlt_package import asked_once
from el.loading.snowflake_copy import CopyJob, files_of, puts
from el.loading.snowflake_dlt import KeptSnowflake, Sessions
from tests.loading.test_snowflake import ask, login_as
from tests.shop import Workspace
from tests.standins.snowflake import SnowflakeStandIn
from tests.steps import Step

ROWS = 500_000


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A source of one table, whose rows are hard to compress."""
    found = Workspace(tmp_path_factory.mktemp("made")).create()
    found.source("DROP SCHEMA sales CASCADE; CREATE SCHEMA sales")
    found.source("CREATE TABLE sales.big (id INTEGER PRIMARY KEY, value UBIGINT)")
    found.source(f"INSERT INTO sales.big SELECT i, hash(i) FROM range({ROWS}) AS t (i)")
    (found.path / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\n"
        "defaults: {workers: 1, retries: 0, file_mb: 1}\ntables:\n  - {name: sales.big}\n"
    )
    return found


@pytest.fixture
def big(made: Workspace, tmp_path: Path, standin: SnowflakeStandIn, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """The workspace, and a raw schema of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    shutil.copytree(made.path, tmp_path, dirs_exist_ok=True)
    shop = Workspace(tmp_path)
    return shop, login_as(shop, standin, password=standin.password)


def whole(standin: SnowflakeStandIn, schema: str) -> bool:
    (found,) = ask(standin, f"SELECT COUNT(*), COUNT(DISTINCT ID), SUM(ID) FROM {schema}.BIG")
    assert ask(standin, f"LIST @{schema}._EL_STAGE") == []
    return [int(str(value)) for value in found] == [ROWS, ROWS, ROWS * (ROWS - 1) // 2]


def sent(standin: SnowflakeStandIn, begun: int, schema: str) -> tuple[list[str], list[str]]:
    """All PUTs, and the COPYs of the table."""
    texts = [query.sql.lstrip() for query in standin.queries[begun:] if schema in query.sql]
    copies = [sql for sql in texts if sql.startswith("COPY") and "big." in sql]
    return [sql for sql in texts if sql.startswith("PUT")], copies


def test_all_files_of_a_load_are_one_put_and_those_of_a_table_one_copy(
    big: tuple[Workspace, str], standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = len(standin.queries)
    assert main(["run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == ROWS
    puts, copies = sent(standin, begun, big[1])
    assert len(copies) == 1
    assert copies[0].count(".parquet'") >= 4
    assert len(puts) == 1
    assert whole(standin, big[1])


def test_more_files_than_one_statement_takes_are_several_copies(
    big: tuple[Workspace, str], standin: SnowflakeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("el.loading.snowflake_copy.NAMED", 2)
    begun = len(standin.queries)
    assert main(["run", "--json"]) == 0
    _, copies = sent(standin, begun, big[1])
    assert len(copies) >= 2
    assert all(copy.count(".parquet'") <= 2 for copy in copies)
    assert whole(standin, big[1])


def test_the_folder_may_have_a_name_that_means_something_in_a_pattern(
    big: tuple[Workspace, str], standin: SnowflakeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, schema = big
    within = shop.path / "a [b]"
    within.mkdir()
    for name in ("el.yml", "profiles.yml", "shop.duckdb"):
        shutil.move(shop.path / name, within / name)
    monkeypatch.chdir(within)
    assert main(["run", "--json"]) == 0
    assert whole(standin, schema)


# Of the table's files, at least four: those that are moved before and after the job that loads all of them.
STEPS = [
    ("statement PUT", 1),
    ("statement COPY", 1),
    *((f"file moved to {state}_jobs", number) for state in ("started", "completed") for number in (1, 3)),
]


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=[pytest.mark.soak] if n % 3 else []) for n, step in enumerate(STEPS)], ids=str
)
def test_a_load_of_several_files_that_is_killed_is_made_whole_by_the_next_run(
    big: tuple[Workspace, str], standin: SnowflakeStandIn, step: Step
) -> None:
    shop, schema = big
    assert shop.run(stop_at=step) == -9
    assert shop.run() == 0, (shop.path / "output.log").read_text()[-2000:]
    assert whole(standin, schema)


def test_a_copy_that_commits_and_loses_its_answer_is_undone_and_done_again(
    big: tuple[Workspace, str], standin: SnowflakeStandIn
) -> None:
    shop, schema = big
    text = (shop.path / "el.yml").read_text()
    (shop.path / "el.yml").write_text(text.replace("retries: 0", "retries: 2"))
    standin.fail(rf"COPY INTO.*{schema}.*BIG", times=1, after=True)
    assert main(["run", "--json"]) == 0
    assert whole(standin, schema)


def test_a_package_of_which_an_older_el_loaded_some_files_is_loaded_anew(
    big: tuple[Workspace, str], standin: SnowflakeStandIn
) -> None:
    """It loaded each file by itself: what of the table is there is removed, as its first file's job loads all."""
    shop, schema = big
    assert shop.run(stop_at=("statement COPY", 1)) == -9
    (folder,) = (shop.path / ".el").glob("*/pipelines/el_*")
    noted = folder / "follows.json"
    noted.write_text(json.dumps(json.loads(noted.read_text())["follows"]))
    jobs = next(folder.rglob("started_jobs"))
    for path in jobs.iterdir():
        path.rename(jobs.parent / "new_jobs" / path.name)
    files = files_of(next(jobs.parent.glob("new_jobs/big.*")))
    # The last of them was loaded, and the first waits.
    files[-1].rename(jobs.parent / "completed_jobs" / files[-1].name)
    load_id = jobs.parent.name
    ask(standin, f"INSERT INTO {schema}.BIG (ID, _DLT_LOAD_ID) SELECT 7, '{load_id}'")
    assert shop.run() == 0, (shop.path / "output.log").read_text()[-2000:]
    assert whole(standin, schema)


def test_what_is_put_is_what_is_still_to_be_loaded_and_is_put_again_after_a_failure_alone(tmp_path: Path) -> None:
    package = tmp_path / "1.5"
    for place in ("new_jobs/t.b.0", "completed_jobs/t.a.0", "completed_jobs/u.c.0", "started_jobs", "failed_jobs"):
        path = package / f"{place}.parquet" if "." in place else package / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1") if path.suffix else path.mkdir()
    waiting, done = puts(package, "S")
    assert f"'file://{package}/new_jobs/*.parquet' '@S/\"1.5\"' OVERWRITE = FALSE" in waiting
    assert f"'file://{package}/completed_jobs/t.*.parquet' '@S/\"1.5\"' OVERWRITE = FALSE" in done
    (package / "new_jobs" / "t.b.0.parquet").rename(package / "new_jobs" / "t.b.1.parquet")
    assert all("OVERWRITE = TRUE" in statement for statement in puts(package, "S"))
    (package / "new_jobs" / "t.b.1.parquet").unlink()
    assert list(puts(package, "S")) == []


def test_no_two_jobs_of_a_table_run_at_once(standin: SnowflakeStandIn) -> None:
    """A file that is moved meanwhile would be missed by the job that loads all of the table."""
    config = SnowflakeConfig.model_validate(
        {name: value for name, value in standin.dbt_output().items() if name not in ("type", "threads")}
    )
    destination = asked_once(KeptSnowflake(Sessions(config), "run"))
    assert destination.capabilities().loader_parallelism_strategy == "table-sequential"


class _Answers:
    """A client whose COPY gives one answer."""

    def __init__(self, *loaded: tuple[str, int]) -> None:
        self.loaded = loaded
        self.capabilities = self

    def generates_case_sensitive_identifiers(self) -> bool:
        return False

    def make_qualified_table_name(self, name: str) -> str:
        return name

    def execute_sql(self, sql: str) -> list[tuple[object, ...]]:
        return [(f"stage/1/{name}", "LOADED", rows, rows) for name, rows in self.loaded]


@pytest.mark.parametrize("second", [None, 1, 3])
def test_each_file_has_to_be_loaded_with_all_its_rows(tmp_path: Path, second: int | None) -> None:
    files = [tmp_path / f"t.{name}.0.parquet" for name in "ab"]
    for file in files:
        pq.write_table(pa.table({"a": [1, 2]}), file)
    job = CopyJob(str(files[0]), "S")
    job._load_table, job._load_id = {"name": "t"}, "1"
    # As many rows in all, where the second file has one too many.
    loaded = [(files[0].name, 1 if second == 3 else 2)] + ([] if second is None else [(files[1].name, second)])
    with pytest.raises(Exception, match=r"COPY loaded [0-3] of the 2 rows of t"):
        job._copy(_Answers(*loaded), files)
    job._copy(_Answers(*((file.name, 2) for file in files)), files)
