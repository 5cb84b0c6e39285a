"""What the suite must know of a connector: one frozen value each. `ALL` is who takes part.

What a connector's database does not have is `never`; what an engine, or its stand-in, does otherwise than the connector
promises is a gap. Each has its reason, and its test runs and must fail, so that what closes is noticed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from el.connectors.duckdb.write import _Write
from el.connectors.snowflake import Snowflake
from el.connectors.sqlserver import SqlServer
from el.errors import AuthenticationFailed, ConnectError, DatabaseMissing, ElError, ServerUnreachable
from tests.engines import connected, own_database, real_snowflake, real_sqlserver, sqlserver_engine
from tests.standins.snowflake import SnowflakeStandIn

Output = dict[str, Any]


@dataclass(frozen=True)
class Held:
    """A column type as the database declares it, and edge values that it holds, as Arrow."""

    declared: str
    arrow: pa.DataType
    values: tuple[Any, ...]

    def array(self) -> pa.Array:
        return pa.array([*self.values, None], self.arrow)

    def __str__(self) -> str:
        return self.declared


@dataclass(frozen=True)
class Facts:
    """A connector, as the suite needs to know it.

    server: gives the profile output of a database to work in. real: who answers; a stand-in is none.
    whole, text: a whole-number and a text type for keys and names. held: see `Held`.
    ddl: statements that make tables `parent` and `child` in {schema}; never: what of them no catalog of it shows.
    refused: connections that fail: changes of the output, the error, what it says.
    step: the class and the method through which every statement of a write goes.
    never, gaps: test -> why not.
    """

    name: str
    scheme: str
    server: Callable[[], AbstractContextManager[Output]]
    whole: str
    text: str
    held: tuple[Held, ...]
    ddl: tuple[str, ...]
    refused: tuple[tuple[Mapping[str, Any], type[ElError], str], ...]
    step: tuple[type, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    never: Mapping[str, str] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


TEXTS = (
    "",
    " ",
    "trailing blanks  ",
    "'quotes' \"double\" `back`",
    "line\nbreak\r\nand\ttab",
    "back\\slash \\n \\0",
    "100% ? :name {brace} [x] -- ; /* */",
    "Zoë Straße",
    "日本語 العربية",
    "😀👩‍👩‍👧 𝄞",
    "x" * 5000,
)
SHORT = tuple(text for text in TEXTS if len(text) < 100)
INT64 = (-(2**63), -1, 0, 1, 2**63 - 1)
FLOATS = (0.0, -0.0, 1.7976931348623157e308, -1.7976931348623157e308, 2.2250738585072014e-308, 0.1, 1 / 3)
SINGLES = (0.0, -0.0, 3.4028234663852886e38, -3.4028234663852886e38, 1.1754943508222875e-38, 0.5)
NOT_NUMBERS = (float("nan"), float("inf"), float("-inf"))
DAYS = (date(1, 1, 1), date(1582, 10, 15), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31))
MOMENTS = (datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(9999, 12, 31, 23, 59, 59, 999999))
INSTANTS = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC))
TIMES = (time(0), time(12, 30, 15, 123456), time(23, 59, 59, 999999))
BYTES = (b"", b"\x00", b"\x00\xff\x00", bytes(range(256)))
NINES = "99999999999999999999999999999999999999"


def decimals(precision: int, scale: int) -> tuple[Decimal, ...]:
    # Made of text: arithmetic would round to 28 digits.
    most = Decimal(f"{NINES[:precision]}E-{scale}")
    return (most, most.copy_negate(), Decimal(0), Decimal(f"1E-{scale}"))


COMMON = (
    Held("DECIMAL(38,10)", pa.decimal128(38, 10), decimals(38, 10)),
    Held("DECIMAL(38,0)", pa.decimal128(38, 0), decimals(38, 0)),
    Held("DECIMAL(5,2)", pa.decimal128(5, 2), decimals(5, 2)),
    Held("DATE", pa.date32(), DAYS),
)


# -- DuckDB --------------------------------------------------------------------------------------------------------


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
    step=(_Write, "_execute"),
    never={"test_no_secret_is_in_repr_log_error_or_traceback": "a DuckDB file has no password"},
)


# -- Snowflake -----------------------------------------------------------------------------------------------------


@contextmanager
def _snowflake() -> Any:
    real = real_snowflake()
    if real is not None:
        yield real
        return
    with SnowflakeStandIn() as standin:
        yield standin.dbt_output()


SNOWFLAKE = Facts(
    name="snowflake",
    scheme="snowflake",
    server=_snowflake,
    whole="NUMBER(18,0)",
    text="VARCHAR",
    held=(
        *COMMON,
        Held("BOOLEAN", pa.bool_(), (True, False)),
        Held("NUMBER(19,0)", pa.int64(), INT64),
        Held("FLOAT", pa.float64(), FLOATS + NOT_NUMBERS),
        Held("VARCHAR", pa.string(), TEXTS),
        Held("BINARY", pa.binary(), BYTES),
        Held("TIME(6)", pa.time64("us"), TIMES),
        Held("TIMESTAMP_NTZ(6)", pa.timestamp("us"), MOMENTS),
        Held("TIMESTAMP_TZ(6)", pa.timestamp("us", "UTC"), INSTANTS),
    ),
    ddl=(
        'CREATE TABLE "{schema}"."parent" ("b" NUMBER(18,0) NOT NULL, "a" VARCHAR NOT NULL, "u" NUMBER(9,0) NOT NULL '
        'UNIQUE, PRIMARY KEY ("b", "a"))',
        'CREATE TABLE "{schema}"."child" ("id" NUMBER(18,0) PRIMARY KEY, "pb" NUMBER(18,0), "pa" VARCHAR, '
        '"amount" NUMBER(12,2) NOT NULL DEFAULT 7, '
        'FOREIGN KEY ("pb", "pa") REFERENCES "{schema}"."parent" ("b", "a"))',
        "INSERT INTO \"{schema}\".\"parent\" VALUES (1, 'x', 1), (2, 'y', 2)",
        'COMMENT ON TABLE "{schema}"."child" IS \'of the child\'',
        'COMMENT ON COLUMN "{schema}"."child"."amount" IS \'in euros\'',
    ),
    refused=(
        ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user"),
        ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers"),
        ({"database": "NOPE"}, DatabaseMissing, "'NOPE'"),
    ),
    step=(Snowflake, "execute"),
    gaps={}
    if real_snowflake()
    else {
        "test_a_name_is_written_read_filtered_merged_and_described[snowflake-single'quote]": (
            "the stand-in's server does not escape a single quote in a name"
        )
    },
    never={
        "test_describe_finds_checks": "Snowflake has no check constraints",
        "test_describe_finds_computed_columns": "Snowflake's catalog does not tell a virtual column's expression",
    },
)


# -- SQL Server ----------------------------------------------------------------------------------------------------


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


def _sqlserver_facts(reader: str) -> Facts:
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
        step=(SqlServer, "execute"),
        gaps=_of_another_engine(f"sqlserver-{reader}") if other_engine() else {},
    )


def _of_another_engine(name: str) -> dict[str, str]:
    """What an engine that speaks T-SQL over PostgreSQL does otherwise than SQL Server."""
    named = "test_a_name_is_written_read_filtered_merged_and_described"
    return {
        f"{named}[{name}-[brackets]]": "the other engine's parser does not know ]] within brackets",
        "test_describe_finds_row_counts": "the other engine's sys.partitions counts no rows",
        f"test_edge_values_of_every_type_come_back[{name}-NVARCHAR(MAX)]": "the other engine holds no NUL in a text",
    }


ALL = (DUCKDB, SNOWFLAKE, _sqlserver_facts("mssql-python"), _sqlserver_facts("pyodbc"))
