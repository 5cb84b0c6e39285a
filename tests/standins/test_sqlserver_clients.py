"""Other programs than el at the SQL Server stand-in: SQLAlchemy, which dlt reads through, and dbt-sqlserver."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlalchemy
import yaml
from sqlalchemy.pool import StaticPool

from el.connectors.sqlserver.pyodbc import bundled_driver
from tests.engines import own_database
from tests.standins.sqlserver.process import StandInProcess
from tests.standins.test_sqlserver_engine import Client, needs_sql_server


def test_sqlalchemy_reflects_and_writes(sqlserver: dict[str, Any]) -> None:
    client = Client(sqlserver)
    needs_sql_server(client)
    client.results("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int IDENTITY PRIMARY KEY, p int "
                   "REFERENCES p (id), "
                   "name nvarchar(20) NOT NULL)")  # fmt: skip
    engine = sqlalchemy.create_engine(
        "mssql+pyodbc://", creator=lambda: Client(sqlserver).connection, poolclass=StaticPool
    )
    meta = sqlalchemy.MetaData()
    table = sqlalchemy.Table("c", meta, autoload_with=engine)
    assert [(c.name, c.nullable, c.primary_key) for c in table.columns] == [
        ("id", False, True),
        ("p", True, False),
        ("name", False, False),
    ]
    assert [str(key.target_fullname) for key in table.foreign_keys] == ["p.id"]
    with engine.begin() as connection:
        assert connection.execute(table.insert().values(name="é")).inserted_primary_key == (1,)
        assert connection.execute(sqlalchemy.select(table.c.name)).fetchall() == [("é",)]
    engine.dispose()
    client.close()


MODELS = {
    "first.sql": "select id, name from dbo.source where id < 10",
    "second.sql": "{{ config(materialized='table') }}\nselect * from {{ ref('first') }}",
    "third.sql": "{{ config(materialized='incremental', unique_key='id') }}\nselect * from {{ ref('second') }}",
}


def test_dbt_builds_a_view_a_table_and_an_increment_twice(sqlserver_standin: StandInProcess, tmp_path: Path) -> None:
    with own_database(sqlserver_standin.output()) as output:
        client = Client(output)
        client.results(
            "CREATE TABLE source (id int PRIMARY KEY, name nvarchar(20)); INSERT INTO source VALUES (1, N'é')"
        )
        profile = {
            "type": "sqlserver", "driver": str(bundled_driver()), "server": output["host"], "port": output["port"],
            "database": output["database"], "schema": "dbo", "user": output["user"], "password": output["password"],
            "trust_cert": True, "threads": 1,
        }  # fmt: skip
        (tmp_path / "profiles.yml").write_text(yaml.safe_dump({"p": {"target": "t", "outputs": {"t": profile}}}))
        settings = {"name": "p", "version": "1.0.0", "profile": "p", "flags": {"send_anonymous_usage_stats": False}}
        (tmp_path / "dbt_project.yml").write_text(yaml.safe_dump(settings))
        (tmp_path / "models").mkdir()
        for name, sql in MODELS.items():
            (tmp_path / "models" / name).write_text(sql)
        for name in ("é", "è"):
            client.results(f"UPDATE source SET name = N'{name}'")
            command = [str(Path(sys.executable).parent / "dbt"), "build", "--project-dir", ".", "--profiles-dir", "."]
            run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
            assert run.returncode == 0, run.stdout
            assert client.rows("SELECT id, name FROM third") == [(1, name)]
        client.close()
