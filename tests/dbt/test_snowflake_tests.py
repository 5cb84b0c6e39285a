"""What dbt's tests ask of Snowflake: few queries, whose conditions let it skip what raw has held for long."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import snowflake.connector
import sqlglot
import yaml
from sqlglot import exp

from tests.dbt.project import Project
from tests.dbt.test_changed_tests import HOURLY
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.snowflake.standin import Query


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as server:
        yield server


@pytest.fixture(scope="module")
def project(standin: SnowflakeStandIn, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two loads; built."""
    project = Project.create(tmp_path_factory.mktemp("tests") / "project")
    profiles = yaml.safe_load((project.path / "profiles.yml").read_text())
    output = standin.dbt_output()
    profiles["warehouse"]["outputs"] = {"local": output, "ci": {**output, "schema": "pr_1"}}
    (project.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    project.load()
    project.day(1)
    project.load()
    project.models()
    return project


def asked(project: Project, standin: SnowflakeStandIn, *command: str) -> list[Query]:
    before = len(standin.queries)
    project.dbt(*command)
    return standin.queries[before:]


def test_a_test_is_one_statement_and_asks_raw_for_loads_that_are_literals(
    project: Project, standin: SnowflakeStandIn
) -> None:
    """Snowflake skips no micro-partition by a condition with a subquery ("Micro-partitions", Query Pruning)."""
    queries = asked(project, standin, "test", "--exclude-resource-type", "unit_test")
    tests = [query.sql for query in queries if "dbt_internal_test" in query.sql]
    assert len(tests) == 24
    # dbt's own for the session and the schemas, three of el's.
    assert len(queries) <= 24 + 14, [query.sql[:80] for query in queries]
    of_raw = 0
    for sql in tests:
        tree = sqlglot.parse_one(sql, read="snowflake")
        bounds = [
            condition
            for condition in tree.find_all(exp.In, exp.Between, exp.GTE)
            if isinstance(condition.this, exp.Column) and condition.this.table == "landed"
            if condition.this.name == "_dlt_load_id"
        ]
        assert not [bound.sql() for bound in bounds if bound.find(exp.Select)]
        scanned = [t for t in tree.find_all(exp.Table) if t.alias == "landed" and "_el_ledger" not in t.name.lower()]
        assert len(bounds) >= len(scanned)
        of_raw += len(scanned)
    assert of_raw == 5 + 5, "the rules of each raw table, and its rows for the ledger"


def test_how_large_tables_are_is_asked_of_the_catalog_once_a_schema(
    project: Project, standin: SnowflakeStandIn
) -> None:
    selected = ("--select", "orders,test_type:data", "order_lines,test_type:data")
    queries = asked(project, standin, "test", *selected, "--vars", "{el_tested_rows: 1}")
    shown = [query.sql for query in queries if query.sql.lower().lstrip().startswith("show tables")]
    assert len(shown) == 1
    first = f"_dlt_load_id >= '{project_loads(standin)[0]}'"
    lately = [query.sql for query in queries if "dbt_internal_test" in query.sql and "el_lately" in query.sql]
    assert len(lately) == 6, "the rules of both, and four references: one is to orders"
    assert all(first in sql for sql in lately)
    whole = asked(project, standin, "test", *selected, "--vars", "{el_tested_rows: 0}")
    assert not [query.sql for query in whole if "el_lately" in query.sql or "show tables" in query.sql.lower()]


def test_an_hour_with_nothing_new_costs_a_handful_of_statements(project: Project, standin: SnowflakeStandIn) -> None:
    project.dbt(*HOURLY)
    queries = asked(project, standin, *HOURLY)
    assert len(queries) <= 20, [query.sql[:80] for query in queries]


def test_freshness_is_one_query_a_source(project: Project, standin: SnowflakeStandIn) -> None:
    queries = asked(project, standin, "source", "freshness")
    assert len([query for query in queries if "max_loaded_at" in query.sql]) == 1


def test_a_change_is_built_on_a_clone_of_production_and_takes_what_production_has_not(
    project: Project, standin: SnowflakeStandIn
) -> None:
    state = shutil.copytree(project.path / "target", project.path / "state")
    project.day(2)
    project.load()
    model = project.path / "dbt_project" / "models" / "sales" / "customers.sql"
    model.write_text(model.read_text() + "\n-- changed\n")
    ci = ("--target", "ci", "--defer", "--state", str(state))
    project.dbt("clone", "--select", "state:modified+,config.materialized:incremental,state:old", "el_loads_taken", *ci)
    project.dbt("run-operation", "el_adopt_notes", *ci)
    queries = asked(project, standin, "run", "--select", "state:modified+", "el_loads_taken", *ci)
    newest = project_loads(standin)[-1]
    (merge,) = [query.sql for query in queries if query.sql.lower().lstrip().startswith("merge into")]
    source = next((q.sql for q in queries if "customers__dbt_tmp" in q.sql and "as landed" in q.sql), merge)
    assert f"landed._dlt_load_id >= '{newest}'" in source
    columns = "customer_id, name, country"
    assert rows(standin, f"SELECT {columns} FROM pr_1_sales.customers ORDER BY 1") == [
        (row[0], row[1], row[3]) for row in project.source()["customers"]
    ]


def project_loads(standin: SnowflakeStandIn) -> list[str]:
    found = rows(standin, "SELECT DISTINCT _dlt_load_id FROM shop_sales.customers ORDER BY 1")
    return [str(row[0]) for row in found]


def rows(standin: SnowflakeStandIn, query: str) -> list[tuple[object, ...]]:
    with snowflake.connector.connect(**standin.connection_parameters()) as connection:
        return connection.cursor().execute(query).fetchall()
