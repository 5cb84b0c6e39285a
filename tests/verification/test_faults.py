"""Each fault by each strategy: found with its key and column, or said as what the strategy cannot know.

One shop is loaded, of which each fault is put in and taken back.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from el.cli.app import main
from tests.engines import own_database
from tests.shop import inside
from tests.standins.sqlserver.process import StandInProcess
from tests.tsql_shop import TsqlShop
from tests.verification.asked import tables

STRATEGIES = ("full", "cursor", "rowversion", "change_tracking", "cdc")
TABLES = "  - {name: dbo.cursor, cursor: seen}\n" + "\n".join(
    f"  - {{name: dbo.{name}, strategy: {name}}}" for name in STRATEGIES if name != "cursor"
)
ROWS = ", ".join(
    f"({number}, N'note {number}', {number}.5, '2024-01-01T{number // 3:02d}:{number % 3 * 20:02d}:00')"
    for number in range(1, 61)
)


@pytest.fixture(scope="module")
def loaded(_standin: StandInProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsqlShop]:
    folder = tmp_path_factory.mktemp("faults")
    with own_database(_standin.output()) as output, inside(folder):
        shop = TsqlShop(folder, output, None)  # type: ignore[arg-type]
        shop.create(
            TABLES,
            "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)",
            "EXEC sys.sp_cdc_enable_db",
            *(
                f"CREATE TABLE dbo.[{name}] (id INT NOT NULL PRIMARY KEY, body NVARCHAR(40) NULL, "
                f"price DECIMAL(18,8) NULL, seen DATETIME2(3) NOT NULL{', rv ROWVERSION' * (name == 'rowversion')})"
                for name in STRATEGIES
            ),
            "ALTER TABLE dbo.change_tracking ENABLE CHANGE_TRACKING",
            "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'cdc', @role_name = NULL",
            *(f"INSERT INTO dbo.[{name}] (id, body, price, seen) VALUES {ROWS}" for name in STRATEGIES),
            *(
                f"UPDATE dbo.[{name}] SET body = CASE WHEN id < 9 THEN N'' END WHERE id IN (7, 8, 9)"
                for name in STRATEGIES
            ),
        )
        assert main(["run", "--progress", "none"]) == 0
        shutil.copy("warehouse.duckdb", "kept.duckdb")
        yield shop


@pytest.fixture
def shop(loaded: TsqlShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[TsqlShop]:
    monkeypatch.chdir(loaded.path)
    yield TsqlShop(loaded.path, loaded.output, capsys)
    shutil.copy("kept.duckdb", "warehouse.duckdb")


Sample = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Fault:
    """SQL on a table {t} of raw, and what is to be found of it: kind, key, columns."""

    sql: str
    found: tuple[Sample, ...]


def different(key: int, *columns: str) -> Sample:
    return "different", str(key), columns


FAULTS = {
    "a lost row": Fault("DELETE FROM {t} WHERE id = 10", (("missing", "10", ()),)),
    "a doubled row": Fault("INSERT INTO {t} SELECT * FROM {t} WHERE id = 11", (("doubled", "11", ()),)),
    "a row of nobody": Fault("UPDATE {t} SET id = 700 WHERE id = 12", (("missing", "12", ()), ("extra", "700", ()))),
    "a digit": Fault("UPDATE {t} SET price = price + 0.00000001 WHERE id = 13", (different(13, "price"),)),
    "a millisecond": Fault(
        "UPDATE {t} SET seen = seen + INTERVAL 1 MILLISECOND WHERE id = 14", (different(14, "seen"),)
    ),
    "a trailing blank": Fault("UPDATE {t} SET body = body || ' ' WHERE id = 15", (different(15, "body"),)),
    "a swapped pair": Fault(
        "UPDATE {t} SET body = 'note ' || CASE id WHEN 16 THEN 17 ELSE 16 END WHERE id IN (16, 17)",
        (different(16, "body"), different(17, "body")),
    ),
    "two values of a row swapped": Fault(
        "UPDATE {t} SET body = price, price = 1 WHERE id = 18", (different(18, "body", "price"),)
    ),
    "NULL for an empty text": Fault("UPDATE {t} SET body = NULL WHERE id = 8", (different(8, "body"),)),
    "NULL for an empty text, and the other way": Fault(
        "UPDATE {t} SET body = CASE id WHEN 7 THEN NULL ELSE '' END WHERE id IN (7, 9)",
        (different(7, "body"), different(9, "body")),
    ),
    "case": Fault("UPDATE {t} SET body = upper(body) WHERE id = 19", (different(19, "body"),)),
}
TOGETHER = [name for name in FAULTS if name != "a doubled row"]
WAYS = pytest.mark.parametrize("way", [(), ("--in-warehouse",)], ids=["read", "in the warehouse"])


def planted(shop: TsqlShop, faults: Sequence[str], *way: str) -> None:
    """Put these into raw; each strategy finds all of them, and nothing else."""
    shop.raw("; ".join(FAULTS[fault].sql.format(t=f'shop_dbo."{name}"') for fault in faults for name in STRATEGIES))
    wanted = {sample for fault in faults for sample in FAULTS[fault].found}
    for strategy, found in tables(shop.capsys, *way).items():
        assert found["verdict"] == "DIFFERENT", (strategy, found)
        samples = [(each["kind"], each["key"]["id"], tuple(each["columns"])) for each in found["samples"]]
        unknown = {each for each in wanted if each[0] == "extra" and strategy in ("cursor", "rowversion")}
        assert (len(samples), set(samples)) == (len(wanted - unknown), wanted - unknown), strategy
        # These see no deletes: a row that is in raw alone may have been one at the source.
        assert found["counts"]["gone"] == len(unknown), strategy


@WAYS
def test_faults_in_raw_are_found_by_each_strategy(shop: TsqlShop, way: tuple[str, ...]) -> None:
    planted(shop, TOGETHER, *way)


def test_a_row_that_stands_twice_in_raw_is_found_by_each_strategy(shop: TsqlShop) -> None:
    planted(shop, ["a doubled row"])


@pytest.mark.soak
@WAYS
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_is_found_by_each_strategy(shop: TsqlShop, fault: str, way: tuple[str, ...]) -> None:
    planted(shop, [fault], *way)


@dataclass(frozen=True)
class Change:
    """SQL on a table {t} of the source, what takes it back, and as which count each strategy tells it."""

    sql: str
    back: str
    counted: Mapping[str, str]


LATE = dict.fromkeys(("rowversion", "change_tracking", "cdc"), "late")
AT_SOURCE = (
    # It did not move the cursor.
    Change(
        "UPDATE dbo.[{t}] SET body = N'silently' WHERE id = 20",
        "UPDATE dbo.[{t}] SET body = N'note 20' WHERE id = 20",
        {**LATE, "full": "different", "cursor": "different"},
    ),
    # It came behind the cursor.
    Change(
        "INSERT INTO dbo.[{t}] (id, body, seen) VALUES (200, N'x', '2024-01-01T01:01:00')",
        "DELETE FROM dbo.[{t}] WHERE id = 200",
        {**LATE, "full": "missing", "cursor": "missing"},
    ),
    Change(
        "DELETE FROM dbo.[{t}] WHERE id = 30",
        "INSERT INTO dbo.[{t}] (id, body, price, seen) VALUES (30, N'note 30', 30.5, '2024-01-01T10:00:00')",
        {**LATE, "full": "extra", "cursor": "gone", "rowversion": "gone"},
    ),
)


def test_what_changed_at_the_source_is_said_as_what_each_strategy_knows_of_it(shop: TsqlShop) -> None:
    before = tables(shop.capsys)
    shop.sql(*(change.sql.format(t=name) for name in STRATEGIES for change in AT_SOURCE))
    found = tables(shop.capsys)
    shop.sql(*(change.back.format(t=name) for name in STRATEGIES for change in AT_SOURCE))
    kinds = ("late", "missing", "extra", "different", "gone")
    for strategy in STRATEGIES:
        more = Counter(change.counted[strategy] for change in AT_SOURCE)
        counts, former = found[strategy]["counts"], before[strategy]["counts"]
        assert {kind: counts[kind] - former[kind] for kind in kinds} == {kind: more[kind] for kind in kinds}, strategy
    assert {name: found[name]["verdict"] for name in STRATEGIES} == {
        **dict.fromkeys(STRATEGIES, "EQUAL"),
        "cursor": "DIFFERENT",
    }
    assert "they changed there since" in found["full"]["notes"][0]
    assert [(each["kind"], each["key"]["id"], each["columns"]) for each in found["cursor"]["samples"]] == [
        ("different", "20", ["body"]),
        ("missing", "200", []),
    ]
