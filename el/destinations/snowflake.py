"""Snowflake as the warehouse.

Parquet through a named stage of the raw schema (a table's own stage needs OWNERSHIP of the table, which a role
that only loads has not), the vectorized scanner, logical types, staged files removed after the COPY, and a
QUERY_TAG with run and table. The raw schema is transient: raw can be loaded again, and fail-safe storage of it
is paid for nothing (Snowflake, "Working with Temporary and Transient Tables").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import dlt
from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials
from dlt.destinations.impl.snowflake.factory import SnowflakeTypeMapper

from el.connectors.query import Statement
from el.destinations.base import Warehouse
from el.destinations.lease import lease as leased
from el.drift import Widened
from el.limits import SNOWFLAKE, SNOWFLAKE_BINARY_BYTES, SNOWFLAKE_TEXT_BYTES
from el.lock import Holder, StillOurs

STAGE = "_el_stage"
_DEFAULT_LENGTHS = {"VARCHAR": SNOWFLAKE_TEXT_BYTES, "BINARY": SNOWFLAKE_BINARY_BYTES}
# Landing type -> the text in which SQL Server writes the same time with seven digits.
_AS_TEXT = {
    "date32[day]": "TO_VARCHAR({column}, 'YYYY-MM-DD') || ' 00:00:00.0000000'",
    "timestamp[us]": "TO_VARCHAR({column}, 'YYYY-MM-DD HH24:MI:SS.FF7')",
    "time64[us]": "TO_VARCHAR({column}, 'HH24:MI:SS.FF7')",
    "timestamp[us, tz=UTC]": "TO_VARCHAR(CONVERT_TIMEZONE('UTC', {column}), 'YYYY-MM-DD HH24:MI:SS.FF7 TZH:TZM')",
}


def _holds(held: str, wanted: str) -> bool:
    """Whether a column of type `held` takes what `wanted` takes: the same type, or a NUMBER with more digits."""
    if held.startswith("NUMBER(") and wanted.startswith("NUMBER("):
        (p, s), (q, t) = (text[7:-1].split(",") for text in (held, wanted))
        return s == t and int(p) >= int(q)
    return held.replace("TEXT", "VARCHAR") == wanted.split("(")[0]


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

    def locked(self, raw_schemas: Sequence[str], holder: Holder, lease: timedelta) -> AbstractContextManager[StillOurs]:
        return leased(self, raw_schemas, holder, lease)

    def prepare(self, raw_schema: str) -> None:
        schema = self.connector.dialect.quote(self.fold(raw_schema))
        self.connector.execute(Statement(f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {schema}"))
        self.connector.execute(Statement(f"CREATE STAGE IF NOT EXISTS {self.qualified(raw_schema, STAGE)}"))

    def widen(self, raw_schema: str, table: str, columns: Sequence[Widened]) -> None:
        """A NUMBER of the same scale grows in place; any other change of type is not to be had in place (Snowflake,
        "ALTER TABLE ... ALTER COLUMN"), so the table is made anew with its rows, in the one statement that is whole
        or nothing.
        """
        place = self.qualified(raw_schema, table)
        types = self._types(raw_schema, table)
        made: dict[str, str] = {}
        for column in columns:
            name, wanted = self.fold(column.plan.name), column.plan.carried.snowflake
            held = types[name]
            if _holds(held, wanted):
                continue
            if held.startswith("NUMBER") and held.split(",")[-1] == wanted.split(",")[-1]:
                sql = f"ALTER TABLE {place} ALTER COLUMN {self.column(column.plan.name)} SET DATA TYPE {wanted}"
                self.connector.execute(Statement(sql))
            else:
                expression = _AS_TEXT[column.before] if wanted == "VARCHAR" else f"CAST({{column}} AS {wanted})"
                made[name] = expression
        if made:
            quote = self.connector.dialect.quote
            listed = ", ".join(
                f"{made[name].replace('{column}', quote(name))} AS {quote(name)}" if name in made else quote(name)
                for name in types
            )
            self.connector.execute(
                Statement(f"CREATE OR REPLACE TABLE {place} COPY GRANTS AS SELECT {listed} FROM {place}")
            )

    def _types(self, raw_schema: str, table: str) -> dict[str, str]:
        """The table's columns in order, with their types; a text is TEXT."""
        rows = self.connector.fetch(
            Statement(
                "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "
                "WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
                (self.fold(raw_schema), self.fold(table)),
            )
        )
        return {
            str(name): f"NUMBER({precision},{scale})" if type_ == "NUMBER" else str(type_)
            for name, type_, precision, scale in rows
        }

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
