"""The same dbt project on Snowflake: no file differs, and Snowflake's own settings take effect."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
import yaml

from tests.dbt.project import TABLES, Project
from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as server:
        yield server


@pytest.fixture(scope="module")
def built(standin: SnowflakeStandIn, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, str]]:
    """Two loads with a day of business in between, each built; the states of the second build."""
    project = Project.create(tmp_path_factory.mktemp("snowflake") / "project")
    profiles = yaml.safe_load((project.path / "profiles.yml").read_text())
    profiles["warehouse"]["outputs"] = {"local": standin.dbt_output(query_tag="el")}
    (project.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    project.load()
    project.models()
    project.day(1)
    project.load()
    return project, project.dbt("build")


def rows(standin: SnowflakeStandIn, query: str) -> list[tuple[Any, ...]]:
    with snowflake.connector.connect(**standin.connection_parameters()) as connection:
        return connection.cursor().execute(query).fetchall()


def test_every_model_is_built_and_every_test_passes(built: tuple[Project, dict[str, str]]) -> None:
    _, states = built
    assert set(states.values()) == {"success", "pass"}
    assert len(states) > 30


def test_the_schema_tables_are_the_source(built: tuple[Project, dict[str, str]], standin: SnowflakeStandIn) -> None:
    project, _ = built
    source = project.source()
    for table in TABLES:
        columns = ", ".join(project.columns(table))
        found = rows(standin, f"SELECT {columns} FROM sales.{table}")
        assert sorted(map(str, found)) == sorted(map(str, source[table])), table


def test_columns_have_their_exact_types(built: tuple[Project, dict[str, str]], standin: SnowflakeStandIn) -> None:
    found = {row[0]: row[1] for row in rows(standin, "DESCRIBE TABLE sales.order_lines")}
    assert found["ORDER_ID"] == "NUMBER(10,0)"
    assert found["LINE_NO"] == "NUMBER(5,0)"
    assert found["DISCOUNT"] == "NUMBER(5,4)"


def test_every_query_of_a_node_says_which_node_it_is_of_without_a_statement_for_it(
    built: tuple[Project, dict[str, str]], standin: SnowflakeStandIn
) -> None:
    merges = [query for query in standin.queries if query.sql.lstrip().lower().startswith("merge into")]
    assert {query.tag for query in merges} == {"el"}
    nodes = {found for query in merges for found in re.findall(r'"node_id": "model.el.([a-z_]+)"', query.sql)}
    assert set(TABLES) <= nodes
    assert not [query for query in standin.queries if "alter session" in query.sql.lower()]


def test_what_raw_can_give_again_is_transient_and_what_it_cannot_is_permanent(
    built: tuple[Project, dict[str, str]], standin: SnowflakeStandIn
) -> None:
    made = [query.sql.lower() for query in standin.queries if "create or replace" in query.sql.lower()]
    transient = {
        name for sql in made for name in re.findall(r"create or replace transient\s+table el\.([a-z_.]+)", sql)
    }
    assert {"staging.el_loads_taken", "sales.orders", "sales.customers"} <= transient
    assert "sales.orders_log" not in transient
    views = [sql for sql in made if re.search(r"create or replace\s+view", sql)]
    assert views
    assert all("copy grants" in sql for sql in views)


def test_freshness_passes_and_the_documentation_can_be_made(built: tuple[Project, dict[str, str]]) -> None:
    project, _ = built
    project.dbt("source", "freshness")
    project.dbt("docs", "generate")
    assert '"model.el.customers"' in (project.path / "target" / "catalog.json").read_text()


def test_a_number_gets_more_digits_in_place_and_what_cannot_be_widened_stops_its_table(
    built: tuple[Project, dict[str, str]], standin: SnowflakeStandIn
) -> None:
    project, _ = built
    narrower = "CREATE OR REPLACE TABLE sales.payments AS SELECT * REPLACE (amount::{} AS amount) FROM sales.payments"
    # As where codegen has given the model a wider type since it was built.
    changed = "DELETE FROM staging.el_loads_taken WHERE state = 'built'"
    rows(standin, narrower.format("NUMBER(9, 2)"))
    rows(standin, changed)
    project.models("--select", "payments")
    assert {row[0]: row[1] for row in rows(standin, "DESCRIBE TABLE sales.payments")}["AMOUNT"] == "NUMBER(14,2)"
    rows(standin, narrower.format("NUMBER(9, 1)"))
    rows(standin, changed)
    assert project.dbt("run", "--select", "payments", code=1) == {"payments": "error"}
    project.models("--full-refresh", "--select", "payments")


def test_a_view_of_the_projects_own_is_made_at_every_build(
    built: tuple[Project, dict[str, str]], standin: SnowflakeStandIn, tmp_path: Path
) -> None:
    """As dbt does it without el: what it reads may have changed outside of dbt."""
    project = Project(shutil.copytree(built[0].path, tmp_path / "project"))
    (project.path / "dbt_project" / "models" / "mine.sql").write_text("select 1 as one")
    for _ in range(2):
        seen = len(standin.queries)
        assert project.models("--select", "el_loads_taken", "mine", "+orders")["mine"] == "success"
    views = [query.sql for query in standin.queries[seen:] if "create or replace" in query.sql.lower()]
    assert [name for sql in views for name in ("mine", "stg_shop__orders") if f".{name}" in sql] == ["mine"]


def test_a_project_that_quotes_names_finds_raw_all_the_same(
    built: tuple[Project, dict[str, str]], standin: SnowflakeStandIn, tmp_path: Path
) -> None:
    """Snowflake, "Identifier requirements": what has no quotes is in capitals, where no quoted name finds it."""
    project = Project(shutil.copytree(built[0].path, tmp_path / "project", ignore=shutil.ignore_patterns("target")))
    settings = project.path / "dbt_project" / "dbt_project.yml"
    # In schemas of its own: where names differ by case alone, the stand-in takes them for the same.
    text = settings.read_text().replace("vars:\n", "vars:\n  own_schemas: []\n")
    settings.write_text(text + "quoting: {database: true, schema: true, identifier: true}\n")
    project.el("codegen")
    assert set(project.models("--select", "el_loads_taken", "+products").values()) == {"success"}
    schema = standin.dbt_output()["schema"]
    ((count,),) = rows(standin, f'SELECT count(*) FROM "{schema}_sales"."products"')
    assert count == len(project.source()["products"]) > 0
