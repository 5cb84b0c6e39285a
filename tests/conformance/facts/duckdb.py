"""DuckDB, as the suite needs to know it."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from el.errors import ConnectError, DatabaseMissing
from tests.conformance.facts.contract import Facts, Held
from tests.conformance.facts.values import (
    BYTES,
    COMMON,
    FLOATS,
    INSTANTS,
    INT64,
    MOMENTS,
    NOT_NUMBERS,
    SINGLES,
    TEXTS,
    TIMES,
)


@contextmanager
def _duckdb_file() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        yield {"type": "duckdb", "path": str(Path(folder) / "conformance.duckdb")}


DUCKDB = Facts(
    name="duckdb",
    scheme="duckdb",
    server=_duckdb_file,
    whole="BIGINT",
    text="VARCHAR",
    held=(
        *COMMON,
        Held("BOOLEAN", pa.bool_(), (True, False)),
        Held("SMALLINT", pa.int16(), (-(2**15), 0, 2**15 - 1)),
        Held("INTEGER", pa.int32(), (-(2**31), 0, 2**31 - 1)),
        Held("BIGINT", pa.int64(), INT64),
        Held("TINYINT", pa.int8(), (-128, 0, 127)),
        Held("UBIGINT", pa.uint64(), (0, 2**64 - 1)),
        Held("FLOAT", pa.float64(), SINGLES + NOT_NUMBERS),
        Held("DOUBLE", pa.float64(), FLOATS + NOT_NUMBERS),
        Held("VARCHAR", pa.string(), (*TEXTS, "a\x00b")),
        Held("BLOB", pa.binary(), BYTES),
        Held("UUID", pa.string(), ("6f9619ff-8b86-d011-b42d-00c04fc964ff",)),
        Held("TIME", pa.time64("us"), TIMES),
        Held("TIMESTAMP", pa.timestamp("us"), MOMENTS),
        Held("TIMESTAMP WITH TIME ZONE", pa.timestamp("us", "UTC"), INSTANTS),
    ),
    ddl=(
        'CREATE TABLE "{schema}".parent (b BIGINT NOT NULL, a VARCHAR NOT NULL, u INTEGER NOT NULL UNIQUE, '
        "PRIMARY KEY (b, a))",
        'CREATE TABLE "{schema}".child (id BIGINT PRIMARY KEY, pb BIGINT, pa VARCHAR, amount DECIMAL(12,2) NOT NULL '
        "DEFAULT 7 CHECK (amount >= 0), twice DECIMAL(13,2) GENERATED ALWAYS AS (amount * 2) VIRTUAL, "
        'FOREIGN KEY (pb, pa) REFERENCES "{schema}".parent (b, a))',
        "INSERT INTO \"{schema}\".parent VALUES (1, 'x', 1), (2, 'y', 2)",
        "COMMENT ON TABLE \"{schema}\".child IS 'of the child'",
        "COMMENT ON COLUMN \"{schema}\".child.amount IS 'in euros'",
    ),
    refused=(
        ({"path": "/no/such/file.duckdb", "read_only": True}, DatabaseMissing, "does not exist"),
        ({"path": "/no/such/file.duckdb"}, ConnectError, "cannot be opened"),
    ),
    line=False,
    never={"test_no_secret_is_in_repr_log_error_or_traceback": "a DuckDB file has no password"},
)
