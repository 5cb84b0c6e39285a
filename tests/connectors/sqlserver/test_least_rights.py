"""el on SQL Server with a login that has what `grants` gives an engineer, and no more."""

from __future__ import annotations

import pytest

from el.cli.app import main
from tests.engines import least_privileged
from tests.tsql_shop import TsqlShop

SETUP = (
    "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)",
    "CREATE TABLE dbo.t (id INT PRIMARY KEY, v INT, changed_at DATETIME2(3), stamp ROWVERSION)",
    "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
    "INSERT INTO dbo.t (id, v, changed_at) VALUES (1, 1, '2024-01-01')",
)


@pytest.mark.parametrize("strategy", ["full", "cursor, cursor: changed_at", "rowversion", "change_tracking"])
def test_each_strategy_runs_with_the_rights_of_the_script(tsql_shop: TsqlShop, strategy: str) -> None:
    shop = tsql_shop.create(f"  - {{name: dbo.t, strategy: {strategy}}}", *SETUP)
    shop.sign_in(least_privileged(shop.output, ["dbo"]))
    assert shop.el()["dbo.t"]["status"] == "loaded"
    shop.sql("INSERT INTO dbo.t (id, v, changed_at) VALUES (2, 2, '2024-02-01')")
    assert shop.el()["dbo.t"]["status"] == "loaded"
    assert {row[0] for row in shop.complete("t", "id")} == {1, 2}


def test_without_a_right_of_the_script_the_run_fails_and_nothing_is_loaded(
    tsql_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = tsql_shop.create("  - {name: dbo.t, strategy: change_tracking}", *SETUP)
    shop.sign_in(least_privileged(shop.output, ["dbo"], but="GRANT SELECT"))
    assert main(["run"]) in (1, 2, 3)
    shop.sign_in(least_privileged(shop.output, ["dbo"]))
    assert main(["run"]) == 0
    shop.sql("INSERT INTO dbo.t (id, v, changed_at) VALUES (2, 2, '2024-02-01')")
    shop.sign_in(least_privileged(shop.output, ["dbo"], but="GRANT VIEW CHANGE TRACKING"))
    assert main(["run"]) in (1, 2, 3), "the first delta needs it, a snapshot does not"
    capsys.readouterr()
    assert shop.complete("t", "id") == [(1,)]
