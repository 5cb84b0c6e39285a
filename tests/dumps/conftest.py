"""What tests of dumps share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dumps.stage import Shop
from tests.dumps.workspace import Dumps
from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture
def dumps(folder: Path, capsys: pytest.CaptureFixture[str]) -> Dumps:
    """A folder for files, with an entry of CSV."""
    return Dumps(folder, capsys).entry()


@pytest.fixture(scope="session")
def snowflake_of_dumps() -> Iterator[SnowflakeStandIn]:
    """One for all tests of what Snowflake reads by itself: each has a database of its own."""
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture
def shop(dumps: Dumps, snowflake_of_dumps: SnowflakeStandIn) -> Shop:
    return Shop(dumps, snowflake_of_dumps)
