"""What several tests of `verify` are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture(params=["duckdb", "snowflake"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A profile's output of either warehouse, with nothing in it; the file is in the working folder."""
    if request.param == "duckdb":
        yield {"type": "duckdb", "path": "warehouse.duckdb"}
    else:
        with SnowflakeStandIn() as standin:
            yield standin.dbt_output()
