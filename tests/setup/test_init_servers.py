"""`init` with servers: each wrong answer that only the server can tell is mended by hand, and `init` goes on."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from el.connectors.mysql import MySql
from el.connectors.mysql.config import MySqlConfig
from el.connectors.postgres import Postgres
from el.connectors.postgres.config import PostgresConfig
from el.connectors.sql.select import Statement
from tests.engines import connected, own_database
from tests.servers import mariadb, postgres
from tests.setup.conftest import Repository
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.sqlserver.process import StandInProcess

PASSWORD = "Geheim_2026"


@contextmanager
def mariadb_shop() -> Iterator[dict[str, Any]]:
    """A table, and a login that may read it; the way to it as a profile output, and what takes the right away."""
    output, name = mariadb.shared(), f"i_{uuid.uuid4().hex[:10]}"
    with MySql(MySqlConfig.model_validate(output)) as server:
        for sql in (
            f"CREATE SCHEMA {name}",
            f"CREATE TABLE {name}.orders (id INT PRIMARY KEY)",
            f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON {name}.* TO '{name}'@'%'",
        ):
            server.execute(Statement(sql))
        yield {**output, "type": "mariadb", "database": name, "user": name, "password": PASSWORD}
        for sql in (f"DROP SCHEMA {name}", f"DROP USER '{name}'@'%'"):
            server.execute(Statement(sql))


@contextmanager
def postgres_shop() -> Iterator[dict[str, Any]]:
    """The same on PostgreSQL."""
    output, name = postgres.shared(), f"i_{uuid.uuid4().hex[:10]}"
    with Postgres(PostgresConfig.model_validate(output)) as server:
        server.execute(Statement(f"CREATE DATABASE {name}"))
        server.execute(Statement(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"))
    inside = {**{k: v for k, v in output.items() if k != "dbname"}, "database": name}
    with Postgres(PostgresConfig.model_validate(inside)) as server:
        for sql in ("CREATE SCHEMA sales", "CREATE TABLE sales.orders (id INT PRIMARY KEY)"):
            server.execute(Statement(sql))
        for sql in (f"GRANT USAGE ON SCHEMA sales TO {name}", f"GRANT SELECT ON sales.orders TO {name}"):
            server.execute(Statement(sql))
    yield {**inside, "user": name, "password": PASSWORD}
    with Postgres(PostgresConfig.model_validate(output)) as server:
        server.execute(Statement(f"DROP DATABASE {name} WITH (FORCE)"))
        server.execute(Statement(f"DROP ROLE {name}"))


@contextmanager
def sqlserver_shop(standin: StandInProcess) -> Iterator[dict[str, Any]]:
    """The same on SQL Server's stand-in, with change tracking."""
    with own_database(standin.output()) as output, connected(output) as server:
        for sql in (
            "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)",
            "CREATE SCHEMA sales",
            "CREATE TABLE sales.orders (id INT NOT NULL PRIMARY KEY)",
            "ALTER TABLE sales.orders ENABLE CHANGE_TRACKING",
        ):
            server.driver.execute(Statement(sql))
        yield output


@pytest.fixture(params=["mariadb", "postgres", "sqlserver"])
def server(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The profile output of each server, with one table."""
    if request.param == "sqlserver":
        with sqlserver_shop(request.getfixturevalue("sqlserver_standin")) as output:
            yield output
    else:
        with {"mariadb": mariadb_shop, "postgres": postgres_shop}[request.param]() as output:
            yield output


def test_a_repository_is_ready_for_each_server(repository: Repository, server: dict[str, Any]) -> None:
    said = repository.init(server)
    (table,) = repository.tables()
    assert table["name"].endswith(".orders")
    assert table.get("strategy") == ("change_tracking" if server["type"] == "sqlserver" else None)
    assert "error " not in said
    written = "".join(path.read_text() for path in repository.path.glob("*.yml"))
    assert server["password"] not in written


def wrong_answers(server: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each wrong answer, and what is said of it."""
    with socket.socket() as held:
        # Bound and not listened at: no other test's server can come to be there.
        held.bind(("127.0.0.1", 0))
        yield {"port": held.getsockname()[1]}, "nobody answers as"
    if server["type"] != "sqlserver":
        yield {"database": "no_such_db"}, "no_such_db"
    if "ssl_ca" in server:
        yield {"ssl_ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem"
        yield {"ssl_ca": ""}, "its certificate is not trusted here"
    if server["type"] == "postgres" and "sslrootcert" not in server:
        yield {"sslmode": "verify-full"}, "encrypted"
    if server["type"] == "sqlserver":
        yield {"trust_cert": False}, "its certificate is not trusted here"


def test_each_wrong_answer_is_one_line_and_init_goes_on_once_it_is_mended(
    repository: Repository, server: dict[str, Any]
) -> None:
    for wrong, says in wrong_answers(server):
        for name in ("el.yml", "profiles.yml"):
            (repository.path / name).unlink(missing_ok=True)
        given = {k: v for k, v in {**server, "login_timeout": 1, **wrong}.items() if v != ""}
        said = repository.init(given, code=3).splitlines()
        assert said[-1].startswith("error: "), (wrong, said)
        assert says in said[-1], (wrong, said)
        assert "mend profiles.yml, and run `python -m el init` again" in said[-1]
        assert any(line.startswith("error   source shop.prod: connection: ") for line in said), "check says it too"
        assert server["password"] not in "".join(said)
        # By hand, in the file.
        ((name, value),) = wrong.items()
        if value == "":
            repository.mend("      login_timeout: 1\n", f"      login_timeout: 1\n      {name}: {server[name]}\n")
        else:
            line = next(
                each for each in repository.text("profiles.yml").splitlines() if each.startswith(f"      {name}:")
            )
            right = server.get(name, "disable")
            repository.mend(f"{line}\n", f"      {name}: {str(right).lower() if isinstance(right, bool) else right}\n")
        repository.el("init")
        assert len(repository.tables()) == 1


def test_a_wrong_password_is_told_and_the_right_one_goes_on(repository: Repository, server: dict[str, Any]) -> None:
    said = repository.init({**server, "password": "not-this-one"}, code=3).splitlines()
    assert "refused user" in said[-1]
    assert "not-this-one" not in "".join(said)
    repository.monkeypatch.setenv("DBT_ENV_SECRET_SHOP_PASSWORD", server["password"])
    assert "tables: 1 are seen" in repository.el("check")
    repository.init()
    assert len(repository.tables()) == 1


def test_a_password_that_nobody_has_set_is_told_by_its_variable(repository: Repository) -> None:
    with mariadb_shop() as output:
        said = repository.init({**output, "password": None}, code=2)
        assert "DBT_ENV_SECRET_SHOP_PASSWORD is not set" in said.splitlines()[-1]
        repository.monkeypatch.setenv("DBT_ENV_SECRET_SHOP_PASSWORD", output["password"])
        repository.init()
        assert len(repository.tables()) == 1


def test_a_login_without_rights_is_told_what_gives_them(repository: Repository) -> None:
    with mariadb_shop() as output, MySql(MySqlConfig.model_validate(mariadb.shared())) as administrator:
        login = f"'{output['user']}'@'%'"
        administrator.execute(Statement(f"REVOKE SELECT ON {output['database']}.* FROM {login}"))
        administrator.execute(Statement(f"GRANT CREATE TEMPORARY TABLES ON {output['database']}.* TO {login}"))
        said = repository.init(output, code=3).splitlines()
        assert "this login sees no table" in said[-1]
        assert "python -m el grants --role engineer --for source" in said[-1]
        assert "`*`" not in "".join(said), "no right is made of a pattern"
        administrator.execute(Statement(f"GRANT SELECT ON {output['database']}.* TO {login}"))
        repository.init()
        assert len(repository.tables()) == 1


def test_snowflake_is_the_destination(repository: Repository, sqlserver_standin: StandInProcess) -> None:
    with SnowflakeStandIn() as snowflake, sqlserver_shop(sqlserver_standin) as output:
        found = snowflake.dbt_output()
        flags = [
            part
            for name in ("account", "user", "host", "port", "protocol", "database", "role")
            for part in (f"--to-{name}", str(found[name]))
        ]
        said = repository.init(output, *flags, "--to-authenticator", "snowflake", to="snowflake", code=2)
        assert "--to-warehouse is missing" in said
        flags += ["--to-warehouse", "LOADING"]
        repository.monkeypatch.setenv("DBT_ENV_SECRET_WAREHOUSE_PASSWORD", "not-this-one")
        said = repository.init(output, *flags, to="snowflake", code=3)
        assert "error   warehouse warehouse.prod: connection: " in said
        assert "python -m el init" in said.splitlines()[-1]
        repository.monkeypatch.setenv("DBT_ENV_SECRET_WAREHOUSE_PASSWORD", str(found["password"]))
        said = repository.init(code=3)
        assert "warehouse warehouse.prod: warehouse: LOADING" in said
        assert "password" in repository.profile("warehouse")
        assert repository.profile("warehouse")["schema"] == "PUBLIC"
