"""What a run asks of Snowflake: each statement, login and wake-up of a warehouse costs time or money."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from benchmarks.statements import Asked, Shop
from el.cli.app import main
from tests.shop import inside
from tests.standins.snowflake import SnowflakeStandIn

TABLES = 10


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with SnowflakeStandIn() as server:
        found = Shop(tmp_path_factory.mktemp("statements"), server, TABLES, 5)
        found.runs()
        yield found


@pytest.fixture(scope="module")
def asked(shop: Shop) -> dict[str, Asked]:
    return shop.asked()


def test_a_first_load_asks_two_statements_a_table(asked: dict[str, Asked]) -> None:
    """CREATE TABLE with its comments, all of them in one request, and COPY; a session for each loader and one for el.
    `_el_audit` and `_el_runs` are made when the first row of theirs finds none."""
    assert asked["first load"].statements <= 2 * TABLES + 44
    assert asked["first load"].need_warehouse <= TABLES + 9
    assert asked["first load"].logins <= 9


def test_news_ask_two_statements_a_table(asked: dict[str, Asked]) -> None:
    """COPY; and what a cursor reads again is compared with raw."""
    assert asked["all have news"].statements <= 2 * TABLES + 29
    assert asked["all have news"].need_warehouse <= 2 * TABLES + 12
    assert asked["all have news"].logins <= 9


def test_a_run_with_nothing_new_wakes_no_warehouse(asked: dict[str, Asked]) -> None:
    assert asked["nothing new"].need_warehouse == 0
    assert asked["nothing new"].statements <= 12
    assert asked["nothing new"].logins == 1


def test_snowflake_tells_of_each_run_that_loaded_something(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    (journal,) = shop.folder.glob(".el/*/runs.jsonl")
    journal.rename(aside := journal.with_name("away"))
    with inside(shop.folder):
        assert main(["runs", "--json"]) == 0
    aside.rename(journal)
    found = json.loads(capsys.readouterr().out)
    assert [(run["result"], len(run["tables"])) for run in found] == [("done", TABLES)] * 2
    assert {"el", "dlt", "duckdb", "snowflake-connector-python"} <= set(found[0]["versions"])
