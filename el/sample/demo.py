"""`make demo`: the whole job on this machine, twice, with a day of business in between, and where to look after.

Everything is done by the commands that a user would type; each is printed before it runs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table as Grid

from el.errors import LoadError
from el.sample import shop as sample

SHOP = Path("local/shop.duckdb")
WAREHOUSE = Path("local/warehouse.duckdb")
RUN = (sys.executable, "-m", "el.run")
BUILD = ("dbt", "--quiet", "build", "--project-dir", "dbt_project", "--profiles-dir", ".")

QUERY = """SELECT c.country, count(*) AS orders, sum(p.amount) AS paid
FROM sales.customers AS c
JOIN sales.orders AS o USING (customer_id)
JOIN sales.payments AS p USING (order_id)
GROUP BY c.country ORDER BY paid DESC LIMIT 5"""


def demo() -> None:
    """Do it all, in the current folder. Raises `LoadError` when a command fails."""
    for left in (SHOP, WAREHOUSE):
        left.parent.mkdir(exist_ok=True)
        left.unlink(missing_ok=True)
    _step("the sample source: a shop in a DuckDB file, standing in for SQL Server")
    sample.create(SHOP)
    _command("first run: everything", *RUN, "--target", "local")
    _command("the schema tables, with their tests", *BUILD, "--target", "local")
    _step("a day of business in the source: inserts, updates, deletes")
    sample.business_day(SHOP, 1)
    _command("second run: only what changed", *RUN, "--target", "local")
    _command("the schema tables again", *BUILD, "--target", "local")
    _command("third run: nothing changed", *RUN, "--target", "local")
    _look()


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _command(text: str, *command: str) -> None:
    _step(text)
    shown = " ".join("python" if part == sys.executable else part for part in command)
    print(f"$ {shown}", flush=True)
    started = time.monotonic()
    if subprocess.run(command, check=False).returncode != 0:
        raise LoadError(f"the demo stopped: `{shown}` failed")
    print(f"({time.monotonic() - started:.1f} s)", flush=True)


def _look() -> None:
    _step("what came, load by load (shop_sales._el_ledger)")
    with duckdb.connect(str(WAREHOUSE), read_only=True) as warehouse:
        _print(
            warehouse,
            "SELECT table_name, kind, strategy, row_count, strftime(finished_at, '%H:%M:%S') AS finished_at "
            "FROM shop_sales._el_ledger ORDER BY _dlt_load_id, table_name",
        )
        _step("the tables in the target schema")
        tables = warehouse.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'sales' ORDER BY table_name"
        ).fetchall()
        counts = " UNION ALL ".join(
            f"SELECT 'sales.{t}' AS \"table\", count(*) AS rows FROM sales.{t}" for (t,) in tables
        )
        _print(warehouse, counts)
        _step("a query to try")
        print(QUERY)
        _print(warehouse, QUERY)
    print(f"\nthe warehouse is {WAREHOUSE}; the source is {SHOP}; what a run would take now: python -m el plan")
    print("your own SQL Server and Snowflake: README.md, five minutes")


def _print(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    result = connection.execute(query)
    grid = Grid(box=None, pad_edge=False)
    for name, *_ in result.description or ():
        grid.add_column(name)
    for row in result.fetchall():
        grid.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    Console().print(grid)
