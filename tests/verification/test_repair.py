"""`verify --repair`: what differs lands once more as a load of its own, and raw is the source's again."""

from __future__ import annotations

import pytest

from tests.tsql_shop import TsqlShop
from tests.verification.asked import verified
from tests.verification.test_strategies import ROWS, SETUP


@pytest.mark.parametrize("strategy", SETUP)
def test_what_differs_is_loaded_once_more(standin_shop: TsqlShop, strategy: str) -> None:
    shop = standin_shop.create(f"  - {{name: dbo.t, strategy: {strategy}}}", *SETUP[strategy], ROWS)
    shop.el()
    shop.raw("UPDATE shop_dbo.t SET v = NULL WHERE id = 7")
    shop.raw("DELETE FROM shop_dbo.t WHERE id = 8")
    shop.raw("UPDATE shop_dbo.t SET id = 999 WHERE id = 9")
    shop.sql("UPDATE dbo.t SET v = N'later' WHERE id = 1")
    found = verified(shop.capsys, "--repair", code=4)
    # Of a row that is in raw alone rowversion does not know whether it was deleted.
    rows = 3 if strategy == "rowversion" else 4
    assert f"repaired: {rows} rows were loaded once more" in found["notes"]
    assert shop.ledger("kind, row_count") == [("snapshot", 100), ("repair", rows)]
    ops = shop.raw("SELECT _el_op, id FROM shop_dbo.t WHERE _el_op <> 'S' ORDER BY id")
    assert ops == [("U", 7), ("U", 8), ("U", 9), ("D", 999)][:rows]
    assert verified(shop.capsys)["verdict"] == "EQUAL"
    # The bound is where it was: what changed at the source comes with the next run.
    assert shop.el()["dbo.t"]["kind"] == "delta"
    assert verified(shop.capsys)["verdict"] == "EQUAL"
    wanted = shop.rows("SELECT id, v FROM dbo.t")
    extra = [(999, "row 9")] if strategy == "rowversion" else []
    assert shop.state("t", "id", "id, v") == sorted([*wanted, *extra])


def test_a_snapshot_is_not_repaired_and_it_is_said_what_does(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create("  - {name: dbo.t, strategy: full}", *SETUP["rowversion"], ROWS)
    shop.el()
    shop.raw("UPDATE shop_dbo.t SET v = NULL WHERE id = 7")
    assert "not repaired" in verified(shop.capsys, "--repair", code=4)["notes"][0]
    shop.el("--full-refresh", "--select", "dbo.t")
    assert verified(shop.capsys)["verdict"] == "EQUAL"
