"""SQL Server through pyodbc, for what mssql-python cannot reach: another ODBC driver, a DSN, FreeTDS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from el.connectors.access import access_of
from el.connectors.origin import in_words
from el.connectors.request import ReadRequest
from el.connectors.sql.connector import Stream
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.config import SqlServerConfig, connection_string
from el.connectors.sqlserver.driver import Driver, missing_library, rows_at_once
from el.errors import CertificateUntrusted, DriverMissing


class Pyodbc(Driver):
    """pyodbc, over whichever driver the profile names.

    It makes a Python object of every value, which costs most of its time: it is for what mssql-python cannot reach. It
    has no datetimeoffset (-155) and no sql_variant of its own: the type table reads both as text.
    """

    def __init__(self, config: SqlServerConfig) -> None:
        try:
            import pyodbc
        except (ImportError, OSError) as error:
            raise missing_library(error, "pyodbc") or error from None
        keywords = config.keywords()
        if config.dsn is None:
            driver = self._driver(config.driver, pyodbc.drivers())
            if _FREETDS.search(driver):
                keywords = freetds_keywords(config)
            keywords = {"Driver": driver, **keywords}
        keywords.setdefault("APP", in_words(access_of(config.access)))
        self.connection = pyodbc.connect(
            connection_string(keywords), autocommit=True, timeout=config.login_timeout, readonly=False
        )
        self.connection.timeout = config.query_timeout

    @staticmethod
    def _driver(name: str, installed: list[str]) -> str:
        if name in installed or Path(name).exists():
            return name
        bundled = bundled_driver()
        if name == SqlServerConfig.model_fields["driver"].default and bundled is not None:
            return str(bundled)
        known = ", ".join(installed) or "none"
        raise DriverMissing(
            f"there is no ODBC driver {name!r} here; installed are: {known}; say which by `driver` in profiles.yml"
        )

    def stream(self, statement: Statement, request: ReadRequest) -> Stream:
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.sql, *statement.parameters)
        except BaseException:
            cursor.close()
            raise
        schema = pa.schema([pa.field(item[0], _arrow(item[1], item[4], item[5])) for item in cursor.description])
        batch_rows = rows_at_once(cursor.description, request)

        def batches() -> Iterator[pa.RecordBatch]:
            while rows := cursor.fetchmany(batch_rows):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

        def close() -> None:
            # Closing alone would drain the whole result first. On a dead line nothing is left to close.
            with suppress(Exception):
                cursor.cancel()
                cursor.close()

        return schema, self._whole(batches()), close


_FREETDS = re.compile(r"(?i)freetds|tdsodbc")


def freetds_keywords(config: SqlServerConfig) -> dict[str, str]:
    """The connection string's keywords as FreeTDS spells them (FreeTDS User Guide, "ODBC Connection Attributes").

    Raises `CertificateUntrusted` unless `trust_cert` or no encryption is asked for: no keyword makes FreeTDS check one.
    """
    if config.encrypt and not config.trust_cert:
        raise CertificateUntrusted(
            f"{config.place}: FreeTDS checks no certificate; use ODBC Driver 18, or accept it with `trust_cert: true`"
        )
    found = {"Server": str(config.host), "Port": str(config.port), "TDS_Version": "7.4", "ClientCharset": "UTF-8"}
    found["Encryption"] = "require" if config.encrypt else "off"
    if config.database is not None:
        found["Database"] = config.database
    if config.user is not None:
        found["UID"] = config.user
        found["PWD"] = config.password.get_secret_value() if config.password else ""
    return {**found, **config.odbc}


def bundled_driver() -> Path | None:
    """The ODBC Driver 18 that mssql-python's wheel brings, for this platform."""
    try:
        import mssql_python_odbc
    except ImportError:
        return None
    import platform

    libraries = Path(mssql_python_odbc.__file__).parent / "libs" / "linux"
    family = "debian_ubuntu" if Path("/etc/debian_version").exists() else "rhel"
    found = sorted((libraries / family / platform.machine()).glob("lib/libmsodbcsql-18*.so*"))
    return found[0] if found else None


def _arrow(python: type, precision: int | None, scale: int | None) -> pa.DataType:
    if python is Decimal:
        return pa.decimal128(precision or 38, scale or 0)
    simple: dict[type, pa.DataType] = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        datetime: pa.timestamp("us"),
        date: pa.date32(),
        time: pa.time64("us"),
        bytes: pa.binary(),
        bytearray: pa.binary(),
    }
    return simple.get(python, pa.string())
