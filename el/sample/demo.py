"""`make demo`: the whole job on this machine, twice, with a day of business in between, and where to look after.

Everything is done by the commands that a user would type; each is printed before it runs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table as Grid

from el.errors import ConfigError, LoadError
from el.sample import archive, old_database
from el.sample import shop as sample

SHOP = Path("local/shop.duckdb")
WAREHOUSE = Path("local/warehouse.duckdb")
# With the old orders beside: the same job with `dumps`, and what codegen makes of it in a project of its own.
WITH_ARCHIVE = Path("local/el.yml")
PROJECT = Path("local/dbt_project")
DUMPS = ("orders_archive", "orders_of_the_old_shop")
RUN = (sys.executable, "-m", "el.run")
EL = (sys.executable, "-m", "el")
BUILD = ("dbt", "--quiet", "build", "--project-dir", "dbt_project", "--profiles-dir", ".")

QUERY = """SELECT c.country, count(*) AS orders, sum(p.amount) AS paid
FROM sales.customers AS c
JOIN sales.orders AS o USING (customer_id)
JOIN sales.payments AS p USING (order_id)
GROUP BY c.country ORDER BY paid DESC LIMIT 5"""


def demo() -> None:
    """Do it all, in the current folder. Raises `LoadError` when a command fails, `ConfigError` in another folder."""
    if not (Path("el.yml").exists() and Path("dbt_project").is_dir()):
        raise ConfigError("the demo is of el's own repository: clone it, and run `make demo` there")
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
    _meet_old_orders()
    _look()


def _meet_old_orders() -> None:
    """Five years of files, and a bacpac of the database before them, meet the live table."""
    _step("old orders turn up in local/archive: five years of gzipped CSV, and a bacpac; el.yml takes them as `dumps`")
    for old in (archive, old_database):
        old.create(Path("local/archive"))
    dumps = archive.EL_YML + old_database.EL_YML.lstrip("\n")
    WITH_ARCHIVE.write_text(Path("el.yml").read_text(encoding="utf-8") + dumps, encoding="utf-8")
    print(dumps)
    job = ("--config", str(WITH_ARCHIVE), "--target", "local")
    _command("what of it is new", *EL, "plan", *job, "--select", "sales.orders_*")
    _command("every file once, with its ledger", *EL, "run", *job)
    shutil.rmtree(PROJECT, ignore_errors=True)
    shutil.copytree("dbt_project", PROJECT, ignore=shutil.ignore_patterns("target", "logs"))
    _command("the models in which they meet", *EL, "codegen", *job, "--project-dir", str(PROJECT))
    build = ("dbt", "--quiet", "build", "--project-dir", str(PROJECT), "--profiles-dir", ".", "--target", "local")
    _command("casts, and their tests", *build, "--select", *(f"source:shop_sales.{name}+" for name in DUMPS))
    _command("the same files again: nothing is loaded twice", *EL, "run", *job)


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
        _step("which files were taken (shop_sales._el_files)")
        _print(
            warehouse,
            "SELECT string_split(uri, '/')[-1] AS file, as_of, record_count, row_count, rejected_count, status "
            "FROM shop_sales._el_files ORDER BY file",
        )
        _step("old orders and live ones together (sales.orders_with_archive)")
        _print(
            warehouse,
            "SELECT strftime(ordered_at, '%Y') AS year, count(*) AS orders, count(_el_file) AS of_files "
            "FROM sales.orders_with_archive GROUP BY 1 ORDER BY 1",
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
