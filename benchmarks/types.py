"""What exactness costs: el's read, landed, against the driver's own Arrow reader that loses digits, within one run.

    python benchmarks/types.py --rows 100000

Runs on the SQL Server that EL_TEST_SQLSERVER names, else on the stand-in. Reads 30 mixed columns of types that the
driver hands over whole, then each hard type alone beside a key. Prints the ratio of speeds (1.00: no cost), the median
of so many rounds, in which the two take turns, and for the hard types what one value costs more. Absolute figures are
this machine's; on the stand-in they are DuckDB's too, which renders what a real server would.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import pyarrow as pa

from el.config.profiles import Output
from el.connectors.catalog import Table, TableName
from el.connectors.request import ColumnRead, ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from el.connectors.type_rules import map_type
from el.errors import ElError
from el.extraction.file_sizes import FileSizes
from el.extraction.slice import Slice
from el.planning.columns import ColumnPlan
from tests.engines import DIGITS, connected, own_database, sqlserver_engine

EASY = {
    "INT": "n",
    "BIGINT": "CAST(n AS BIGINT) * 1000003",
    "DECIMAL(18,4)": "CAST(n AS DECIMAL(18,4)) / 8",
    "MONEY": "CAST(n AS MONEY)",
    "FLOAT": "CAST(n AS FLOAT) / 7",
    "BIT": "n % 2",
    "DATE": "DATEADD(DAY, n % 9000, CAST('2000-01-01' AS DATE))",
    "DATETIME2(6)": "DATEADD(SECOND, n, CAST('2020-01-01' AS DATETIME2(6)))",
    "VARCHAR(40)": "CONCAT('row number ', n)",
    "NVARCHAR(40)": "CONCAT(N'Zeile Nummer ', n, N' ä')",
}
HARD = {
    "DATETIME2(7)": "DATEADD(SECOND, n, CAST('2020-01-01 00:00:00.1234567' AS DATETIME2(7)))",
    "DATETIMEOFFSET(7)": "DATEADD(SECOND, n, CAST('2020-01-01 00:00:00.1234567 +05:30' AS DATETIMEOFFSET(7)))",
    "TIME(7)": "CAST(DATEADD(SECOND, n, CAST('2020-01-01 00:00:00.1234567' AS DATETIME2(7))) AS TIME(7))",
    "DECIMAL(38,38)": "CAST(CAST(n AS DECIMAL(38,10)) / 10000000 AS DECIMAL(38,38))",
    "SQL_VARIANT": "CAST(n AS SQL_VARIANT)",
    "HIERARCHYID": "hierarchyid::Parse(CONCAT('/', n, '/'))",
    "GEOGRAPHY": "geography::STGeomFromText(CONCAT('POINT (', n % 90, ' 1)'), 4326)",
}
NUMBERS = (
    f"(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d + 100000 * f.d AS n FROM {DIGITS} AS a, "
    f"{DIGITS} AS b, {DIGITS} AS c, {DIGITS} AS d, {DIGITS} AS e, {DIGITS} AS f) AS numbers"
)


def main() -> int:
    parser = argparse.ArgumentParser(description="what exactness costs, as ratios")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with sqlserver_engine() as server, own_database(server) as output, connected(output) as source:
        easy = [(f"c{i:02d}", type_, sql) for i, (type_, sql) in enumerate(list(EASY.items()) * 3)]
        make(source, "easy", easy, arguments.rows)
        exact, lossy = compare(source, "easy", arguments.rounds)
        ratio = lossy / exact
        rate = arguments.rows / exact
        print(f"{'30 mixed columns':<20} ratio {ratio:4.2f}   {rate:>10,.0f} rows/s exact")
        for type_, sql in HARD.items():
            table = "".join(letter for letter in type_ if letter.isalnum()).lower()
            try:
                make(source, table, [("v", type_, sql)], arguments.rows)
            except ElError as error:
                print(f"{type_:<20} this engine lacks it: {str(error)[:70]}")
                continue
            try:
                exact, lossy = compare(source, table, arguments.rounds)
            except ElError as error:
                print(f"{type_:<20} the driver alone cannot read it: {str(error)[:70]}")
                continue
            cost = (exact - lossy) / arguments.rows * 1e6
            print(f"{type_:<20} ratio {lossy / exact:4.2f}   {cost:>+8.2f} microseconds a value")
    return 0 if ratio >= 0.7 else 1


def make(source: SqlServer, name: str, columns: list[tuple[str, str, str]], rows: int) -> None:
    declared = ", ".join(f"{column} {type_}" for column, type_, _ in columns)
    source.execute(Statement(f"CREATE TABLE dbo.{name} (id INT PRIMARY KEY, {declared})"))
    values = ", ".join(sql for _, _, sql in columns)
    source.execute(Statement(f"INSERT INTO dbo.{name} SELECT n, {values} FROM {NUMBERS} WHERE n < {rows}"))


def compare(source: SqlServer, name: str, rounds: int) -> tuple[float, float]:
    """Median seconds of the exact way and of the driver's own."""
    table = source.describe(["dbo"], brief=True).table(TableName("dbo", name))
    assert table is not None
    work = slice_of(table)
    own = replace(work.request, columns=tuple(ColumnRead(column.name, column.name) for column in table.columns))
    exact, lossy = [], []
    for _ in range(rounds):
        exact.append(read(source, work.request, work))
        lossy.append(read(source, own, None))
    return statistics.median(exact), statistics.median(lossy)


def slice_of(table: Table) -> Slice:
    plans = [ColumnPlan(column, column.name, map_type("sqlserver", column.type)) for column in table.columns]
    return Slice(
        connection=Output("server", "bench", {}),
        table=str(table.name),
        stem="bench",
        request=ReadRequest(table.name, columns=tuple(read for plan in plans for read in plan.reads())),
        schema=pa.schema([(plan.name, plan.mapping.arrow) for plan in plans]),
        load_id="1",
        op="S",
        position_column=None,
        directory=Path("."),
        sizes=FileSizes(1),
        retries=0,
        exact_bytes=tuple((plan.name, found) for plan in plans if (found := plan.read_bytes()) is not None),
        times=tuple((plan.name, found) for plan in plans if (found := plan.parts()) is not None),
    )


def read(source: SqlServer, request: ReadRequest, work: Slice | None) -> float:
    """Seconds to drain `request`, each batch landed where there is `work`."""
    started = time.perf_counter()
    with source.read_buffer(request) as buffer:
        for batch in buffer:
            if work is not None:
                work.land(batch, datetime(2026, 1, 1))
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
