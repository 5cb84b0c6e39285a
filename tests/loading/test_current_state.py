"""What raw holds now, asked in two ways: with a window over all rows, or over those alone whose key comes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from el.config.profiles import Output
from el.connectors.sql.connector import SqlConnector
from el.loading.current_state import CurrentState
from el.loading.duckdb import FRUGAL_SETTINGS
from el.loading.open import open_warehouse
from el.loading.warehouse import Warehouse

# load, op, position, id, part, v
ROWS = """
    ('1', 'S', NULL, 1, 1, 'before the snapshot'),
    ('2', 'S', NULL, 1, 1, 'a'), ('2', 'S', NULL, 2, 1, 'b'), ('2', 'S', NULL, 3, NULL, 'c'),
    ('2', 'S', NULL, 4, 1, 'd'),
    ('3', 'U', '07', 2, 1, 'later'), ('3', 'U', '08', 2, 1, 'last'), ('3', 'B', '08', 1, 1, 'as it was'),
    ('3', 'U', '09', 3, NULL, 'last of no part'), ('3', 'D', '09', 4, 1, NULL), ('3', 'U', '10', 5, 1, 'new'),
    ('4', 'U', '11', 1, 1, 'of a load that is not complete')
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    path = tmp_path / "held.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw._dlt_loads (load_id VARCHAR, status INTEGER)")
        connection.execute("INSERT INTO raw._dlt_loads VALUES ('1', 0), ('2', 0), ('3', 0)")
        connection.execute("CREATE TABLE raw._el_ledger (_dlt_load_id VARCHAR, kind VARCHAR, table_name VARCHAR)")
        connection.execute("INSERT INTO raw._el_ledger VALUES ('1', 'snapshot', 't'), ('2', 'snapshot', 't')")
        connection.execute("INSERT INTO raw._el_ledger VALUES ('3', 'delta', 't'), ('4', 'delta', 't')")
        connection.execute(
            f"CREATE TABLE raw.t AS FROM (VALUES {ROWS}) AS v (_dlt_load_id, _el_op, _el_position, id, part, v)"
        )
    return open_warehouse(Output("warehouse", "it", {"type": "duckdb", "path": str(path)}), "snake_case")


@pytest.mark.parametrize("told_by", [("id",), ("id", "part"), ()], ids=["one", "two", "none"])
def test_both_ways_give_the_same_rows(warehouse: Warehouse, told_by: Sequence[str]) -> None:
    state, columns = CurrentState(warehouse, "raw", "t"), ("id", "part", "v")
    with warehouse.connector as connector:
        one, other = (
            Counter(connector.fetch(each))
            for each in (state.all_rows(columns, told_by), state.rows(columns, told_by, None))
        )
    assert one == other
    assert (2, 1, "last", 0) in one
    if told_by:
        last = [(1, 1, "a", 0), (2, 1, "last", 0), (3, None, "last of no part", 0), (4, 1, None, 1), (5, 1, "new", 0)]
        assert sorted(one) == last


def setting(connector: SqlConnector, name: str) -> str:
    ((value,),) = connector.connection.execute(f"SELECT current_setting('{name}')").fetchall()  # type: ignore[attr-defined]
    return str(value)


def test_a_statement_over_a_whole_table_has_little_memory_and_gathers_no_second_copy_of_it(
    warehouse: Warehouse,
) -> None:
    asked = CurrentState(warehouse, "raw", "t").all_rows(("id", "part", "v"), ("id",))
    with warehouse.frugal(1) as connector:
        assert setting(connector, "memory_limit") == "122.0 MiB"
        plan = connector.connection.execute(f"EXPLAIN {asked.sql}", asked.parameters).fetchall()  # type: ignore[attr-defined]
    assert "subplan" not in str(plan)
    with warehouse.connector as connector:
        plan = connector.connection.execute(f"EXPLAIN {asked.sql}", asked.parameters).fetchall()  # type: ignore[attr-defined]
        assert setting(connector, "memory_limit") != "122.0 MiB"
    assert "subplan" in str(plan), "DuckDB gathers nothing any more: the setting can go"


def test_what_the_user_sets_of_memory_is_kept(warehouse: Warehouse) -> None:
    assert "memory_limit" in FRUGAL_SETTINGS
    config = {"type": "duckdb", "path": warehouse.connector.config.path, "settings": {"memory_limit": "1GiB"}}  # type: ignore[attr-defined]
    own = open_warehouse(Output("warehouse", "it", config), "snake_case")
    with own.frugal(1) as connector:
        assert setting(connector, "memory_limit") == "1.0 GiB"
