"""The digest of what was read is that of what raw holds, or the load is hidden and the next run brings it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from el.cli.app import main
from el.connectors.registry import connector_class, open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.extraction.digest import kind_of
from el.types.rule import Way
from tests.standins.snowflake import SnowflakeStandIn
from tests.steps import once_at
from tests.test_house import SCHEMES
from tests.tsql_shop import TsqlShop
from tests.verification.test_strategies import ROWS, SETUP

SETUPS = {
    **SETUP,
    "full": SETUP["rowversion"],
    "cursor": ("CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20), d DATETIME2(7))",),
}
# Behind a change to these rows, a delta brings them once more.
CHANGE = "UPDATE dbo.t SET v = CASE WHEN id = 11 THEN N'' ELSE v + N' ' END, d = DATEADD(day, 1, d) WHERE id > 5"
OF_LOAD = "_dlt_load_id = (SELECT MAX(_dlt_load_id) FROM shop_dbo.t)"
OTHER = "(SELECT MAX({column}) FROM shop_dbo.t WHERE id = {id} AND " + OF_LOAD + ")"
# What another hand may do between the load and the look at it.
FAULTS = {
    "a digit": "SET d = LEFT(d, 26) || '9' WHERE id = 7",
    "a blank": "SET v = RTRIM(v) WHERE id = 8",
    "NULL for an empty text": "SET v = NULL WHERE v = ''",
    "an operation": "SET _el_op = 'D' WHERE id = 9",
    "a swapped pair": "SET v = CASE id WHEN 20 THEN 'row 21 ' ELSE 'row 20 ' END WHERE id IN (20, 21)",
    "one lost and one doubled": "SET "
    + ", ".join(f"{c} = {OTHER.format(column=c, id=30)}" for c in ("id", "v", "d", "_el_position"))
    + " WHERE id = 31",
}


class Shop:
    """A T-SQL source, and raw in either warehouse."""

    def __init__(self, shop: TsqlShop, warehouse: dict[str, Any]) -> None:
        self.shop, self.warehouse = shop, warehouse

    def create(self, strategy: str) -> None:
        more = ", cursor: d" if strategy == "cursor" else ""
        self.shop.create(f"  - {{name: dbo.t, strategy: {strategy}{more}}}", *SETUPS[strategy], ROWS)
        place = Path("profiles.yml")
        profiles = yaml.safe_load(place.read_text())
        profiles["warehouse"]["outputs"]["it"] = self.warehouse
        place.write_text(yaml.safe_dump(profiles))
        settings = Path("el.yml")
        settings.write_text(settings.read_text().replace("defaults: {", "defaults: {digest: true, "))

    def raw(self, sql: str, *, asked: bool = False) -> list[tuple[Any, ...]]:
        connector = open_connector(self.warehouse)
        assert isinstance(connector, SqlConnector)
        with connector:
            if asked:
                return [tuple(row) for row in connector.fetch(Statement(sql))]
            connector.execute(Statement(sql))
            return []

    def fault(self, which: str) -> None:
        self.raw(f"UPDATE shop_dbo.t {FAULTS[which]} AND {OF_LOAD}")

    def loads(self) -> list[Any]:
        return [n for (n,) in self.raw("SELECT status FROM shop_dbo._dlt_loads ORDER BY load_id", asked=True)]


@pytest.fixture(params=["duckdb", "snowflake"])
def shop(standin_shop: TsqlShop, request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "duckdb":
        yield Shop(standin_shop, {"type": "duckdb", "path": str(standin_shop.path / "warehouse.duckdb")})
    else:
        with SnowflakeStandIn() as standin:
            yield Shop(standin_shop, standin.dbt_output())


@pytest.mark.parametrize(
    ("strategy", "first", "second"),
    [
        ("full", "a digit", "a blank"),
        ("cursor", "a swapped pair", "one lost and one doubled"),
        ("rowversion", "a digit", "NULL for an empty text"),
        ("change_tracking", "an operation", "one lost and one doubled"),
        ("cdc", "an operation", "a swapped pair"),
    ],
)
def test_a_load_with_another_value_is_hidden_and_comes_again(
    shop: Shop, strategy: str, first: str, second: str
) -> None:
    shop.create(strategy)
    for number, fault in enumerate((first, second)):
        if number:
            shop.shop.sql(CHANGE)
        done = once_at("package loaded", partial(shop.fault, fault))
        failed = shop.shop.el(code=1)["dbo.t"]
        assert done == [True]
        assert "t has " in failed["error"]
        assert failed["error"].endswith("rows, and in them other values than were read")
        assert "\n" not in failed["error"]
        assert shop.loads() == [*[1, 0][: number * 2], 1]
        assert shop.shop.el()["dbo.t"]["rows"] in (100, 95)
        assert shop.loads()[-1] == 0
    wanted = shop.shop.rows("SELECT id, v FROM dbo.t WHERE id > 5 ORDER BY id")
    complete = "SELECT load_id FROM shop_dbo._dlt_loads WHERE status = 0"
    held = shop.raw(
        f"SELECT id, v FROM shop_dbo.t WHERE {OF_LOAD} AND id > 5 AND _dlt_load_id IN ({complete}) ORDER BY id",
        asked=True,
    )
    assert [(int(str(number)), text) for number, text in held] == wanted


def test_no_landing_type_is_without_a_digest() -> None:
    ways = {
        way.arrow
        for connector in SCHEMES
        for rule in connector_class(connector).rules
        for way in (getattr(rule, field.name) for field in fields(rule))
        if isinstance(way, Way) and isinstance(way.arrow, pa.DataType)
    }
    assert len(ways) > 8
    assert {type_ for type_ in ways if not kind_of(type_)} == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_another_digest(shop: Shop, fault: str) -> None:
    """Of a snapshot with blanks and empty texts."""
    shop.create("full")
    shop.shop.sql(CHANGE)
    done = once_at("package loaded", lambda: shop.fault(fault))
    assert "other values than were read" in shop.shop.el(code=1)["dbo.t"]["error"]
    assert done == [True]


def test_where_el_yml_wants_no_digest_rows_are_counted_alone(shop: Shop) -> None:
    shop.create("full")
    text = Path("el.yml").read_text()
    Path("el.yml").write_text(text.replace("digest: true", "digest: false"))
    once_at("package loaded", lambda: shop.fault("a digit"))
    assert shop.shop.el()["dbo.t"]["status"] == "loaded"
    assert shop.raw("SELECT digest FROM shop_dbo._el_ledger", asked=True) == [(None,)]


def test_a_repair_with_another_value_is_hidden_too(standin_shop: TsqlShop) -> None:
    shop = Shop(standin_shop, {"type": "duckdb", "path": str(standin_shop.path / "warehouse.duckdb")})
    shop.create("rowversion")
    shop.shop.el()
    shop.raw("UPDATE shop_dbo.t SET v = 'other' WHERE id = 7")
    once_at("package loaded", lambda: shop.fault("a digit"))
    assert main(["verify", "--repair"]) != 0
    assert "other values than were read" in "".join(standin_shop.capsys.readouterr())
    assert shop.loads() == [0, 1]
    main(["verify", "--repair"])
    assert shop.loads() == [0, 1, 0]
    assert main(["verify"]) == 0
