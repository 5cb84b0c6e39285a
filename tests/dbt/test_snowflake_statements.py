"""Every kind of schema table on Snowflake: what its statements are, how many, and that they prune raw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import snowflake.connector
import sqlglot
import yaml
from sqlglot import exp

from tests.dbt.project import ROOT, Project, copy_project
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.snowflake.standin import Query

KEYED = ("present", "flagged", "history", "log")
EL_YML = """\
version: 1
source: shop
destination: warehouse
dbt: {schema: core}
tables:
  - {name: "main.*"}
  - {name: main.flagged, model: {kind: current, deleted: flag}}
  - {name: main.history, model: history}
  - {name: main.log, model: log}
"""


class Shop:
    """A source with a table for each kind of model, loaded into the stand-in and built there."""

    def __init__(self, folder: Path, standin: SnowflakeStandIn) -> None:
        self.project, self.standin = Project(folder), standin
        (folder / "local").mkdir(parents=True)
        (folder / "el.yml").write_text(EL_YML)
        profiles = yaml.safe_load((ROOT / "profiles.example.yml").read_text())
        profiles["warehouse"]["outputs"] = {"local": standin.dbt_output(query_tag="el")}
        (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
        copy_project(folder, generated=False)
        for table in KEYED:
            self.source(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, price DECIMAL(9, 2), note VARCHAR)")
        self.source("CREATE TABLE keyless (id INTEGER, price DECIMAL(9, 2), note VARCHAR NOT NULL)")
        self.change(1)
        self.project.load()
        self.project.el("codegen")

    def source(self, statement: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.project.path / "local" / "shop.duckdb")) as shop:
            return shop.execute(statement).fetchall()

    def change(self, day: int) -> None:
        """One row goes, one changes, one comes, in each table."""
        for table in (*KEYED, "keyless"):
            self.source(f"DELETE FROM {table} WHERE id = {day}")
            self.source(f"UPDATE {table} SET price = price + 1 WHERE id = {day + 1}")
            self.source(
                f"INSERT INTO {table} SELECT i, i / 2, 'day {day}' FROM range({3 * day}, {3 * day + 3}) AS r(i)"
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with snowflake.connector.connect(**self.standin.connection_parameters()) as connection:
            return connection.cursor().execute(query).fetchall()

    def build(self, *arguments: str) -> list[Query]:
        """Build the models; the statements that this took, reads of the catalog included."""
        before = len(self.standin.queries)
        self.project.models(*arguments)
        return self.standin.queries[before:]

    def differs(self) -> list[str]:
        """The tables that are not what the source has."""
        shown = {"present": "", "flagged": " WHERE NOT _el_deleted", "history": " WHERE _el_valid_to IS NULL"}
        shown["keyless"] = ""
        found = []
        for table, where in shown.items():
            name = "history_history" if table == "history" else table
            held = self.rows(f"SELECT id, price, note FROM core.{name}{where} ORDER BY id")
            if held != self.source(f"SELECT id, price, note FROM {table} ORDER BY id"):
                found.append(table)
        return found


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as server:
        yield server


@pytest.fixture(scope="module")
def builds(standin: SnowflakeStandIn, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Query]]:
    """What Snowflake was asked by a first build, one with news, one with news and changed models, one with nothing."""
    shop = Shop(tmp_path_factory.mktemp("kinds") / "project", standin)
    found = {"first": shop.build()}
    assert shop.differs() == []

    def next_day(day: int, *changed: Callable[[], Any]) -> list[Query]:
        shop.change(day)
        shop.project.load()
        for change in changed:
            change()
        done = shop.build()
        assert shop.differs() == []
        return done

    found["news"] = next_day(2)
    # As after a change of the models: dbt's own way, with a temporary table.
    found["changed"] = next_day(3, lambda: shop.rows("DELETE FROM staging.el_loads_taken WHERE state = 'built'"))
    found["nothing"] = shop.build()
    assert shop.rows("SELECT count(DISTINCT _dlt_load_id) FROM core.keyless") == [(1,)]
    return found


def statements(queries: list[Query], *verbs: str) -> list[str]:
    return [query.sql for query in queries if query.sql.lstrip().lower().startswith(verbs)]


def test_no_condition_on_raws_load_id_has_a_subquery(builds: dict[str, list[Query]]) -> None:
    """Snowflake skips no micro-partition by such a condition ("Micro-partitions & Data Clustering", Query Pruning)."""
    seen = 0
    for name in ("first", "news", "changed"):
        for sql in statements(builds[name], "merge into", "insert into", "create or replace"):
            if "as landed" not in sql.lower() or "_dlt_load_id" not in sql:
                continue
            tree = sqlglot.parse_one(sql, read="snowflake")
            if not isinstance(tree, (exp.Merge, exp.Insert, exp.Create)):
                continue
            bounds = []
            for condition in tree.find_all(exp.In, exp.GTE, exp.EQ, exp.GT, exp.LTE, exp.LT):
                columns = [
                    c for c in condition.find_all(exp.Column) if c.name == "_dlt_load_id" and c.table == "landed"
                ]
                if columns:
                    assert condition.find(exp.Select) is None, condition.sql()
                    bounds.append(condition.expression)
            assert any(isinstance(bound, exp.Literal) for bound in bounds), sql
            seen += 1
    assert seen >= 15


def test_a_model_with_news_takes_one_merge_and_little_else(builds: dict[str, list[Query]]) -> None:
    written = statements(builds["news"], "merge into", "insert into", "create", "drop", "comment", "alter")
    assert len(written) == 5 + 1, "a MERGE or INSERT for each of five models, one INSERT of notes"
    assert len(builds["news"]) <= 5 * 8


def test_a_build_with_nothing_new_writes_nothing(builds: dict[str, list[Query]]) -> None:
    assert statements(builds["nothing"], "merge", "insert", "create", "drop", "comment", "alter", "delete") == []
    # dbt lists schemas and tables, el asks twice, and three kinds look at their columns.
    assert len(builds["nothing"]) <= 15, [query.sql for query in builds["nothing"]]


def test_notes_are_one_insert_a_build(builds: dict[str, list[Query]]) -> None:
    for name in ("first", "news", "changed"):
        notes = [sql for sql in statements(builds[name], "insert into") if "as noted" in sql]
        assert len(notes) == 1
