"""The warehouses, by the type of the destination's profile."""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from el.config.profiles import Output
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.errors import ConfigError
from el.loading.warehouse import Warehouse

WAREHOUSES = {
    "duckdb": "el.loading.duckdb:DuckDbWarehouse",
    "snowflake": "el.loading.snowflake:SnowflakeWarehouse",
}


def open_warehouse(
    output: Output,
    naming: Literal["snake_case", "preserve"],
    *,
    text_mb: int | None = None,
    binary_mb: int | None = None,
) -> Warehouse:
    """The warehouse of a profile's output, not yet connected. Raises `ConfigError` for a type that holds no raw.

    text_mb, binary_mb: el.yml's `limits`.
    """
    if output.type not in WAREHOUSES:
        known = ", ".join(sorted(WAREHOUSES))
        raise ConfigError(f"{output}: type {output.type!r} cannot be a destination; there are: {known}")
    if output.type == "duckdb" and output.settings.get("path") in (None, "", ":memory:"):
        raise ConfigError(f"{output}: a DuckDB file that holds raw needs `path: FILE`")
    module, _, name = WAREHOUSES[output.type].partition(":")
    connector = open_connector(output.settings, str(output))
    assert isinstance(connector, SqlConnector)
    found: Warehouse = getattr(import_module(module), name)(connector, naming, text_mb=text_mb, binary_mb=binary_mb)
    return found
