"""What a run asks of Snowflake: each statement, login and wake-up of a warehouse costs time or money."""

from __future__ import annotations

import pytest

from benchmarks.statements import Asked, Shop
from tests.standins.snowflake import SnowflakeStandIn

TABLES = 10


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    with SnowflakeStandIn() as server:
        return Shop(tmp_path_factory.mktemp("statements"), server, TABLES, 5).runs()


def test_a_first_load_asks_three_statements_a_table(asked: dict[str, Asked]) -> None:
    """CREATE TABLE with its comments, PUT, COPY; a session for each loader and one for el."""
    assert asked["first load"].statements <= 3 * TABLES + 42
    assert asked["first load"].logins <= 9


def test_news_ask_three_statements_a_table(asked: dict[str, Asked]) -> None:
    """PUT, COPY; and what a cursor reads again is compared with raw."""
    assert asked["all have news"].statements <= 3 * TABLES + 28
    assert asked["all have news"].logins <= 9


def test_a_run_with_nothing_new_wakes_no_warehouse(asked: dict[str, Asked]) -> None:
    assert asked["nothing new"].need_warehouse == 0
    assert asked["nothing new"].statements <= 12
    assert asked["nothing new"].logins == 1
