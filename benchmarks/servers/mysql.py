"""MySQL, as `extract.py` needs to know it: a MariaDB that is started for it, on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.servers.sqlserver import COLUMNS


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The profile output of the server. Nobody encrypts: what is compared is the readers."""
    from tests.servers.mariadb import mariadb

    with mariadb("--innodb-buffer-pool-size=512M") as output:
        plain = {**output, "host": "127.0.0.1", "encrypt": False}
        # PyMySQL writes a password in Latin-1, where it is not given as bytes.
        connect(plain).cursor().execute("CREATE USER bench IDENTIFIED BY 'bench'")
        connect(plain).cursor().execute("GRANT ALL ON *.* TO bench")
        yield {**plain, "user": "bench", "password": "bench"}


def connect(output: dict[str, Any] | None = None, **more: Any) -> Any:
    import pymysql

    found = output or json.loads(os.environ["EL_BENCH_OUTPUT"])
    where = {name: found[name] for name in ("host", "port", "user")}
    password = str(found["password"]).encode()
    return pymysql.connect(**where, password=password, ssl_disabled=True, autocommit=True, **more)


def make(rows: int) -> str:
    """The table of this many rows; its name."""
    table = f"lineitem_{rows}"
    cursor = connect().cursor()
    cursor.execute("CREATE SCHEMA bench")
    cursor.execute(f"CREATE TABLE bench.{table} ({COLUMNS}) COLLATE utf8mb4_bin")
    cursor.execute(
        f"""INSERT INTO bench.{table}
        SELECT seq DIV 4 + 1, seq * 7 % 200000 + 1, seq * 13 % 10000 + 1, seq % 4 + 1,
               seq % 50 + 1, (seq * 37 % 10494950) / 100.0 + 900, (seq % 11) / 100.0, (seq % 9) / 100.0,
               SUBSTRING('ANR', seq % 3 + 1, 1), SUBSTRING('OF', seq % 2 + 1, 1),
               '1992-01-02' + INTERVAL seq % 2526 DAY, '1992-01-31' + INTERVAL seq % 2466 DAY,
               '1992-01-04' + INTERVAL seq % 2554 DAY,
               'DELIVER IN PERSON', 'TRUCK', CONCAT('carefully final deposits ', seq)
        FROM bench.seq_1_to_{rows}"""
    )
    return table


def drain(table: str) -> int:
    """The bare driver: its own stream of rows, every one thrown away."""
    from pymysql.cursors import SSCursor

    cursor = connect(cursorclass=SSCursor).cursor()
    cursor.execute(f"SELECT * FROM bench.{table}")
    return sum(1 for _ in cursor)


def sqlalchemy_url() -> str:
    """What dlt's `sql_table` connects by."""
    import sqlalchemy

    found = json.loads(os.environ["EL_BENCH_OUTPUT"])
    where = {"host": found["host"], "port": found["port"], "username": found["user"], "password": found["password"]}
    return str(sqlalchemy.URL.create("mysql+pymysql", **where, database="bench").render_as_string(False))
