"""SQL Server, as `extract.py` needs to know it: EL_TEST_SQLSERVER says where it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COLUMNS = """
    l_orderkey bigint NOT NULL, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int NOT NULL,
    l_quantity decimal(15,2) NOT NULL, l_extendedprice decimal(15,2) NOT NULL, l_discount decimal(15,2) NOT NULL,
    l_tax decimal(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL,
    l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
    l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL
"""

FILL = """
INSERT INTO bench.{table}
SELECT n / 4 + 1, n * 7 % 200000 + 1, n * 13 % 10000 + 1, n % 4 + 1,
       n % 50 + 1, (n * 37 % 10494950) / 100.0 + 900, (n % 11) / 100.0, (n % 9) / 100.0,
       SUBSTRING('ANR', n % 3 + 1, 1), SUBSTRING('OF', n % 2 + 1, 1),
       DATEADD(day, n % 2526, '1992-01-02'), DATEADD(day, n % 2466, '1992-01-31'), DATEADD(day, n % 2554, '1992-01-04'),
       'DELIVER IN PERSON', 'TRUCK', CONCAT('carefully final deposits ', n)
FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d + {start} AS n
      FROM {digits} AS a, {digits} AS b, {digits} AS c, {digits} AS d, {digits} AS e) AS numbers
WHERE n < {rows}
"""

DIGITS = "(SELECT 0 AS d " + " ".join(f"UNION ALL SELECT {d}" for d in range(1, 10)) + ")"


def settings() -> dict[str, str]:
    """EL_TEST_SQLSERVER as a mapping."""
    text = os.environ.get("EL_TEST_SQLSERVER")
    if not text:
        sys.exit("set EL_TEST_SQLSERVER=host=...,port=...,user=...,password=...,database=...,trust_cert=true")
    return dict(part.split("=", 1) for part in text.split(","))


def connection_string(found: dict[str, str]) -> str:
    trust = "yes" if found.get("trust_cert", "").lower() == "true" else "no"
    return (
        f"Server={found['host']},{found.get('port', '1433')};Database={found['database']};UID={found['user']};"
        f"PWD={found['password']};Encrypt=yes;TrustServerCertificate={trust};"
    )


def make(rows: int) -> str:
    """The table of this many rows; its name."""
    import mssql_python

    table = f"lineitem_{rows}"
    connection = mssql_python.connect(connection_string(settings()), autocommit=True)
    cursor = connection.cursor()
    cursor.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'bench' AND table_name = ?", table
    )
    if cursor.fetchone()[0]:
        cursor.execute(f"SELECT count(*) FROM bench.{table}")
        if cursor.fetchone()[0] == rows:
            return table
        cursor.execute(f"DROP TABLE bench.{table}")
    cursor.execute("SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'bench'")
    if not cursor.fetchone()[0]:
        cursor.execute("CREATE SCHEMA bench")
    print(f"making bench.{table} ...", file=sys.stderr)
    cursor.execute(f"CREATE TABLE bench.{table} ({COLUMNS})")
    for start in range(0, rows, 100_000):
        cursor.execute(FILL.format(table=table, start=start, rows=rows, digits=DIGITS))
    connection.close()
    return table


def drain(table: str) -> int:
    """The bare driver: its Arrow reader, every batch thrown away."""
    import mssql_python

    cursor = mssql_python.connect(connection_string(settings()), autocommit=True).cursor()
    cursor.execute(f"SELECT * FROM bench.{table}")
    return sum(batch.num_rows for batch in cursor.arrow_reader(65536))


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The profile output of the server."""
    found = settings()
    source = {"type": "sqlserver", "port": int(found.get("port", "1433")), "encrypt": True}
    source |= {"trust_cert": found.get("trust_cert", "").lower() == "true"}
    yield source | {name: found[name] for name in ("host", "user", "password", "database")}


def sqlalchemy_url() -> str:
    """What dlt's `sql_table` connects by."""
    import mssql_python_odbc
    import sqlalchemy
    from sqlalchemy.dialects.mssql.base import MSDialect

    driver = next(Path(mssql_python_odbc.__file__).parent.glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql-18*"))
    # Not every engine that speaks T-SQL has the view that SQLAlchemy asks for foreign keys; the table has none.
    MSDialect.get_multi_foreign_keys = lambda *_, **__: {}  # type: ignore[method-assign]
    odbc = f"Driver={{{driver}}};{connection_string(settings())}"
    return str(sqlalchemy.URL.create("mssql+pyodbc", query={"odbc_connect": odbc}).render_as_string(False))
