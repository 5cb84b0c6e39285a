"""SQL Server through either driver, as the suite needs to know it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa

from el.errors import AuthenticationFailed, DatabaseMissing, ServerUnreachable
from tests.conformance.facts.contract import Facts, Held
from tests.conformance.facts.values import BYTES, COMMON, FLOATS, INSTANTS, INT64, MOMENTS, SHORT, SINGLES, TEXTS, TIMES
from tests.engines import connected, own_database, real_sqlserver, sqlserver_engine


@cache
def other_engine() -> bool:
    """Whether EL_TEST_SQLSERVER names an engine that speaks T-SQL and is not Microsoft's."""
    real = real_sqlserver()
    if real is None:
        return False
    with connected({**real, "database": "master"}) as server:
        return not server.ping().version.startswith("Microsoft")


@contextmanager
def _sqlserver() -> Any:
    with sqlserver_engine() as output, own_database(output) as own:
        yield own


def through(reader: str) -> Facts:
    return Facts(
        name=f"sqlserver-{reader}",
        scheme="sqlserver",
        server=_sqlserver,
        options={"reader": reader},
        whole="BIGINT",
        text="NVARCHAR(MAX)",
        held=(
            *COMMON,
            Held("BIT", pa.bool_(), (True, False)),
            Held("TINYINT", pa.int16(), (0, 255)),
            Held("SMALLINT", pa.int16(), (-(2**15), 0, 2**15 - 1)),
            Held("INT", pa.int32(), (-(2**31), 0, 2**31 - 1)),
            Held("BIGINT", pa.int64(), INT64),
            Held("FLOAT", pa.float64(), FLOATS),
            Held("MONEY", pa.decimal128(19, 4), (Decimal("922337203685477.5807"), Decimal("-922337203685477.5808"))),
            Held("SMALLMONEY", pa.decimal128(10, 4), (Decimal("214748.3647"), Decimal("-214748.3648"))),
            Held("REAL", pa.float64(), SINGLES),
            Held("NVARCHAR(MAX)", pa.string(), (*TEXTS, "a\x00b")),
            Held("NCHAR(5)", pa.string(), ("     ", "日本語  ", "😀😀 ", "'\"\\\n ")),
            Held("CHAR(5)", pa.string(), ("     ", "abc  ", "'\"\\\n ")),
            Held("BINARY(4)", pa.binary(), (b"\x00\x00\x00\x00", b"\x00\xff\x00\x00", b"\xff\xff\xff\xff")),
            Held("NVARCHAR(200)", pa.string(), SHORT),
            Held("VARCHAR(200)", pa.string(), tuple(text for text in SHORT if text.isascii())),
            Held("VARBINARY(MAX)", pa.binary(), BYTES),
            Held("VARBINARY(300)", pa.binary(), BYTES),
            Held("TIME(6)", pa.time64("us"), TIMES),
            Held("DATETIME2(6)", pa.timestamp("us"), MOMENTS),
            Held("DATETIME", pa.timestamp("us"), (datetime(1753, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 997000))),
            Held("SMALLDATETIME", pa.timestamp("us"), (datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59))),
            Held("DATETIMEOFFSET(6)", pa.timestamp("us", "UTC"), INSTANTS),
            Held("UNIQUEIDENTIFIER", pa.string(), ("6F9619FF-8B86-D011-B42D-00C04FC964FF",)),
        ),
        ddl=(
            "CREATE TABLE [{schema}].parent (b BIGINT NOT NULL, a NVARCHAR(20) NOT NULL, u INT NOT NULL UNIQUE, "
            "PRIMARY KEY (b, a))",
            "CREATE TABLE [{schema}].child (id BIGINT NOT NULL PRIMARY KEY, pb BIGINT, pa NVARCHAR(20), "
            "amount DECIMAL(12,2) NOT NULL DEFAULT 7 CHECK (amount >= 0), twice AS (amount * 2), "
            "FOREIGN KEY (pb, pa) REFERENCES [{schema}].parent (b, a))",
            "INSERT INTO [{schema}].parent VALUES (1, 'x', 1), (2, 'y', 2)",
            "EXEC sp_addextendedproperty 'MS_Description', 'of the child', 'SCHEMA', '{schema}', 'TABLE', 'child'",
            "EXEC sp_addextendedproperty 'MS_Description', 'in euros', 'SCHEMA', '{schema}', 'TABLE', 'child', "
            "'COLUMN', 'amount'",
        ),
        refused=(
            ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user"),
            ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers"),
            ({"database": "nope"}, DatabaseMissing, "'nope'"),
        ),
        gaps=_gaps(f"sqlserver-{reader}"),
    )


def _gaps(name: str) -> dict[str, str]:
    if real_sqlserver() is None:
        appears = "test_a_table_that_appears_meanwhile_keeps_its_own_types"
        return {appears: "the stand-in's catalog is of the transaction's begin, where SQL Server's is of now"}
    return _of_another_engine(name) if other_engine() else {}


def _of_another_engine(name: str) -> dict[str, str]:
    """What an engine that speaks T-SQL over PostgreSQL does otherwise than SQL Server."""
    named = "test_a_name_is_written_read_filtered_merged_and_described"
    return {
        f"{named}[{name}-[brackets]]": "the other engine's parser does not know ]] within brackets",
        "test_describe_finds_row_counts": "the other engine's sys.partitions counts no rows",
        f"test_edge_values_of_every_type_come_back[{name}-NVARCHAR(MAX)]": "the other engine holds no NUL in a text",
    }


SQLSERVER = (through("mssql-python"), through("pyodbc"))
