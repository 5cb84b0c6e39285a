"""Reads at once that see one moment: parts of a table, several tables; and where in the log that moment is."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from el.cli.app import main
from el.connectors.mysql import MySql
from el.connectors.mysql.moment import Place, gtid_of, see_one_moment, tells_of_each_commit
from el.connectors.sql.select import Statement
from el.extraction.slice import STEP
from tests.connectors.mysql.conftest import MySqlShop

TOTAL = 4000


@pytest.fixture
def accounts(shop: MySqlShop) -> MySqlShop:
    shop.sql(
        "CREATE TABLE {schema}.a (id INT PRIMARY KEY, money INT NOT NULL)",
        "CREATE TABLE {schema}.b (id INT PRIMARY KEY, money INT NOT NULL)",
        "INSERT INTO {schema}.a SELECT seq, 10 FROM {schema}.seq_1_to_200",
        "INSERT INTO {schema}.b SELECT seq, 10 FROM {schema}.seq_1_to_200",
    )
    return shop


@contextmanager
def writing(shop: MySqlShop) -> Iterator[None]:
    """Money goes from table to table, and rows from one end of a table to the other, without a pause."""
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


def test_connections_that_share_a_moment_see_one_state_while_others_write(accounts: MySqlShop) -> None:
    sums = f"SELECT (SELECT SUM(money) FROM {accounts.schema}.a), (SELECT SUM(money) FROM {accounts.schema}.b)"
    with ExitStack() as stack, writing(accounts):
        first, *others = [stack.enter_context(accounts.another()) for _ in range(4)]
        states = set()
        for _ in range(25):
            with first.share_moment(others) as seeing:
                assert len(seeing) == 4
                found = {each.fetch(Statement(sums))[0] for each in seeing}
                assert len(found) == 1
                assert sum(int(str(value)) for value in found.pop()) == TOTAL
                states.add(first.place)
            assert first.place is None
        assert len(states) > 1, "nothing was written meanwhile"


def test_the_place_in_the_log_is_that_of_the_very_state_that_is_seen(accounts: MySqlShop) -> None:
    with accounts.another() as reader:
        before = accounts.fetch("SELECT @@GLOBAL.gtid_binlog_pos")[0][0]
        with reader.at_one_moment():
            accounts.sql("UPDATE {schema}.a SET money = 0")
            assert reader.place is not None
            assert gtid_of(reader.place, reader.fetch) == before
        assert accounts.fetch("SELECT @@GLOBAL.gtid_binlog_pos")[0][0] != before


@contextmanager
def between_slices(act: Callable[[], None]) -> Iterator[None]:
    """`act` once, when the first part of a table is read."""
    waits = [act]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == STEP and arguments[0] == "slice finished" and waits:
            waits.pop()()

    sys.addaudithook(hook)
    try:
        yield
        assert not waits
    finally:
        waits.clear()


PARTS = "a, partition_by: id, partitions: 8"


def rows(shop: MySqlShop, table: str = "a") -> list[tuple[Any, ...]]:
    return shop.raw(f"SELECT count(*), count(DISTINCT id), min(id), max(id) FROM {{raw}}.{table}")


def test_a_row_that_goes_from_part_to_part_while_they_are_read_comes_once(accounts: MySqlShop) -> None:
    move = ("UPDATE {schema}.a SET id = id + 1000 WHERE id <= 20", "UPDATE {schema}.a SET id = id - 300 WHERE id = 200")
    assert "but each partition" not in accounts.plan(PARTS)
    with between_slices(lambda: accounts.sql(*move)):
        accounts.run(PARTS)
    assert rows(accounts) == [(200, 200, 1, 200)]


def test_a_transaction_that_is_lost_begins_its_table_anew_and_no_row_comes_twice(accounts: MySqlShop) -> None:
    def kill() -> None:
        accounts.sql("UPDATE {schema}.a SET id = id + 1000 WHERE id <= 20")
        found = accounts.fetch("SELECT id, info FROM information_schema.processlist WHERE command = 'Sleep'")
        own = accounts.fetch("SELECT CONNECTION_ID()")[0][0]
        for number, _ in found:
            if number != own:
                accounts.sql(f"KILL {number}")

    with between_slices(kill):
        accounts.run(PARTS, defaults="retries: 2")
    assert rows(accounts) == [(200, 200, 21, 1020)]


def test_tables_of_a_run_are_read_at_once_and_of_one_moment(accounts: MySqlShop) -> None:
    for name in ("c", "d", "e"):
        accounts.sql(f"CREATE TABLE {{schema}}.{name} AS SELECT * FROM {{schema}}.a")
    with writing(accounts):
        accounts.run(PARTS, "b", "c", "d", "e", defaults="retries: 0, consistent: run")
    assert accounts.raw("SELECT (SELECT sum(money) FROM {raw}.a) + (SELECT sum(money) FROM {raw}.b)") == [(TOTAL,)]


def test_where_the_log_does_not_tell_one_connection_reads_all_parts(
    accounts: MySqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("el.connectors.mysql.moment.tells_of_each_commit", lambda *_, **__: False)
    with between_slices(lambda: accounts.sql("UPDATE {schema}.a SET id = id + 1000 WHERE id <= 20")):
        accounts.run(PARTS)
    assert rows(accounts) == [(200, 200, 1, 200)]


def test_an_interrupt_leaves_no_thread_that_waits_for_another(accounts: MySqlShop) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with between_slices(interrupt):
        accounts.configure("a, partition_by: id, partitions: 8", "b", defaults="retries: 0, consistent: run")
        assert main(["run"]) == 130
    assert accounts.run(PARTS)["exit_code"] == 0
    assert rows(accounts) == [(200, 200, 1, 200)]


class Scripted:
    """A server that answers what a test says of it."""

    def __init__(self, *executed: str, owned: tuple[str, ...] = (), shares_storage: int = 0) -> None:
        self.shares_storage = shares_storage
        self.executed, self.owned = list(executed), list(owned)
        self.begun = 0

    def fetch(self, statement: Statement) -> list[tuple[Any, ...]]:
        if "gtid_mode" in statement.sql:
            return [("ON", self.shares_storage)]
        if "gtid_executed" in statement.sql:
            return [(self.executed.pop(0) if len(self.executed) > 1 else self.executed[0],)]
        if "gtid_owned" in statement.sql:
            return [(self.owned.pop(0) if self.owned else "",)]
        self.begun += 1
        return []


@pytest.mark.parametrize(
    ("server", "begun"),
    [
        (Scripted("u:1-5"), 2),
        (Scripted("u:1-4", "u:1-5"), 4),
        (Scripted("u:1-5", owned=("u:6#12", "")), 4),
        (Scripted("u:1-3,\nv:1-2", "u:1-4,\nv:1-2"), 4),
    ],
    ids=["nothing is written", "one is executed meanwhile", "one is on its way", "sets of several servers"],
)
def test_mysql_sees_one_moment_where_no_transaction_came_while_snapshots_were_taken(
    server: Scripted, begun: int
) -> None:
    """Of MySQL itself there is no server here: what it answers is scripted (MySQL Reference Manual, "Global Transaction
    ID System Variables")."""
    places = see_one_moment([server.fetch] * 2, is_mariadb=False)
    assert places[0] is not None
    assert places == [Place(places[0].executed)] * 2
    assert server.begun == begun


def test_mysql_without_such_a_moment_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("el.connectors.mysql.moment._SECONDS", 0.05)
    busy = Scripted("u:1-5", owned=("u:6#12",) * 10_000)
    begun = time.monotonic()
    assert see_one_moment([busy.fetch] * 2, is_mariadb=False) == [None, None]
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("entry", ["a", "a, cursor: id, lag: 0", "a, strategy: changes"])
def test_a_large_table_is_divided_by_itself_and_its_parts_are_of_one_moment(accounts: MySqlShop, entry: str) -> None:
    with writing(accounts):
        accounts.run(entry, defaults="retries: 0, partition_rows: 60")
    assert accounts.raw("SELECT max(partitions) FROM {raw}._el_ledger") == [(4,)]
    count, rows = accounts.raw("SELECT count(*), count(DISTINCT id) FROM {raw}.a")[0]
    assert (count, rows) == (200, 200)


def test_a_large_table_stays_whole_where_one_connection_would_read_all_its_parts(
    accounts: MySqlShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server without a log, or MySQL without GTIDs: parts would be read one after the other."""
    monkeypatch.setattr(MySql, "can_share_moment", lambda self: False)
    accounts.configure("a", defaults="retries: 0, partition_rows: 60")
    assert main(["plan", "--why"]) == 0
    said = capsys.readouterr().out
    assert "the server does not tell that several connections see one moment, so one would read all parts" in said
    assert "slices" not in said


@pytest.mark.parametrize(("mode", "can"), [("ON", True), ("OFF", False)])
def test_whether_connections_can_share_a_moment_is_what_the_server_tells_of_its_log(mode: str, can: bool) -> None:
    assert tells_of_each_commit(lambda statement: [(mode, 0)], is_mariadb=False) is can
