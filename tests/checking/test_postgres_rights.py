"""A login of PostgreSQL with what `grants` gives its role: green, and red with any right less. The server is real."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from el.cli.app import main
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.rights import script
from el.connectors.rights import SourceNeeds, TableNeed
from tests.connectors.postgres.conftest import PostgresShop, output, shop

__all__ = ["output", "shop"]
PASSWORD = "Geheim_2026"


class Granted:
    """A shop with two tables, and a login that has what a script gave it."""

    def __init__(self, shop: PostgresShop) -> None:
        self.shop = shop
        self.login = f"el_{uuid.uuid4().hex[:8]}"
        shop.sql(
            "CREATE TABLE {schema}.orders (id int PRIMARY KEY, v int)",
            "CREATE TABLE {schema}.customers (id int PRIMARY KEY, name text, email text)",
            "INSERT INTO {schema}.orders VALUES (1, 1)",
            "INSERT INTO {schema}.customers VALUES (1, 'Ada', 'ada@example.com')",
        )

    def script(self, *tables: str, more: tuple[str, ...] = ()) -> str:
        """What `grants` prints, asked by an administrator."""
        self.shop.configure(*tables)
        self.shop.capsys.readouterr()
        assert main(["grants", "--role", "engineer", "--for", "source", "--user", self.login, *more]) == 0
        return self.shop.capsys.readouterr().out

    def apply(self, text: str) -> None:
        given = PostgresConfig.model_validate(self.shop.output)
        with psycopg.connect(given.conninfo("psql"), autocommit=True) as session:
            session.execute(text.encode())
        self.shop.sql(f"ALTER ROLE {self.login} PASSWORD '{PASSWORD}'")

    def checked(self, *tables: str, code: int = 0) -> list[dict[str, Any]]:
        """What `check` finds, signed in as the login."""
        self.shop.configure(*tables, user=self.login, password=PASSWORD)
        self.shop.capsys.readouterr()
        found = main(["check", "--role", "engineer", "--json"])
        said = self.shop.capsys.readouterr()
        assert found == code, said.out
        answer: list[dict[str, Any]] = json.loads(said.out)["checks"]
        return [each for each in answer if each["end"].startswith("source")]


def of(level: str, found: list[dict[str, Any]]) -> list[str]:
    return [
        f"{each['text']} -> {each['remedy']}"
        for each in found
        if each["level"] == level and each["subject"] != "certificate"
    ]


@pytest.fixture
def granted(shop: PostgresShop) -> Iterator[Granted]:
    found = Granted(shop)
    yield found
    for role in (found.login, "el_engineer"):
        if shop.fetch(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            shop.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


SOME = ("orders", "customers, columns: {email: {exclude: true}}")


@pytest.mark.parametrize("tables", [("*",), SOME], ids=["whole", "columns"])
def test_check_and_a_run_are_green_with_the_rights_of_the_script_and_red_with_any_of_them_less(
    granted: Granted, tables: tuple[str, ...]
) -> None:
    text = granted.script(*tables)
    granted.apply(text)
    granted.apply(text)  # again, and nothing is different
    found = granted.checked(*tables)
    assert (of("error", found), of("warning", found)) == ([], [])
    assert main(["run", "--json"]) == 0
    grants = [
        line for line in text.splitlines() if line.startswith("GRANT ") and " ON " in line and "CONNECT" not in line
    ]
    assert len(grants) == 1 + len(tables)
    for grant in grants:
        granted.shop.sql(grant.replace("GRANT ", "REVOKE ", 1).replace(" TO ", " FROM "))
        said = of("error", granted.checked(*tables, code=3))
        # Of a schema that may not be used no table is seen.
        assert any(grant.split(" TO ")[0] in each or "no table matches" in each for each in said), (grant, said)
        assert main(["run", "--json"]) != 0, f"a run does without {grant}"
        granted.shop.sql(grant)
    assert of("error", granted.checked(*tables)) == []


def test_tables_that_come_later_are_read_where_a_schema_is_taken_whole(granted: Granted) -> None:
    granted.apply(granted.script("*"))
    granted.shop.sql("CREATE TABLE {schema}.later (id int PRIMARY KEY)")
    assert of("error", granted.checked("*")) == []


def test_more_than_a_role_needs_is_told_with_what_takes_it_away(granted: Granted) -> None:
    granted.apply(granted.script(*SOME))
    granted.shop.sql(
        "GRANT SELECT ON {schema}.customers TO el_engineer",
        "GRANT DELETE, INSERT ON {schema}.orders TO el_engineer",
        f"ALTER ROLE {granted.login} CREATEDB",
    )
    said = of("warning", granted.checked(*SOME))
    assert len(said) == 3
    for each in said:
        for statement in each.split(" -> ")[1].split("; "):
            granted.shop.sql(statement)
    assert of("warning", granted.checked(*SOME)) == []
    assert of("error", granted.checked(*SOME)) == []


def test_who_writes_back_needs_what_grants_adds_for_that_schema(granted: Granted) -> None:
    granted.apply(granted.script(*SOME, more=("--write", granted.shop.schema)))
    with granted.shop.another(user=granted.login, password=PASSWORD) as session:
        data = pa.table({"id": pa.array([1, 2], pa.int32()), "v": pa.array([5, 6], pa.int32())})
        target = TableName(granted.shop.schema, "orders")
        assert session.write_buffer(target, data, WriteMode.MERGE, key=("id",), run_id="one").rows == 2
    assert granted.shop.fetch("SELECT id, v FROM {schema}.orders ORDER BY id") == [(1, 5), (2, 6)]


def test_who_follows_changes_may_use_slots_and_the_owner_is_told_of_the_publication(granted: Granted) -> None:
    text = granted.script("orders, strategy: changes")
    assert f'ALTER ROLE "{granted.login}" REPLICATION;' in text
    assert f'-- CREATE PUBLICATION "el" FOR TABLE "{granted.shop.schema}"."orders";' in text
    granted.apply(text)
    granted.shop.sql(f"ALTER ROLE {granted.login} NOREPLICATION")
    said = of("error", granted.checked("orders, strategy: changes", code=3))
    assert any("REPLICATION: missing" in each for each in said), said


def test_odd_names_are_quoted_everywhere() -> None:
    odd = "Od'd \"Name$el$"
    config = PostgresConfig.model_validate({"dbname": odd, "user": odd, "password": "x"})
    name = TableName(odd, odd)
    needs = SourceNeeds("engineer", (TableNeed(name, columns=(odd,), follow="changes"),), (), writes=(odd,))  # type: ignore[arg-type]
    for line in script(config, needs, []).splitlines():
        if not line.startswith(("--", "DO ")):
            assert 'Od\'d ""Name$el$"' in line or line.startswith("GRANT el_"), line
    assert "the role staging has no right here" in script(config, SourceNeeds("staging"), [])  # type: ignore[arg-type]


def test_a_log_that_no_table_follows_is_told_with_what_makes_it_readable(
    shop: PostgresShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY)")
    shop.configure("orders")
    capsys.readouterr()
    assert main(["check", "--json"]) == 0
    (log,) = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["subject"] == "log"]
    assert "with `strategy: changes` a run reads what changed alone" in log["text"]
    assert log["remedy"] == f'CREATE PUBLICATION "el" FOR TABLE "{shop.schema}"."orders"'
