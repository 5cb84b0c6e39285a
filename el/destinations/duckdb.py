"""A DuckDB file as the warehouse: the local target, on a machine with no Snowflake."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

from el.connectors.query import Statement
from el.destinations.base import Warehouse

# DuckDB takes most of the machine's memory for itself unless told otherwise.
LOAD_SETTINGS = {"memory_limit": "192MB", "preserve_insertion_order": "false"}


class DuckDbWarehouse(Warehouse):
    """Loads by `INSERT INTO ... SELECT FROM read_parquet`: small files, two at once, for it reads one on one core."""

    loader_workers = 2
    file_mb = 8

    def dlt_destination(self, raw_schema: str, run_id: str) -> Any:
        credentials = DuckDbCredentials(self.connector.config.path, global_config=dict(LOAD_SETTINGS))
        return dlt.destinations.duckdb(credentials, naming_convention=self.naming_module)

    def prepare(self, raw_schema: str) -> None:
        self.connector.execute(Statement(f"CREATE SCHEMA IF NOT EXISTS {self.connector.dialect.quote(raw_schema)}"))
