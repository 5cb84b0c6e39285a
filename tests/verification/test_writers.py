"""While many write at the source, `verify` says of no strategy that something differs, and most often: all is equal.

Writers insert, update, delete and change keys, leave transactions open while el reads, and undo some of them.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from el.errors import ElError
from tests.engines import connected, real_sqlserver
from tests.tsql_shop import TsqlShop
from tests.verification.asked import verified

KEYS, STILL = 200, 2000
ENTRIES = {
    "full": "strategy: full",
    "cursor": "cursor: changed, lag: 3s",
    "rowversion": "strategy: rowversion",
    "change_tracking": "strategy: change_tracking",
    "cdc": "strategy: cdc",
}
COLUMNS = "id INT NOT NULL PRIMARY KEY, v INT NULL, w NVARCHAR(40) NULL, changed DATETIME2(6) NOT NULL"
MORE = {
    "change_tracking": (
        "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)",
        "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
    ),
    "cdc": (
        "EXEC sys.sp_cdc_enable_db",
        "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N't', @role_name = NULL",
    ),
}


def create(shop: TsqlShop, strategy: str) -> TsqlShop:
    """Rows that are written, and more of them that nobody touches."""
    # Another engine than SQL Server may have it always, and know no such statement.
    with suppress(ElError), shop.server() as server:
        server.execute(Statement("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON"))
    version = ", rv ROWVERSION" if strategy == "rowversion" else ""
    rows = [f"({number}, {number}, N'row {number}', '2024-01-01')" for number in range(1, KEYS + STILL, 2)]
    return shop.create(
        f"  - {{name: dbo.t, {ENTRIES[strategy]}}}",
        f"CREATE TABLE dbo.t ({COLUMNS}{version})",
        *MORE.get(strategy, ()),
        *(
            f"INSERT INTO dbo.t (id, v, w, changed) VALUES {', '.join(rows[start : start + 500])}"
            for start in range(0, len(rows), 500)
        ),
    )


@dataclass(frozen=True)
class Writer:
    """One of several. apart: it has rows of its own, so that no two ever change one."""

    number: int
    of: int
    pause: float
    apart: bool
    chance: random.Random = field(default_factory=random.Random)

    def key(self) -> int:
        drawn = self.chance.randint(1, KEYS)
        return drawn - drawn % self.of + self.number if self.apart else drawn

    def change(self) -> str:
        """A change of one row, or of several."""
        chance, key, other = self.chance, self.key(), self.key()
        value = chance.randint(0, 10**6)
        text = chance.choice(("N'ä'", "NULL", "N''", f"N'{'x' * (value % 40)} '"))
        now = "changed = SYSUTCDATETIME()"
        mine = f" AND id % {self.of} = {self.number}" if self.apart else ""
        insert = (
            f"IF NOT EXISTS (SELECT 1 FROM dbo.t WHERE id = {key}) "
            f"INSERT INTO dbo.t (id, v, w, changed) VALUES ({key}, {value}, {text}, SYSUTCDATETIME())"
        )
        move = (
            f"IF NOT EXISTS (SELECT 1 FROM dbo.t WHERE id = {other}) "
            f"UPDATE dbo.t SET id = {other}, w = {text}, {now} WHERE id = {key}"
        )
        several = f"UPDATE dbo.t SET v = {value}, {now} WHERE id BETWEEN {key} AND {key + 20}{mine}"
        update = f"UPDATE dbo.t SET w = {text}, {now} WHERE id = {key}"
        return chance.choice((insert, insert, several, update, move, f"DELETE FROM dbo.t WHERE id = {key}"))

    def transaction(self, server: SqlServer) -> str:
        """How it ended."""
        server.execute(Statement("BEGIN TRANSACTION"))
        for _ in range(self.chance.randint(1, 4)):
            server.execute(Statement(self.change()))
            time.sleep(self.chance.random() * self.pause)
        end = self.chance.choice(("COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"))
        server.execute(Statement(end))
        return end


def write(shop: TsqlShop, writer: Writer, ended: threading.Event, ends: Counter[str]) -> None:
    with connected(shop.output) as server:
        server.execute(Statement("SET LOCK_TIMEOUT 2000"))
        while not ended.is_set():
            try:
                ends[writer.transaction(server)] += 1
            except ElError as error:
                # A deadlock, a lock that was waited for, or a key that another one was faster to take.
                server.execute(Statement("IF @@TRANCOUNT > 0 ROLLBACK"))
                known = error.retryable or "lock" in str(error) or "duplicate key" in str(error).lower()
                ends["undone by the server" if known else f"error: {error}"] += 1


@contextmanager
def writers(shop: TsqlShop, count: int, pause: float) -> Iterator[Counter[str]]:
    ended, ends = threading.Event(), Counter[str]()
    # On the stand-in one may delete what another one has just updated, and no lock keeps them apart.
    apart = real_sqlserver() is None
    several = [Writer(number, count, pause, apart, random.Random(number)) for number in range(count)]
    threads = [threading.Thread(target=write, args=(shop, each, ended, ends), daemon=True) for each in several]
    for thread in threads:
        thread.start()
    try:
        yield ends
    finally:
        ended.set()
        for thread in threads:
            thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert [end for end in ends if end.startswith("error")] == []


def compared_beside_writers(shop: TsqlShop, strategy: str, times: int, count: int, pause: float) -> str:
    """A run before every third comparison; when the writers have ended, raw is the source's. What was seen."""
    create(shop, strategy)
    verdicts, rows, late = Counter[str](), 0, 0
    shop.el()
    with writers(shop, count, pause) as ends:
        for number in range(times):
            if number % 3 == 0:
                shop.el()
            found = verified(shop.capsys, *(("--in-warehouse",) if number % 2 else ()), code=None)
            assert found["verdict"] in ("EQUAL", "UNDECIDED"), found
            verdicts[found["verdict"]] += 1
            rows, late = rows + found["counts"]["compared"], late + found["counts"]["late"]
    assert ends["COMMIT"] > times
    assert verdicts["EQUAL"] >= 0.7 * times
    assert rows >= times * STILL / 2 * 0.9
    if strategy == "cursor":
        time.sleep(3)
    shop.el()
    found = verified(shop.capsys)
    assert (found["verdict"], found["counts"]["missing"], found["counts"]["different"]) == ("EQUAL", 0, 0)
    held, there = (set(each) for each in (shop.state("t", "id", "id, v, w"), shop.rows("SELECT id, v, w FROM dbo.t")))
    assert there <= held
    # Of a deleted row these two know nothing.
    assert held == there or strategy in ("cursor", "rowversion")
    return f"{strategy}: {dict(verdicts)}, {rows:,} rows compared, {late:,} late; transactions: {dict(ends)}"


def test_no_difference_is_said_while_two_write(standin_shop: TsqlShop) -> None:
    compared_beside_writers(standin_shop, "change_tracking", times=3, count=2, pause=0.02)


@pytest.mark.soak
@pytest.mark.parametrize("strategy", ENTRIES)
def test_no_difference_is_said_by_thirty_comparisons_while_eight_write(tsql_shop: TsqlShop, strategy: str) -> None:
    seen = compared_beside_writers(tsql_shop, strategy, times=30, count=8, pause=0.05)
    with tsql_shop.capsys.disabled():
        print(f"\n{seen}")
