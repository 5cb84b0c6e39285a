"""Five years of orders of the sample shop from before its database: gzipped CSV, a file a year. The same every time.

What old exports look like: a column that came later, columns in another order, line ends within quotes, and some orders
that the database still has, in an older state.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb

YEARS = range(2019, 2024)
ORDERS = 1500  # of a year
# Far from those of the database, whose first orders the last file has too.
FIRST_ID = 1_000_000
STILL_THERE = 40

EL_YML = """
dumps:
  - name: sales.orders_archive
    files: "archive/orders_{as_of:%Y-%m-%d}.csv.gz"
    format: {type: csv, delimiter: ";"}
    into: sales.orders
    history: archive
"""

_COLUMNS = {
    "order_id": "order_id",
    "customer_id": "customer_id",
    "ordered_at": "ordered_at",
    "status": "['paid', 'shipped', 'cancelled'][order_id % 3 + 1]",
    "note": "CASE order_id % 6 WHEN 0 THEN 'left at the door,' || chr(10) || '\"as always\"' WHEN 1 THEN '' END",
    "updated_at": "ordered_at + INTERVAL 2 DAY",
}
_OF_YEAR = {2019: ("note",), 2020: ("note",)}  # which columns were not there yet


def create(folder: Path) -> None:
    """Write the files, in place of those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for year in YEARS:
        names = [name for name in _COLUMNS if name not in _OF_YEAR.get(year, ())]
        if year >= 2022:
            names.reverse()
        columns = ", ".join(f"{_COLUMNS[name]} AS {name}" for name in names)
        first = FIRST_ID + (year - YEARS[0]) * ORDERS
        ids = f"SELECT i FROM range({first}, {first + ORDERS}) AS t (i)"
        if year == YEARS[-1]:
            ids += f" UNION ALL SELECT i FROM range(1, {STILL_THERE + 1}) AS t (i)"
        orders = (
            "SELECT i AS order_id, i * 31 % 2000 + 1 AS customer_id, "
            f"TIMESTAMP '{year}-01-01' + INTERVAL (i * 317 % 525000) MINUTE AS ordered_at FROM ({ids})"
        )
        plain = folder / f"orders_{year}-12-31.csv"
        with duckdb.connect() as connection:
            query = f"SELECT {columns} FROM ({orders}) ORDER BY order_id"
            connection.execute(f"COPY ({query}) TO '{plain}' (HEADER, DELIMITER ';')")
        with gzip.GzipFile(filename="", fileobj=plain.with_suffix(".csv.gz").open("wb"), mode="wb", mtime=0) as out:
            out.write(plain.read_bytes())
        plain.unlink()
