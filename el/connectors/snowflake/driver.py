"""Snowflake's own driver: a session, what is sent with a statement, and a result's Arrow types."""

from __future__ import annotations

import warnings
from typing import Any

import pyarrow as pa

from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.errors import connect_error
from el.errors import DatabaseMissing, DriverMissing, ElError, NotPermitted, to_install


def open_session(config: SnowflakeConfig, *, paramstyle: str) -> Any:
    """A session through the driver. Raises a `ConnectError`, also where the database or the warehouse is not there.

    Snowflake opens a session all the same, and complains at the first statement; the login's answer tells it.
    """
    driver = _driver()
    refused: ElError | None = None
    try:
        connection = driver.connect(paramstyle=paramstyle, **config.arguments())
    except Exception as error:
        refused = connect_error(error, config)
    if refused is not None:
        # Raised out here, the driver's error and its frames, which hold the password, do not hang on it.
        raise refused
    place, gone = (
        f"Snowflake account {config.account}",
        f"does not exist, or {config.role or 'this role'} may not use it",
    )
    if connection.database is None:
        refused = DatabaseMissing(f"{place}: database {config.database!r} {gone}")
    elif connection.warehouse is None and config.warehouse is not None:
        refused = NotPermitted(f"{place}: warehouse {config.warehouse!r} {gone}")
    if refused is not None:
        connection.close()
        raise refused
    return connection


# They look at definitions or change them: what takes long there waits for a lock, or for nothing.
_METADATA = frozenset({"SHOW", "DESCRIBE", "DESC", "COMMENT", "USE", "ALTER", "DROP", "GRANT", "LIST"})


def statement_settings(config: SnowflakeConfig, sql: str, tag: str | None) -> dict[str, Any] | None:
    """What is set for one statement alone, sent with it: its QUERY_TAG, and how long it may take."""
    found: dict[str, Any] = {} if tag is None else {"QUERY_TAG": config.tag(tag)}
    if sql.split(maxsplit=1)[0].upper() in _METADATA:
        found["STATEMENT_TIMEOUT_IN_SECONDS"] = config.metadata_timeout
    return found or None


def _driver() -> Any:
    try:
        with warnings.catch_warnings():
            # Of the HTTP library inside it about other libraries' versions; nobody who runs el can act on it.
            warnings.simplefilter("ignore")
            import snowflake.connector as driver
    except ImportError:
        raise DriverMissing(f"Snowflake's driver cannot be imported: {to_install('snowflake')}") from None
    return driver


def result_field(description: Any) -> pa.Field:
    """The Arrow field of a result's column. Type codes: Snowflake Connector for Python, "Type codes"."""
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    kind = FIELD_ID_TO_NAME[description.type_code]
    precision, scale = description.precision, description.scale
    if kind == "FIXED":
        # A whole number of 18 digits fits 64 bits whatever its value.
        whole = not scale and precision is not None and precision <= 18
        type_: pa.DataType = pa.int64() if whole else pa.decimal128(precision or 38, scale or 0)
    elif kind.startswith("TIMESTAMP"):
        unit = "us" if scale is not None and scale <= 6 else "ns"
        type_ = pa.timestamp(unit, tz=None if kind == "TIMESTAMP_NTZ" else "UTC")
    elif kind == "TIME":
        type_ = pa.time64("us" if scale is not None and scale <= 6 else "ns")
    else:
        plain = {"REAL": pa.float64(), "DATE": pa.date32(), "BOOLEAN": pa.bool_(), "BINARY": pa.binary()}
        type_ = plain.get(kind, pa.string())
    return pa.field(description.name, type_, nullable=description.is_nullable is not False)
