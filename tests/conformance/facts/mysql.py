"""MySQL, as the suite needs to know it: a MariaDB that the tests start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from el.errors import AuthenticationFailed, CertificateUntrusted, DatabaseMissing, ServerUnreachable
from tests.conformance.facts.contract import Facts, Held
from tests.conformance.facts.values import BYTES, COMMON, FLOATS, INT64, MOMENTS, SHORT, SINGLES, TEXTS
from tests.servers.mariadb import shared


@contextmanager
def _mariadb() -> Iterator[dict[str, Any]]:
    yield shared()


def _without_signed_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value for value in values if repr(value) != "-0.0")


_INSTANTS = (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=UTC))
_NAMES = "test_a_name_is_written_read_filtered_merged_and_described"
MYSQL = Facts(
    name="mysql",
    scheme="mysql",
    server=_mariadb,
    whole="BIGINT",
    text="LONGTEXT",
    held=(
        *COMMON,
        Held("TINYINT", pa.int16(), (-128, 0, 127)),
        Held("TINYINT(1)", pa.int16(), (-128, 0, 1, 2, 127)),
        Held("TINYINT UNSIGNED", pa.int16(), (0, 255)),
        Held("SMALLINT", pa.int16(), (-(2**15), 0, 2**15 - 1)),
        Held("SMALLINT UNSIGNED", pa.int32(), (0, 2**16 - 1)),
        Held("MEDIUMINT", pa.int32(), (-(2**23), 0, 2**23 - 1)),
        Held("MEDIUMINT UNSIGNED", pa.int32(), (0, 2**24 - 1)),
        Held("INT", pa.int32(), (-(2**31), 0, 2**31 - 1)),
        Held("INT UNSIGNED", pa.int64(), (0, 2**32 - 1)),
        Held("BIGINT", pa.int64(), INT64),
        Held("BIGINT UNSIGNED", pa.uint64(), (0, 2**63, 2**64 - 1)),
        Held("BIT(1)", pa.bool_(), (True, False)),
        Held("BIT(64)", pa.uint64(), (0, 1, 2**64 - 1)),
        Held("DECIMAL(65,30)", pa.string(), ("9" * 35 + "." + "9" * 30, "-0." + "0" * 29 + "1", "1." + "0" * 30)),
        Held("FLOAT", pa.float64(), (*_without_signed_zero(SINGLES), 16777216.0)),
        Held("DOUBLE", pa.float64(), (*_without_signed_zero(FLOATS), 5e-324)),
        Held("LONGTEXT", pa.string(), (*TEXTS, "a\x00b", "\\N", "\\", "\ufeff")),
        Held("TEXT", pa.string(), TEXTS),
        Held("VARCHAR(200)", pa.string(), SHORT),
        Held("CHAR(5)", pa.string(), ("", "abc", "日本語", "😀😀", "'\"\\\n")),
        Held("LONGBLOB", pa.binary(), BYTES),
        Held("VARBINARY(300)", pa.binary(), BYTES),
        Held("BINARY(4)", pa.binary(), (b"\x00\x00\x00\x00", b"\x01\x02\x00\x00", b"\xff\xff\xff\xff")),
        Held("JSON", pa.string(), ('{"b": 1.10, "a": [123456789012345678901234567890, null]}', "[]")),
        Held("DATETIME", pa.timestamp("us"), (datetime(1000, 1, 1), datetime(2024, 2, 29, 12, 0, 1))),
        Held("DATETIME(6)", pa.timestamp("us"), MOMENTS),
        Held("TIMESTAMP(6)", pa.timestamp("us", "UTC"), _INSTANTS),
        Held("TIME(6)", pa.string(), ("-838:59:59.999999", "00:00:00.000001", "25:00:00.500000")),
    ),
    ddl=(
        "CREATE TABLE `{schema}`.parent (b BIGINT NOT NULL, a VARCHAR(20) NOT NULL, u INT NOT NULL UNIQUE, "
        "PRIMARY KEY (b, a))",
        "CREATE TABLE `{schema}`.child (id BIGINT PRIMARY KEY, pb BIGINT, pa VARCHAR(20), "
        "amount DECIMAL(12,2) NOT NULL DEFAULT 7 COMMENT 'in euros' CHECK (amount >= 0), "
        "twice DECIMAL(13,2) GENERATED ALWAYS AS (amount * 2) VIRTUAL, "
        "FOREIGN KEY (pb, pa) REFERENCES `{schema}`.parent (b, a)) COMMENT 'of the child'",
        "INSERT INTO `{schema}`.parent VALUES (1, 'x', 1), (2, 'y', 2)",
    ),
    refused=(
        ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user"),
        ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers"),
        ({"database": "nope"}, DatabaseMissing, "'nope'"),
        ({"ssl_ca": None}, CertificateUntrusted, "`ssl_ca`"),
    ),
    never={
        f"{_NAMES}[mysql-{'Größe 日本 😀'.encode('unicode_escape').decode('ascii')}]": (
            "a name is of the basic multilingual plane"
        ),
        f"{_NAMES}[mysql-{'n' * 20}]": "a name has 64 characters at most",
    },
)
