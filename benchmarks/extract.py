"""How fast `python -m el.run` moves a table from SQL Server into DuckDB, as ratios within one run.

    EL_TEST_SQLSERVER="host=...,port=1433,user=...,password=...,database=bench,trust_cert=true" \\
        python benchmarks/extract.py --rows 3000000

Makes `bench.lineitem_<rows>` (TPC-H's lineitem: 16 columns) where it is not there yet, then takes it three ways, each
in a process of its own: the bare driver draining the same query, el, and dlt's own `sql_table` with its pyarrow
backend. Prints rows/s, peak memory, and the ratios. Absolute figures are this machine's; the ratios are the point.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
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


def configure_el(table: str, folder: Path) -> None:
    """What `python -m el.run` reads, in `folder`."""
    import yaml

    found = settings()
    source = {"type": "sqlserver", "port": int(found.get("port", "1433")), "encrypt": True}
    source |= {"trust_cert": found.get("trust_cert", "").lower() == "true"}
    source |= {name: found[name] for name in ("host", "user", "password", "database")}
    profiles = {
        "bench": {"target": "it", "outputs": {"it": source}},
        "warehouse": {"target": "it", "outputs": {"it": {"type": "duckdb", "path": "warehouse.duckdb"}}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    config = {"version": 1, "source": "bench", "destination": "warehouse", "tables": [{"name": f"bench.{table}"}]}
    (folder / "el.yml").write_text(yaml.safe_dump(config))


def count_el(table: str, folder: Path) -> int:
    import duckdb

    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute(f"SELECT count(*) FROM bench_bench.{table}").fetchone()
    return int(row[0]) if row else 0


def with_dlt(table: str) -> int:
    """dlt's own `sql_table`, pyarrow backend, into DuckDB."""
    import dlt
    import mssql_python_odbc
    import sqlalchemy
    from dlt.sources.sql_database import sql_table
    from sqlalchemy.dialects.mssql.base import MSDialect

    driver = next(Path(mssql_python_odbc.__file__).parent.glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql-18*"))
    url = sqlalchemy.URL.create(
        "mssql+pyodbc", query={"odbc_connect": f"Driver={{{driver}}};{connection_string(settings())}"}
    )
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    # Not every engine that speaks T-SQL has the view that SQLAlchemy asks for foreign keys; the table has none.
    MSDialect.get_multi_foreign_keys = lambda *_, **__: {}  # type: ignore[method-assign]
    pipeline = dlt.pipeline("bench", pipelines_dir=".dlt", destination=dlt.destinations.duckdb("dlt.duckdb"))
    found = sql_table(str(url.render_as_string(False)), table, schema="bench", backend="pyarrow", chunk_size=50_000)
    pipeline.run(found, loader_file_format="parquet", dataset_name="raw")
    with pipeline.sql_client() as client:
        rows = client.execute_sql(f"SELECT count(*) FROM raw.{table}")
    return int(rows[0][0]) if rows else 0


# `el` is its own command, and needs no function here.
HERE = {"drain": drain, "dlt": with_dlt}
WAYS = ("drain", "el", "dlt")


def measure(way: str, table: str, rows: int) -> dict[str, Any]:
    """Seconds, rows/s and peak memory (MB) of one way in a process of its own, counts checked."""
    root = str(Path(__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, __file__, "--way", way, "--table", table]
    with tempfile.TemporaryDirectory(prefix="el-bench-") as folder:
        if way == "el":
            configure_el(table, Path(folder))
            command = [sys.executable, "-m", "el.run", "--progress", "none"]
        begun = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        out = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        if status != 0:
            sys.exit(f"{way} failed")
        brought = count_el(table, Path(folder)) if way == "el" else json.loads(out.splitlines()[-1])["rows"]
    if brought != rows:
        sys.exit(f"{way} brought {brought:,} of {rows:,} rows")
    return {"seconds": seconds, "rate": rows / seconds, "mb": usage.ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the medians are printed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--way", choices=HERE, help=argparse.SUPPRESS)
    parser.add_argument("--table", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps({"rows": HERE[arguments.way](arguments.table)}))
        return
    table = make(arguments.rows)
    rounds = [{way: measure(way, table, arguments.rows) for way in arguments.ways} for _ in range(arguments.repeat)]
    print(f"{arguments.rows:,} rows, median of {arguments.repeat}; whole processes, start-up included")
    for way in arguments.ways:
        seconds, rate, mb = (statistics.median(r[way][what] for r in rounds) for what in ("seconds", "rate", "mb"))
        print(f"{way:6} {seconds:7.1f} s {rate:10,.0f} rows/s {mb:6.0f} MB peak")
    for other in ("drain", "dlt"):
        if {"el", other} <= set(arguments.ways):
            ratios = [r["el"]["rate"] / r[other]["rate"] for r in rounds]
            print(f"el / {other}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
