from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.postgres.log.shop import PostgresShop, database
from tests.servers import postgres
from tests.shop import inside


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[PostgresShop]:
    """A database of the test's own on the server of all tests."""
    with database(postgres.shared()) as output, inside(tmp_path):
        yield PostgresShop(tmp_path, output, capsys)
