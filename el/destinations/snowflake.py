"""Snowflake as the warehouse.

Parquet through a named stage of the raw schema (a table's own stage needs OWNERSHIP of the table, which a role
that only loads has not), the vectorized scanner, logical types, staged files removed after the COPY, and a
QUERY_TAG with run and table. The raw schema is transient: raw can be loaded again, and fail-safe storage of it
is paid for nothing (Snowflake, "Working with Temporary and Transient Tables").
"""

from __future__ import annotations

import json
from typing import Any

import dlt
from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials
from dlt.destinations.impl.snowflake.factory import SnowflakeTypeMapper

from el.connectors.query import Statement
from el.destinations.base import Warehouse
from el.limits import SNOWFLAKE, SNOWFLAKE_BINARY_BYTES, SNOWFLAKE_TEXT_BYTES

STAGE = "_el_stage"
_DEFAULT_LENGTHS = {"VARCHAR": SNOWFLAKE_TEXT_BYTES, "BINARY": SNOWFLAKE_BINARY_BYTES}


class SnowflakeWarehouse(Warehouse):
    """Loads by PUT and COPY, several files at once."""

    loader_workers = 8
    # Snowflake, "Preparing your data files": 100 to 250 MB compressed.
    file_mb = 128
    own_limits = SNOWFLAKE

    def fold(self, name: str) -> str:
        return name if self.naming == "preserve" else name.upper()

    def dlt_destination(self, raw_schema: str, run_id: str) -> Any:
        tag = json.dumps({"app": "el", "run": run_id, "table": "TABLE"}).replace("{", "{{").replace("}", "}}")
        return dlt.destinations.snowflake(
            credentials=self._credentials(),
            stage_name=self.qualified(raw_schema, STAGE),
            keep_staged_files=False,
            query_tag=tag.replace("TABLE", "{table}"),
            use_vectorized_scanner=True,
            use_timestamp_tz=True,
            naming_convention=self.naming_module,
            type_mapper=self._type_mapper(),
        )

    def _type_mapper(self) -> type[SnowflakeTypeMapper]:
        """dlt's own; where el.yml says that the account takes longer values, new columns are declared so long."""
        limits = self.limits
        lengths = {"VARCHAR": limits.text_bytes, "BINARY": limits.binary_bytes}
        longer = {made: n for made, n in lengths.items() if n is not None and n > _DEFAULT_LENGTHS[made]}

        class Mapper(SnowflakeTypeMapper):
            def to_destination_type(self, column: Any, table: Any = None) -> str:
                made: str = super().to_destination_type(column, table)
                return f"{made}({longer[made]})" if made in longer else made

        return Mapper

    def prepare(self, raw_schema: str) -> None:
        schema = self.connector.dialect.quote(self.fold(raw_schema))
        self.connector.execute(Statement(f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {schema}"))
        self.connector.execute(Statement(f"CREATE STAGE IF NOT EXISTS {self.qualified(raw_schema, STAGE)}"))

    def _credentials(self) -> Any:
        """dlt's credentials from the connector's config; what dlt has no field for goes to the driver as it is."""
        config = self.connector.config
        credentials = SnowflakeCredentials()
        secrets = ("private_key", "private_key_passphrase", "password", "token")
        plain = ("database", "warehouse", "role", "authenticator", "private_key_path", "workload_identity_provider")
        for name in plain:
            setattr(credentials, name, getattr(config, name, None))
        for name in secrets:
            value = getattr(config, name, None)
            setattr(credentials, name, value.get_secret_value() if value is not None else None)
        credentials.username = config.user
        credentials.host = config.account
        further = {name: getattr(config, name, None) for name in ("host", "port", "protocol")}
        credentials.query = {name: value for name, value in further.items() if value is not None}
        return credentials
