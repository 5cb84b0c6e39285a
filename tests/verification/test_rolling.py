"""Rolling `verify`: the keys of all and what is new each time, a share of the rest in turn; only what passed counts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from el.cli.app import main
from tests.shop import Workspace
from tests.steps import once_at
from tests.tsql_shop import TsqlShop
from tests.verification.asked import verified
from tests.verification.test_strategies import ROWS, SETUP
from tests.verification.test_verify import NOTES

EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0, verify: {every: EVERY, share: 1/4}}
tables:
  - {name: sales.notes, STRATEGY}
"""


def loaded(folder: Path, strategy: str = "cursor: seen", notes: str = NOTES, every: str = "0s") -> Workspace:
    shop = Workspace(folder).create()
    (folder / "el.yml").write_text(EL_YML.replace("STRATEGY", strategy).replace("EVERY", every))
    shop.source(notes)
    assert main(["run", "--progress", "none"]) == 0
    return shop


@pytest.fixture
def shop(folder: Path) -> Workspace:
    return loaded(folder)


def test_all_is_verified_in_as_many_times_as_there_are_shares(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    found = verified(capsys)
    assert (found["method"], found["share"], found["counts"]["in_full"]) == ("both sides read", None, None)
    assert "nothing that raw holds has passed before" in found["notes"][0]
    through = found["verified_through"]
    rounds = [verified(capsys) for _ in range(5)]
    assert [each["share"] for each in rounds] == ["1/4", "2/4", "3/4", "4/4", "1/4"]
    # What the lag reads again is late, and in full at each time.
    assert [each["counts"]["in_full"] for each in rounds[:4]] == [126, 125, 125, 124]
    assert {(each["verdict"], each["counts"]["compared"], each["verified_through"]) for each in rounds} == {
        ("EQUAL", 500, through)
    }


def test_a_fault_in_a_share_that_was_not_looked_at_yet_is_found_in_its_turn(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    verified(capsys)
    shop.warehouse("UPDATE shop_sales.notes SET body = body || ' ' WHERE id = 300")
    assert [verified(capsys)["verdict"] for _ in range(2)] == ["EQUAL", "EQUAL"]
    found = verified(capsys, code=4)
    assert [(each["kind"], each["key"], each["columns"]) for each in found["samples"]] == [
        ("different", {"id": "300"}, ["body"])
    ]
    assert (found["verified_through"], found["share"]) == (None, None)
    # It stays with that share until it passes.
    verified(capsys, code=4)
    shop.warehouse("UPDATE shop_sales.notes SET body = trim(body) WHERE id = 300")
    assert verified(capsys)["share"] == "3/4"


FAULTS = {
    "lost": ("DELETE FROM shop_sales.notes WHERE id = 300", "missing"),
    "extra": ("UPDATE shop_sales.notes SET id = 301000 WHERE id = 300", "missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_that_is_lost_anywhere_is_found_at_once_by_the_keys(
    shop: Workspace, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    verified(capsys)
    sql, kind = FAULTS[fault]
    shop.warehouse(sql)
    found = verified(capsys, code=4)
    assert [(each["kind"], each["key"]) for each in found["samples"]] == [(kind, {"id": "300"})]


def test_a_row_that_stands_twice_anywhere_is_found_at_once(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    verified(capsys)
    shop.warehouse("INSERT INTO shop_sales.notes SELECT * FROM shop_sales.notes WHERE id = 300")
    assert "raw has 502 rows, the ledger 501" in verified(capsys, code=4)["why"]


def test_what_is_new_is_compared_in_full_wherever_its_key_is(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    through = verified(capsys)["verified_through"]
    shop.source("UPDATE sales.notes SET seen = '2024-07-01', body = 'new' WHERE id IN (200, 450)")
    shop.source("INSERT INTO sales.notes VALUES (3000, 'last', 1, NULL, '2024-08-01')")
    assert main(["run", "--progress", "none"]) == 0
    shop.warehouse("UPDATE shop_sales.notes SET body = 'other' WHERE id = 450 AND body = 'new'")
    found = verified(capsys, code=4)
    assert [(each["key"]["id"], each["columns"]) for each in found["samples"]] == [("450", ["body"])]
    shop.warehouse("UPDATE shop_sales.notes SET body = 'new' WHERE body = 'other'")
    assert verified(capsys)["verified_through"] > through


def test_an_update_that_a_load_passed_over_is_found_at_once(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    verified(capsys)
    shop.source("UPDATE sales.notes SET seen = '2024-07-01', body = 'new' WHERE id = 450")
    shop.source("INSERT INTO sales.notes VALUES (3000, 'last', 1, NULL, '2024-08-01')")
    assert main(["run", "--progress", "none"]) == 0
    shop.source("UPDATE sales.notes SET seen = '2024-07-02', body = 'newer' WHERE id = 300")
    found = verified(capsys, code=4)
    assert [(each["kind"], each["key"]["id"]) for each in found["samples"]] == [("different", "300")]


def test_a_share_ends_where_the_next_begins_whatever_comes_and_goes(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    verified(capsys)
    verified(capsys)
    # Half of the keys that are left are gone, and others came: the borders of shares of equal size lie elsewhere now.
    shop.source("DELETE FROM sales.notes WHERE id BETWEEN 20 AND 120")
    shop.source("INSERT INTO sales.notes SELECT -i, 'x', 1, NULL, '2024-07-01' FROM range(1, 200) AS t (i)")
    assert main(["run", "--progress", "none"]) == 0
    shop.warehouse("UPDATE shop_sales.notes SET body = 'other' WHERE id = 126")
    assert verified(capsys, code=4)["samples"][0]["key"] == {"id": "126"}


def test_a_table_that_is_not_due_is_said_to_be_and_when(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = loaded(folder, every="1d")
    through = verified(capsys)["verified_through"]
    shop.warehouse("UPDATE shop_sales.notes SET body = NULL WHERE id = 7")
    found = verified(capsys)
    assert (found["verdict"], found["verified_through"]) == ("NOT DUE", through)
    assert "not due until" in found["why"]
    assert shop.warehouse("SELECT count(*) FROM shop_sales._el_verified") == [(1,)]
    assert verified(capsys, "--whole", code=4)["method"] == "both sides read"
    # What was found is due until it is mended.
    shop.warehouse("UPDATE shop_sales.notes SET body = 'note 7' WHERE id = 7")
    assert verified(capsys)["verdict"] == "EQUAL"
    assert verified(capsys)["verdict"] == "NOT DUE"


BY_DAY = """
CREATE TABLE sales.notes (id INTEGER, day DATE, body VARCHAR, seen TIMESTAMP);
INSERT INTO sales.notes SELECT i, DATE '2024-01-01' + i::INTEGER, 'x', TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR
    FROM range(100) AS t (i);
INSERT INTO sales.notes VALUES (1000, '2026-01-01', 'last', '2024-06-01');
"""


def test_another_column_that_divides_begins_a_round_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The border that the last share ended at is none of its values."""
    strategy = "cursor: seen, key: [id, day]"
    shop = loaded(folder, strategy, BY_DAY)
    verified(capsys)
    assert verified(capsys)["share_through"] == "id 25"
    text = (folder / "el.yml").read_text()
    (folder / "el.yml").write_text(text.replace(strategy, f"{strategy}, columns: {{id: {{pii: number}}}}"))
    shares = [verified(capsys) for _ in range(2)]
    assert [(each["share"], each["share_through"]) for each in shares] == [
        ("1/4", "day 2024-01-26"),
        ("2/4", "day 2024-02-20"),
    ]
    shop.warehouse("UPDATE shop_sales.notes SET body = 'other' WHERE id = 60")
    assert verified(capsys, code=4)["samples"][0]["key"]["day"] == "2024-03-01"


@pytest.mark.parametrize("day", ["infinity", "12024-01-01"])
def test_a_day_that_no_border_can_be_makes_it_a_whole_comparison(
    folder: Path, capsys: pytest.CaptureFixture[str], day: str
) -> None:
    shop = loaded(folder, "cursor: seen, key: [day]", BY_DAY)
    verified(capsys)
    shop.source(
        f"INSERT INTO sales.notes VALUES (2, '{day}', 'new', '2024-07-01'), (3, '2026-01-02', 'x', '2024-07-02')"
    )
    assert main(["run", "--progress", "none"]) == 0
    found = verified(capsys)
    assert found["method"] == "both sides read"
    assert "a day in its key is beyond the calendar" in found["notes"][0]
    shop.warehouse("UPDATE shop_sales.notes SET body = 'other' WHERE id = 2")
    assert verified(capsys, code=4)["columns"] == {"body": 1}


def test_what_is_new_may_have_no_value_in_the_column_that_divides(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = BY_DAY + "UPDATE sales.notes SET id = NULL WHERE id = 50;"
    shop = loaded(folder, "cursor: seen, key: [id, day]", notes)
    verified(capsys)
    verified(capsys)
    shop.source("UPDATE sales.notes SET body = 'new', seen = '2024-07-01' WHERE id IS NULL")
    shop.source("INSERT INTO sales.notes VALUES (2000, '2026-01-01', 'x', '2024-08-01')")
    assert main(["run", "--progress", "none"]) == 0
    shop.warehouse("UPDATE shop_sales.notes SET body = 'other' WHERE body = 'new'")
    assert verified(capsys, code=4)["columns"] == {"body": 1}
    shop.warehouse("UPDATE shop_sales.notes SET body = 'new' WHERE body = 'other'")
    assert verified(capsys)["share"] == "2/4"


def test_a_fault_stays_due_where_the_clock_of_what_passed_was_ahead(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = loaded(folder, every="1d")
    verified(capsys)
    shop.warehouse("UPDATE shop_sales._el_verified SET verified_at = verified_at + INTERVAL 1 HOUR")
    shop.warehouse("UPDATE shop_sales.notes SET body = NULL WHERE id = 7")
    # What passed in the future says nothing of now.
    verified(capsys, code=4)
    verified(capsys, code=4)
    order = "SELECT verdict FROM shop_sales._el_verified ORDER BY verified_at"
    assert shop.warehouse(order) == [("EQUAL",), ("DIFFERENT",), ("DIFFERENT",)]


def test_a_table_that_raw_has_no_more_is_due(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = loaded(folder, every="1d")
    verified(capsys)
    shop.warehouse("DROP TABLE shop_sales.notes")
    found = verified(capsys, code=1)
    assert (found["verdict"], "no longer in raw" in found["why"]) == ("REFUSED", True)


def test_after_a_new_snapshot_all_is_verified_anew(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    verified(capsys)
    assert main(["run", "--progress", "none", "--full-refresh"]) == 0
    assert verified(capsys)["method"] == "both sides read"


def test_of_a_comparison_that_is_stopped_in_the_middle_nothing_counts(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    verified(capsys)
    noted = "SELECT count(*) FROM shop_sales._el_verified"

    def stop() -> None:
        raise KeyboardInterrupt

    stopped = once_at("slice finished", stop)
    with suppress(KeyboardInterrupt):
        main(["verify"])
    assert stopped == [True]
    assert shop.warehouse(noted) == [(1,)]
    assert verified(capsys)["share"] == "1/4"


@pytest.mark.parametrize(
    ("strategy", "notes", "why"),
    [
        ("strategy: full", NOTES, "full does not tell what changed since"),
        ("cursor: seen", NOTES.replace(" PRIMARY KEY", ""), "it has no key"),
        ("cursor: seen", NOTES.replace("id INTEGER", "id VARCHAR"), "no column of its key is a whole number"),
        ("cursor: seen, columns: {id: {pii: number}}", NOTES, "not personal"),
    ],
    ids=["full", "no key", "text key", "personal key"],
)
def test_where_there_can_be_no_share_all_is_compared_and_the_reason_said(
    folder: Path, capsys: pytest.CaptureFixture[str], strategy: str, notes: str, why: str
) -> None:
    loaded(folder, strategy, notes)
    verified(capsys)
    found = verified(capsys)
    assert found["method"] == "both sides read"
    assert why in found["notes"][0]


@pytest.mark.parametrize("strategy", SETUP)
def test_each_strategy_goes_round_while_its_source_goes_on(standin_shop: TsqlShop, strategy: str) -> None:
    entry = f"  - {{name: dbo.t, strategy: {strategy}, verify: {{every: 0s, share: 1/2}}}}"
    shop = standin_shop.create(entry, *SETUP[strategy], ROWS)
    shop.el()

    def look(code: int = 0) -> dict[str, Any]:
        return verified(shop.capsys, code=code)

    first = look()
    shop.sql(
        "UPDATE dbo.t SET v = N'changed' WHERE id IN (1, 90)",
        "INSERT INTO dbo.t (id, v, d) VALUES (200, N'new', NULL)",
    )
    shop.el()
    shop.sql("UPDATE dbo.t SET v = N'later' WHERE id IN (5, 95)", "INSERT INTO dbo.t (id, v) VALUES (300, N'x')")
    found = look()
    assert (found["verdict"], found["share"], found["counts"]["late"]) == ("EQUAL", "1/2", 3)
    assert found["verified_through"] != first["verified_through"]
    shop.raw("UPDATE shop_dbo.t SET d = NULL WHERE id = 8")
    assert look()["share"] == "2/2"
    assert look(4)["samples"][0]["key"] == {"id": "8"}
    shop.sql("UPDATE dbo.t SET v = N'changed' WHERE id IN (8, 80)")
    shop.el()
    shop.raw("UPDATE shop_dbo.t SET v = N'other' WHERE id = 80 AND v = 'changed'")
    assert look(4)["samples"][0]["key"] == {"id": "80"}
