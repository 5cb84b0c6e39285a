"""The source's constraints as dbt tests, run at a PostgreSQL source itself through dbt-postgres."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from el.connectors.postgres import Postgres
from el.connectors.postgres.config import PostgresConfig
from el.connectors.sql.select import Statement
from tests.dbt.project import ROOT, Project
from tests.servers.postgres import shared

MADE = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.customers (customer_id int PRIMARY KEY, email text NOT NULL, code text UNIQUE,
  credit numeric(10, 2) CHECK (credit >= 0));
CREATE TABLE {schema}.orders (order_id int PRIMARY KEY, customer_id int NOT NULL REFERENCES {schema}.customers,
  status text CHECK (status IN ('new', 'paid')), placed_at timestamptz);
INSERT INTO {schema}.customers VALUES (1, 'a@b', 'x', 1), (2, 'c@d', NULL, 2);
INSERT INTO {schema}.orders VALUES (10, 1, 'new', now()), (11, 2, 'paid', NULL)
"""
# The same table without its rules, as a dump that was loaded carelessly has it.
SPOILED = """
ALTER TABLE {schema}.orders DROP CONSTRAINT orders_customer_id_fkey, DROP CONSTRAINT orders_status_check;
ALTER TABLE {schema}.customers DROP CONSTRAINT customers_code_key, ALTER COLUMN email DROP NOT NULL;
INSERT INTO {schema}.orders VALUES (12, 99, 'lost', NULL);
INSERT INTO {schema}.customers VALUES (3, NULL, 'x', 3)
"""


@pytest.fixture
def erp(tmp_path: Path) -> Iterator[tuple[Project, Postgres, str]]:
    """A project over a schema of one's own, whose dbt target `source` is the server itself."""
    pytest.importorskip("dbt.adapters.postgres", reason="dbt-postgres is not installed")
    output: dict[str, Any] = shared()
    schema = f"erp_{uuid.uuid4().hex[:8]}"
    with Postgres(PostgresConfig.model_validate(output)) as server:
        for statement in MADE.replace("{schema}", schema).split(";"):
            server.execute(Statement(statement))
        project = _project(tmp_path / "project", schema, output)
        yield project, server, schema
        server.execute(Statement(f"DROP SCHEMA {schema} CASCADE"))


def _project(folder: Path, schema: str, output: dict[str, Any]) -> Project:
    (folder / "local").mkdir(parents=True)
    (folder / "el.yml").write_text(
        f'version: 1\nsource: erp\ndestination: warehouse\ntables:\n  - {{name: "{schema}.*"}}\n'
    )
    warehouse = {"type": "duckdb", "path": str(folder / "local" / "warehouse.duckdb"), "schema": "main", "threads": 2}
    at_source = {**output, "schema": schema, "threads": 2}
    profiles = {
        "erp": {"target": "local", "outputs": {"local": output}},
        "warehouse": {"target": "local", "outputs": {"local": warehouse, "source": at_source}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    ignored = shutil.ignore_patterns("target", "logs", "sales", "staging", "*exposures*")
    shutil.copytree(ROOT / "dbt_project", folder / "dbt_project", ignore=ignored)
    return Project(folder)


def test_the_same_tests_run_at_postgresql_and_name_what_breaks_them(erp: tuple[Project, Postgres, str]) -> None:
    project, server, schema = erp
    project.el("codegen")
    asked = ("test", "--select", "source:*", "--target", "source")
    states = project.dbt(*asked)
    assert set(states.values()) == {"pass"}
    assert {name.split("__")[0] for name in states} == {
        "el_source_row_rules",
        "el_source_unique",
        "el_source_relationships",
    }
    for statement in SPOILED.replace("{schema}", schema).split(";"):
        server.execute(Statement(statement))
    states = project.dbt(*asked, code=1)
    failed = {name.split("__")[0] for name, state in states.items() if state == "fail"}
    assert failed == {f"el_source_{rule}" for rule in ("row_rules", "unique", "relationships")}
