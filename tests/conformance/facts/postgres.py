"""PostgreSQL, as the suite needs to know it: version 18 of a wheel, or Debian's 15 (EL_TEST_POSTGRES_VERSION=15)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from el.errors import AuthenticationFailed, CertificateUntrusted, DatabaseMissing, ServerUnreachable
from tests.conformance.facts.contract import Facts, Held
from tests.conformance.facts.values import (
    BYTES,
    COMMON,
    FLOATS,
    INT64,
    MOMENTS,
    NOT_NUMBERS,
    SINGLES,
    TEXTS,
    TIMES,
)
from tests.servers.postgres import shared


@contextmanager
def _postgres() -> Iterator[dict[str, Any]]:
    yield shared()


_INSTANTS = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, 3, 14, 7, 999999, tzinfo=UTC))
_NAMES = "test_a_name_is_written_read_filtered_merged_and_described"
POSTGRES = Facts(
    name="postgres",
    scheme="postgres",
    server=_postgres,
    whole="BIGINT",
    text="TEXT",
    held=(
        *COMMON,
        Held("BOOLEAN", pa.bool_(), (True, False)),
        Held("INTEGER", pa.int32(), (-(2**31), 0, 2**31 - 1)),
        Held("BIGINT", pa.int64(), INT64),
        Held("OID", pa.int64(), (0, 2**32 - 1)),
        Held("NUMERIC", pa.string(), ("9" * 40 + "." + "9" * 40, "-0.10", "NaN", "Infinity")),
        Held("REAL", pa.float64(), SINGLES + NOT_NUMBERS),
        Held("DOUBLE PRECISION", pa.float64(), (*FLOATS, *NOT_NUMBERS, 5e-324)),
        Held("TEXT", pa.string(), (*TEXTS, "\\N", "\\", "\ufeff", "\\.")),
        Held("CHAR(5)", pa.string(), ("     ", "abc  ", "日本語語語", "😀😀😀😀😀", "'\"\\\n ")),
        Held("BYTEA", pa.binary(), BYTES),
        Held("UUID", pa.string(), ("6f9619ff-8b86-d011-b42d-00c04fc964ff",)),
        Held("JSON", pa.string(), ('{"b": 1.10, "a": [123456789012345678901234567890, null]}', "[]")),
        Held("TIME", pa.time64("us"), TIMES),
        Held("TIMESTAMP", pa.timestamp("us"), MOMENTS),
        Held("TIMESTAMP(0)", pa.timestamp("us"), (datetime(1, 1, 1), datetime(2024, 2, 29, 12, 0, 1))),
        Held("TIMESTAMPTZ", pa.timestamp("us", "UTC"), _INSTANTS),
        Held("INTERVAL", pa.string(), ("P1Y2M-3DT4H5M6.000007S", "PT0S")),
    ),
    ddl=(
        'CREATE TABLE "{schema}".parent (b bigint NOT NULL, a varchar(20) NOT NULL, u int NOT NULL UNIQUE, '
        "PRIMARY KEY (b, a))",
        'CREATE TABLE "{schema}".child (id bigint PRIMARY KEY, pb bigint, pa varchar(20), amount numeric(12,2) '
        "NOT NULL DEFAULT 7 CHECK (amount >= 0), twice numeric(13,2) GENERATED ALWAYS AS (amount * 2) STORED, "
        'FOREIGN KEY (pb, pa) REFERENCES "{schema}".parent (b, a))',
        "INSERT INTO \"{schema}\".parent VALUES (1, 'x', 1), (2, 'y', 2)",
        "COMMENT ON TABLE \"{schema}\".child IS 'of the child'",
        "COMMENT ON COLUMN \"{schema}\".child.amount IS 'in euros'",
        # Until then the catalog knows of no rows.
        'ANALYZE "{schema}".parent',
        'ANALYZE "{schema}".child',
    ),
    refused=(
        ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user"),
        ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers"),
        ({"dbname": "nope"}, DatabaseMissing, "'nope'"),
        ({"sslmode": "verify-full", "sslrootcert": "/no/such/file"}, CertificateUntrusted, "`ssl"),
    ),
    never={f"{_NAMES}[postgres-{'n' * 20}]": "a name has 63 bytes at most"},
)
