"""`python -m el.run` into Snowflake: the real driver and dlt's own destination, over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from el.cli import main
from el.connectors.query import Statement
from el.connectors.registry import open_connector
from el.connectors.snowflake import Snowflake
from tests.shop import Workspace
from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, standin: SnowflakeStandIn, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    found = Workspace(tmp_path).create()
    profiles = yaml.safe_load((tmp_path / "profiles.yml").read_text())
    profiles["warehouse"]["outputs"]["local"] = standin.dbt_output()
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return found


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, int]]:
    code = main(["run", "--json", *arguments])
    said = capsys.readouterr()
    assert code == 0, said
    return {table["table"]: (table["status"], table["rows"]) for table in json.loads(said.out)["tables"]}


def test_a_run_lands_whole_through_a_named_stage_that_is_left_empty(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(standin.queries)
    first = run(capsys)
    assert first == {
        "sales.lines": ("loaded", 9000),
        "sales.nothing": ("loaded", 0),
        "sales.orders": ("loaded", 3000),
    }
    again = run(capsys)
    assert {status for status, _ in again.values()} == {"unchanged", "nothing new"}
    shop.source("UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    assert run(capsys)["sales.orders"] == ("loaded", 10)

    with open_connector(standin.dbt_output()) as warehouse:
        assert isinstance(warehouse, Snowflake)

        def ask(sql: str) -> list[tuple[object, ...]]:
            return warehouse.fetch(Statement(sql))

        held = ask("SELECT COUNT(*), COUNT(DISTINCT ID), SUM(AMOUNT) FROM SHOP_SALES.ORDERS")
        assert (int(str(held[0][0])), int(str(held[0][1]))) == (3010, 3000)
        rows = ask("SELECT TABLE_NAME, SUM(ROW_COUNT) FROM SHOP_SALES._EL_LEDGER GROUP BY 1 ORDER BY 1")
        assert [(name, int(str(count))) for name, count in rows] == [("lines", 9000), ("nothing", 0), ("orders", 3010)]
        transient = ask(
            "SELECT DISTINCT IS_TRANSIENT FROM INFORMATION_SCHEMA.TABLES "
            "WHERE TABLE_SCHEMA = 'SHOP_SALES' AND TABLE_TYPE = 'BASE TABLE'"
        )
        assert transient == [("YES",)]
        assert ask("LIST @SHOP_SALES._EL_STAGE") == []

    copies = [query for query in standin.queries[before:] if query.sql.lstrip().upper().startswith("COPY INTO")]
    assert copies
    assert all("USE_VECTORIZED_SCANNER" in query.sql and "USE_LOGICAL_TYPE" in query.sql for query in copies)
    tags = [json.loads(query.tag) for query in copies]
    assert {tag["app"] for tag in tags} == {"el"}
    assert {tag["table"] for tag in tags} >= {"lines", "orders", "_el_ledger"}
    assert all(len(tag["run"]) == 12 for tag in tags)


def test_a_copy_that_fails_once_is_loaded_again_and_no_row_stands_twice(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.path / "el.yml").write_text((shop.path / "el.yml").read_text().replace("source: shop", "source: again"))
    profiles = yaml.safe_load((shop.path / "profiles.yml").read_text())
    (shop.path / "profiles.yml").write_text(yaml.safe_dump({**profiles, "again": profiles["shop"]}))
    # The COPY commits and its answer is lost: what a retry alone would load twice.
    standin.fail(r"COPY INTO.*LINES", times=1, after=True)
    run_code = main(["run", "--json"])
    capsys.readouterr()
    if run_code != 0:
        run(capsys)
    with open_connector(standin.dbt_output()) as warehouse:
        assert isinstance(warehouse, Snowflake)
        counts = warehouse.fetch(Statement("SELECT COUNT(*) FROM AGAIN_SALES.LINES"))
    assert int(str(counts[0][0])) == 9000
