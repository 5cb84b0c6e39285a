"""python benchmarks/write.py: rows into SQL Server through `write_buffer`, beside pyodbc's `fast_executemany`.

Both write the same rows into the same kind of table of the same server in the same run, one after the other, and the
best of some rounds counts. What is shown is the ratio of the times; at most 1/3 is wanted. The server is the one that
EL_TEST_SQLSERVER names, or the stand-in. The ratio that counts is a real SQL Server's: the stand-in runs pyodbc's
rows one by one, some tens of them a second, so that its ratio flatters (--rows 2000 is enough there); and a server
without bulk load makes `write_buffer` send parameter rows, which is slower than pyodbc.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from el.connectors.catalog import TableName
from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver.config import SqlServerConfig
from tests.engines import own_database, sqlserver_engine

WANTED = 1 / 3
COLUMNS = (
    "id BIGINT NOT NULL, customer INT NULL, amount DECIMAL(12,2) NULL, rate FLOAT NULL, at DATETIME2(6) NULL, "
    "note NVARCHAR(100) NULL"
)


def rows(count: int) -> pa.Table:
    start = datetime(2024, 1, 1)
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "customer": pa.array([n % 977 if n % 10 else None for n in range(count)], pa.int32()),
            "amount": pa.array([Decimal(n * 7 % 100_000_000).scaleb(-2) for n in range(count)], pa.decimal128(12, 2)),
            "rate": pa.array([n / 7 for n in range(count)], pa.float64()),
            "at": pa.array([start + timedelta(microseconds=n * 1_000_003) for n in range(count)], pa.timestamp("us")),
            "note": pa.array([f"note {n} 日本" if n % 3 else None for n in range(count)], pa.string()),
        }
    )


def best(rounds: int, write: Callable[[int], None]) -> float:
    times = []
    for number in range(rounds):
        started = time.perf_counter()
        write(number)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    data = rows(chosen.rows)
    tuples = list(zip(*(column.to_pylist() for column in data.columns), strict=True))
    with sqlserver_engine() as server, own_database(server) as output:
        with SqlServer(SqlServerConfig.model_validate(output)) as el:

            def with_el(number: int) -> None:
                el.execute(Statement(f"CREATE TABLE dbo.el_{number} ({COLUMNS})"))
                el.write_buffer(TableName("dbo", f"el_{number}"), data, run_id=f"run {number}")

            ours = best(chosen.rounds, with_el)
            total = el.fetch(Statement("SELECT COUNT(*), SUM(amount) FROM dbo.el_0"))[0]
        with SqlServer(SqlServerConfig.model_validate({**output, "reader": "pyodbc"})) as plain:

            def with_pyodbc(number: int) -> None:
                plain.execute(Statement(f"CREATE TABLE dbo.pyodbc_{number} ({COLUMNS})"))
                with plain.transaction():
                    cursor = plain.driver.connection.cursor()
                    cursor.fast_executemany = True
                    cursor.executemany(f"INSERT INTO dbo.pyodbc_{number} VALUES (?, ?, ?, ?, ?, ?)", tuples)
                    cursor.close()

            theirs = best(chosen.rounds, with_pyodbc)
            assert plain.fetch(Statement("SELECT COUNT(*), SUM(amount) FROM dbo.pyodbc_0"))[0] == total
    ratio = ours / theirs
    print(f"{chosen.rows:,} rows, best of {chosen.rounds}")
    print(f"write_buffer             {ours:7.2f} s   {chosen.rows / ours:10,.0f} rows/s")
    print(f"pyodbc fast_executemany  {theirs:7.2f} s   {chosen.rows / theirs:10,.0f} rows/s")
    print(f"ratio {ratio:.2f}, wanted at most {WANTED:.2f}: {'met' if ratio <= WANTED else 'missed'}")
    return 0 if ratio <= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
