"""The warehouses, by the type of the destination's profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from el.config.job import Job
from el.config.profiles import Output
from el.connectors.access import Operation
from el.connectors.registry import imported, open_connector
from el.connectors.sql.connector import SqlConnector
from el.errors import ConfigError
from el.loading.warehouse import Warehouse

if TYPE_CHECKING:
    from el.loading.package import Loader

# Not found by an entry point, as connectors are: a warehouse is a part of el, since landing types, the ledger and the
# dbt models are made for each of them.
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
    if output.type == "duckdb" and output.setting("path") in (None, "", ":memory:"):
        raise ConfigError(f"{output}: a DuckDB file that holds raw needs `path: FILE`")
    connector = open_connector(output.settings, str(output))
    connector.require(Operation.USE_WAREHOUSE)
    assert isinstance(connector, SqlConnector)
    made = imported(WAREHOUSES[output.type], output.type)
    found: Warehouse = made(connector, naming, text_mb=text_mb, binary_mb=binary_mb)
    return found


def warehouse_of(job: Job) -> Warehouse:
    """The warehouse, not connected. Importing dlt and a driver takes a second or two: done beside the source's work."""
    limits = job.config.limits
    opened = open_warehouse(job.destination, job.config.raw.naming, text_mb=limits.text_mb, binary_mb=limits.binary_mb)
    loader(job, opened, "").warm_up()
    return opened


def loader(job: Job, warehouse: Warehouse, schema: str) -> Loader:
    """What loads the packages of one raw schema."""
    from el.loading.package import Loader

    return Loader(warehouse, schema, job.work, job.run_id, retries=job.config.defaults.retries)
