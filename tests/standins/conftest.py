"""The Snowflake stand-in for the tests of this folder: one for each file, and a session for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import snowflake.connector

from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture
def session(standin: SnowflakeStandIn) -> Iterator[Any]:
    """A connection in a schema of the test's own."""
    name = f"S_{uuid.uuid4().hex.upper()}"
    with snowflake.connector.connect(**standin.connection_parameters()) as connection:
        connection.cursor().execute(f"CREATE OR REPLACE SCHEMA {name}")
        yield connection
