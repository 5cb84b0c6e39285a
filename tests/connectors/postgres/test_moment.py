"""Reads at once that see one moment: parts of a table, several tables."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from el.cli.app import main
from el.config.profiles import load_output
from el.config.settings import load_config
from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.errors import WriteError
from el.pipeline import Job, run
from el.reporting.progress import Silent
from tests.connectors.postgres.conftest import PostgresShop

TOTAL = 4000


@pytest.fixture
def accounts(shop: PostgresShop) -> PostgresShop:
    shop.sql(
        "CREATE TABLE {schema}.a (id int PRIMARY KEY, money int NOT NULL, filler text NOT NULL)",
        "CREATE TABLE {schema}.b (id int PRIMARY KEY, money int NOT NULL)",
        "INSERT INTO {schema}.a SELECT n, 10, repeat('x', 500) FROM generate_series(1, 200) AS n",
        "INSERT INTO {schema}.b SELECT n, 10 FROM generate_series(1, 200) AS n",
    )
    return shop


@contextmanager
def writing(shop: PostgresShop) -> Iterator[None]:
    """Money goes from table to table without a pause; a row that is written goes to another block."""
    done = threading.Event()

    def write() -> None:
        with shop.another() as session:
            number = 0
            while not done.is_set():
                number = number % 200 + 1
                with session.transaction():
                    session.execute(Statement(f"UPDATE {shop.schema}.a SET money = money - 1 WHERE id = {number}"))
                    session.execute(Statement(f"UPDATE {shop.schema}.b SET money = money + 1 WHERE id = {number}"))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(60)


def test_connections_that_share_a_moment_see_one_state_while_others_write(accounts: PostgresShop) -> None:
    sums = f"SELECT (SELECT sum(money) FROM {accounts.schema}.a), (SELECT sum(money) FROM {accounts.schema}.b)"
    with ExitStack() as stack, writing(accounts):
        first, *others = [stack.enter_context(accounts.another()) for _ in range(3)]
        states = set()
        for _ in range(20):
            with first.share_moment(others) as seeing:
                assert len(seeing) == 3
                found = {each.fetch(Statement(sums))[0] for each in seeing}
                assert len(found) == 1
                one = found.pop()
                assert sum(int(str(value)) for value in one) == TOTAL
                states.add(one)
        assert len(states) > 1, "nothing was written meanwhile"


@pytest.mark.parametrize("divided", ["partitions: 4", "partition_by: id, partitions: 4"])
def test_the_parts_of_a_table_are_of_one_moment_though_its_rows_change_their_places(
    accounts: PostgresShop, divided: str
) -> None:
    """A row that is written meanwhile stands in another block: by blocks alone it came twice or not at all."""
    with writing(accounts):
        accounts.run(f"a, {divided}", "b", defaults=", consistent: run")
    count, rows, money = accounts.raw("SELECT count(*), count(DISTINCT id), sum(money) FROM {raw}.a")[0]
    assert (count, rows) == (200, 200)
    assert money + accounts.raw("SELECT sum(money) FROM {raw}.b")[0][0] == TOTAL
    assert accounts.raw("SELECT max(partitions) FROM {raw}._el_ledger") == [(4,)]


def test_what_shares_a_moment_is_read_here_where_others_are_read_in_processes(accounts: PostgresShop) -> None:
    named = f"read by threads of this process, for one moment is shared: {accounts.schema}.a, {accounts.schema}.b"
    with writing(accounts):
        accounts.run("a, partitions: 4", "b", defaults=", consistent: run, executor: processes:2")
    count, money = accounts.raw("SELECT count(DISTINCT id), sum(money) FROM {raw}.a")[0]
    assert count == 200
    assert money + accounts.raw("SELECT sum(money) FROM {raw}.b")[0][0] == TOTAL
    assert main(["plan"]) == 0
    assert f"executor: {named}" in accounts.capsys.readouterr().out


def test_an_executor_that_is_given_gets_no_part_of_a_moment_and_that_is_said(accounts: PostgresShop) -> None:
    accounts.configure("a, partitions: 4", "b")

    class Told(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    said: list[str] = []
    outputs = [load_output(Path("profiles.yml"), name, None) for name in ("shop", "warehouse")]
    with ThreadPoolExecutor(1) as executor:
        assert run(Job(load_config(Path("el.yml")), *outputs), Told(), executor).rows == 400
    here = [line for line in said if line.startswith("executor: ")]
    assert here == [f"executor: read by threads of this process, for one moment is shared: {accounts.schema}.a"]


def test_a_row_that_is_written_between_two_parts_comes_once(accounts: PostgresShop, steps: Callable[..., None]) -> None:
    def write(_: Any) -> None:
        accounts.sql("UPDATE {schema}.a SET money = 11, filler = repeat('y', 900)")

    steps("slice begun", write, once=True)
    accounts.run("a, partitions: 4", defaults="")
    assert accounts.raw("SELECT count(*), count(DISTINCT id), sum(money) FROM {raw}.a") == [(200, 200, 2000)]


def test_nothing_can_be_written_where_a_moment_is_seen(accounts: PostgresShop) -> None:
    with accounts.another() as session, session.at_one_moment(), pytest.raises(WriteError, match="read-only"):
        session.execute(Statement(f"DELETE FROM {accounts.schema}.a"))


def test_a_function_in_a_query_of_ones_own_writes_nothing(accounts: PostgresShop) -> None:
    accounts.sql(
        "CREATE FUNCTION {schema}.touch() RETURNS int LANGUAGE sql AS $$ UPDATE {schema}.a SET money = 0 RETURNING 1 $$"
    )
    with accounts.another() as session:
        request = ReadRequest(query=f"SELECT {accounts.schema}.touch() AS n")  # type: ignore[arg-type]
        with pytest.raises(Exception, match="read-only transaction"):
            session.read_buffer(request).to_arrow()
        with pytest.raises(Exception, match="read-only transaction"):
            session.fetch(Statement(f"SELECT {accounts.schema}.touch()"))
    assert accounts.fetch("SELECT sum(money)::int FROM {schema}.a") == [(2000,)]


def test_parts_have_as_many_rows_each_where_the_statistics_tell_how_the_values_lie(shop: PostgresShop) -> None:
    """By their range alone one part would have nearly all of these."""
    shop.sql(
        "CREATE TABLE {schema}.t (id bigint PRIMARY KEY, p int) PARTITION BY RANGE (id)",
        "CREATE TABLE {schema}.t1 PARTITION OF {schema}.t DEFAULT",
        "CREATE TABLE {schema}.plain (id bigint PRIMARY KEY)",
        "INSERT INTO {schema}.t SELECT n, 1 FROM generate_series(1, 4000) AS n",
        "INSERT INTO {schema}.t VALUES (1000000000000, 1)",
        "INSERT INTO {schema}.plain SELECT id FROM {schema}.t",
        "ANALYZE {schema}.t",
        "ANALYZE {schema}.plain",
    )
    for name in ("t", "plain"):
        table = shop.server.describe([shop.schema]).table(TableName(shop.schema, name))
        assert table is not None
        request = ReadRequest(table=table.name)
        splits = shop.server.splits(request, 4, table.columns[0])
        found = [shop.server.read_buffer(replace(request, split=split)).to_arrow().num_rows for split in splits]
        assert (len(found), sum(found)) == (4, 4001)
        assert all(900 < rows < 1100 for rows in found), found
    # Of a table with parts no blocks are its own.
    assert shop.server.splits(ReadRequest(table=TableName(shop.schema, "t")), 4, None) == ()


def test_a_large_table_is_divided_by_itself_and_its_parts_are_of_one_moment(accounts: PostgresShop) -> None:
    accounts.sql("ANALYZE {schema}.a")
    with writing(accounts):
        accounts.run("a", defaults=", partition_rows: 50")
    assert accounts.raw("SELECT count(*), count(DISTINCT id) FROM {raw}.a") == [(200, 200)]
    assert accounts.raw("SELECT max(partitions) FROM {raw}._el_ledger") == [(4,)]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("numeric(20, 4)", "{n} / 100.0"),
        ("date", "date '2000-01-01' + {n} / 100"),
        ("timestamptz", "timestamptz '2000-01-01' + {n} * interval '1 second'"),
        ("uuid", "CAST(lpad(to_hex({n}), 8, '0') || '-0000-0000-0000-000000000000' AS uuid)"),
        ("bytea", "CAST(lpad(to_hex({n}), 8, '0') AS bytea)"),
        ("text", "lpad(CAST({n} AS text), 10, '0')"),
        ("char(12)", "lpad(CAST({n} AS text), 10, '0')"),
        ("time", "time '00:00' + {n} * interval '10 milliseconds'"),
    ],
    ids=["decimal", "date", "instant", "uuid", "bytes", "text", "padded", "time"],
)
def test_parts_of_any_key_type_have_each_row_once_and_are_of_like_size(
    shop: PostgresShop, declared: str, value: str
) -> None:
    """Nine of ten rows lie in one hundredth of the range."""
    shop.sql(
        f"CREATE TABLE {{schema}}.t (k {declared})",
        f"INSERT INTO {{schema}}.t SELECT {value.format(n='n')} FROM generate_series(500001, 509000) AS n",
        f"INSERT INTO {{schema}}.t SELECT {value.format(n='n * 1000')} FROM generate_series(1, 1000) AS n",
        "INSERT INTO {schema}.t VALUES (NULL), (NULL)",
        "ANALYZE {schema}.t",
    )
    table = shop.server.describe([shop.schema]).table(TableName(shop.schema, "t"))
    assert table is not None
    request = ReadRequest(table=table.name)
    splits = shop.server.splits(request, 5, table.columns[0])
    sizes = [shop.server.read_buffer(replace(request, split=split)).to_arrow().num_rows for split in splits]
    assert (len(sizes), sum(sizes)) == (5, 10_002)
    assert all(1_000 < size < 4_000 for size in sizes), sizes
