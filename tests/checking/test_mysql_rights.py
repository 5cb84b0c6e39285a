"""A login of MySQL with what `grants` gives its role: green, and red with any right less. The server is a MariaDB."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
import sqlglot

from el.cli.app import main
from el.connectors.access import Access
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.mysql.checks import MySqlChecks
from el.connectors.mysql.config import MySqlConfig
from el.connectors.mysql.rights import script
from el.connectors.rights import SourceNeeds, TableNeed
from el.connectors.sql.select import Statement
from el.errors import ElError
from tests.connectors.mysql.conftest import MySqlShop, output, shop

__all__ = ["output", "shop"]
PASSWORD = "Geheim_2026"


class Granted:
    """A shop with two tables, and a login that has what a script gave it."""

    def __init__(self, shop: MySqlShop, capsys: pytest.CaptureFixture[str]) -> None:
        self.shop = shop
        self.capsys = capsys
        self.login = f"el_{uuid.uuid4().hex[:8]}"
        shop.sql(
            "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v INT)",
            "CREATE TABLE {schema}.customers (id INT PRIMARY KEY, name VARCHAR(50), email VARCHAR(50))",
            "INSERT INTO {schema}.orders VALUES (1, 1)",
            "INSERT INTO {schema}.customers VALUES (1, 'Ada', 'ada@example.com')",
        )

    def script(self, *tables: str, role: str = "engineer", more: tuple[str, ...] = ()) -> list[str]:
        """The statements that `grants` prints, asked by an administrator."""
        self.shop.configure(*tables)
        self.capsys.readouterr()
        wanted = ["grants", "--role", role, "--for", "source", "--user", self.login, *more]
        assert main(wanted) == 0
        said = self.capsys.readouterr().out
        self.unlock = next(line for line in said.splitlines() if "UNLOCK" in line).removeprefix("-- ")
        return [line.rstrip(";") for line in said.splitlines() if line and not line.startswith("--")]

    def apply(self, statements: list[str]) -> None:
        self.shop.sql(*statements, self.unlock.replace("...", PASSWORD).rstrip(";"))

    def reader(self, *tables: str) -> MySqlShop:
        """The same workspace, signed in as the login."""
        mine = replace(self.shop, output={**self.shop.output, "user": self.login, "password": PASSWORD})
        mine.configure(*tables)
        return mine

    def checked(self, *, code: int = 0) -> list[dict[str, Any]]:
        """What `check` finds."""
        self.capsys.readouterr()
        found = main(["check", "--role", "engineer", "--json"])
        said = self.capsys.readouterr()
        assert found == code, said.out
        assert "IDENTIFIED" not in said.out, "the hash of a password"
        answer: list[dict[str, Any]] = json.loads(said.out)["checks"]
        return [each for each in answer if each["end"].startswith("source")]


def errors(found: list[dict[str, Any]]) -> list[str]:
    return [f"{each['text']} -> {each['remedy']}" for each in found if each["level"] == "error"]


def taken_back(grant: str) -> str:
    return grant.replace("GRANT ", "REVOKE ", 1).replace(" TO ", " FROM ")


@pytest.fixture
def granted(shop: MySqlShop, capsys: pytest.CaptureFixture[str]) -> Iterator[Granted]:
    found = Granted(shop, capsys)
    yield found
    shop.sql(
        f"DROP USER IF EXISTS '{found.login}'@'%'", "DROP ROLE IF EXISTS el_engineer", "DROP ROLE IF EXISTS el_owner"
    )


SOME = ("orders", "customers, columns: {email: {exclude: true}}")


CHANGES = ("customers, strategy: changes, columns: {email: {exclude: true}}",)


@pytest.mark.parametrize("tables", [("*",), SOME, CHANGES], ids=["whole", "columns", "changes"])
def test_check_and_a_run_are_green_with_the_rights_of_the_script_and_red_with_any_of_them_less(
    granted: Granted, tables: tuple[str, ...]
) -> None:
    statements = granted.script(*tables)
    granted.apply(statements)
    granted.apply(statements)  # again, and nothing is different
    mine = granted.reader(*tables)
    assert not errors(granted.checked())
    assert not [each for each in granted.checked() if each["level"] == "warning"]
    assert {table["status"] for table in mine.run(*tables)["tables"]} == {"loaded"}
    grants = [sql for sql in statements if sql.startswith("GRANT ") and " ON " in sql]
    assert len(grants) == (2 if tables is CHANGES else len(tables))
    for grant in grants:
        granted.shop.sql(taken_back(grant), "UPDATE {schema}.customers SET name = CONCAT(name, 'x')")
        said = errors(granted.checked(code=3))
        # A table of which nothing may be read is not seen.
        assert any(grant.split(" TO ")[0] in each or "no table matches" in each for each in said), (grant, said)
        assert main(["run", "--json"]) != 0, f"a run does without {grant}"
        granted.shop.sql(grant)
    assert not errors(granted.checked())


def test_a_column_that_is_left_out_is_not_granted_and_is_told_of_where_it_can_be_read(granted: Granted) -> None:
    statements = granted.script(*SOME)
    schema = granted.shop.schema
    assert f"GRANT SELECT (`id`, `name`) ON `{schema}`.`customers` TO 'el_engineer'" in statements
    assert not [sql for sql in statements if ".*" in sql]
    granted.apply(statements)
    mine = granted.reader(*SOME)
    assert not [each for each in granted.checked() if "email" in each["text"]]
    with mine.another() as login, pytest.raises(ElError, match="email"):
        login.fetch(Statement(f"SELECT email FROM {schema}.customers"))
    granted.shop.sql("GRANT SELECT ON {schema}.* TO 'el_engineer'")
    (more,) = [each for each in granted.checked() if "may read email" in each["text"]]
    assert more["level"] == "warning"
    granted.shop.sql(*more["remedy"].split("; "))
    assert not [each for each in granted.checked() if "email" in each["text"] or each["level"] == "error"]


def test_a_column_that_is_masked_as_null_has_to_be_seen_and_so_is_granted(granted: Granted) -> None:
    masked = "customers, columns: {email: {mask: 'null'}}"
    granted.apply(granted.script(masked))
    mine = granted.reader(masked)
    assert not errors(granted.checked())
    mine.run(masked)
    assert mine.raw("SELECT name, email FROM {raw}.customers") == [("Ada", None)]


def test_a_login_that_sees_every_column_is_told_of_one_that_is_not_there(granted: Granted) -> None:
    granted.apply(granted.script("*"))
    (table,) = granted.reader("*").run("customers, columns: {emial: {exclude: true}}", says=1)["tables"]
    assert "has no column 'emial'" in table["error"]


def test_a_schema_is_granted_by_its_name_and_not_as_a_pattern(granted: Granted) -> None:
    other = granted.shop.schema.replace("s_", "sx")
    granted.shop.sql(f"CREATE SCHEMA {other}", f"CREATE TABLE {other}.t (id INT PRIMARY KEY)")
    granted.apply(granted.script("*"))
    with granted.reader("*").another() as login:
        assert not login.describe([other]).tables
        assert len(login.describe([granted.shop.schema]).tables) == 2
    granted.shop.sql(f"DROP SCHEMA {other}")


def test_more_than_is_needed_is_a_warning_with_what_takes_it_away(granted: Granted) -> None:
    granted.apply(granted.script("*"))
    granted.shop.sql(
        f"GRANT FILE, SELECT ON *.* TO '{granted.login}'@'%' WITH GRANT OPTION",
        f"GRANT UPDATE ON {{schema}}.orders TO '{granted.login}'@'%'",
    )
    granted.reader("*")
    found = [each for each in granted.checked() if each["level"] == "warning"]
    assert len(found) == 2
    for each in found:
        granted.shop.sql(each["remedy"])
    assert not [each for each in granted.checked() if each["level"] == "warning"]


def test_a_login_that_may_read_each_table_but_not_the_schema_reads_on(granted: Granted) -> None:
    statements = granted.script("*")
    granted.apply(statements)
    granted.shop.sql(*(taken_back(sql) for sql in statements if ".*" in sql))
    granted.shop.sql(*(f"GRANT SELECT ON {{schema}}.{name} TO 'el_engineer'" for name in ("orders", "customers")))
    granted.reader("*")
    assert any("held on each of its tables, not on those that come later" in each["text"] for each in granted.checked())


def test_who_writes_predictions_back_needs_what_grants_adds_for_that_schema(granted: Granted) -> None:
    scores = granted.shop.schema + "_scores"
    granted.shop.sql(f"CREATE SCHEMA {scores}", f"CREATE TABLE {scores}.p (id INT PRIMARY KEY, score DOUBLE)")
    statements = granted.script("orders", more=("--write", scores))
    granted.apply(statements)
    mine = granted.reader("orders")

    def write(run_id: str) -> None:
        with mine.another() as server:
            data = pa.table({"id": pa.array([1], pa.int32()), "score": [0.5]})
            for mode, key in ((WriteMode.MERGE, ["id"]), (WriteMode.REPLACE, [])):
                server.write_buffer(TableName(scores, "p"), data, mode, key=key, run_id=f"{run_id} {mode}")

    write("first")
    (grant,) = [sql for sql in statements if "INSERT" in sql]
    names, _, rest = grant.removeprefix("GRANT ").partition(" ON ")
    without = []
    for name in names.split(", "):
        granted.shop.sql(taken_back(f"GRANT {name} ON {rest}"), f"DROP TABLE IF EXISTS {scores}._el_writes")
        try:
            write(name)
            without.append(name)
        except ElError:
            pass
        granted.shop.sql(f"GRANT {name} ON {rest}")
    write("last")
    granted.shop.sql(f"DROP SCHEMA {scores}")
    assert not without, "these are more than is needed"


def test_the_login_that_asks_gets_the_rights_unless_it_is_an_administrator(granted: Granted) -> None:
    granted.apply(granted.script("*"))
    granted.reader("*")
    assert main(["grants", "--role", "engineer", "--for", "source"]) == 0
    assert f"GRANT 'el_engineer' TO '{granted.login}'@'%';" in granted.capsys.readouterr().out
    granted.shop.configure("*")
    assert main(["grants", "--role", "engineer", "--for", "source"]) == 0
    assert "GRANT 'el_engineer' TO 'el_reader'@'%';" in granted.capsys.readouterr().out


# Pages of both vendors, and what they say of the statement, as far as `grants` uses it.
_Q, _U = r"`(?:[^`]|``)+`", r"'(?:[^']|'')+'@'(?:[^']|'')+'"
_PRIVILEGES = r"[A-Z ]+(?: \(.+\))?(?:, [A-Z ]+)*"
GRAMMAR = {
    "CREATE USER": rf"CREATE USER IF NOT EXISTS {_U} ACCOUNT LOCK",
    "CREATE ROLE": r"CREATE ROLE IF NOT EXISTS '\w+'",
    "GRANT, privileges": rf"GRANT {_PRIVILEGES} ON (\*\.\*|{_Q}\.(\*|{_Q})) TO '\w+'",
    "GRANT, roles": rf"GRANT '\w+' TO {_U}",
    "SET DEFAULT ROLE": rf"SET DEFAULT ROLE '\w+' /\*M! FOR \*/ /\*!80000 TO \*/ {_U}",
}
ODD = "Od'd `\"Na_me"


@pytest.mark.parametrize("role", list(Access))
def test_each_statement_is_as_the_vendors_document_it(role: Access) -> None:
    name = TableName(ODD, ODD)
    tables = (TableNeed(name, columns=(ODD, "id"), left_out=("email",)), TableNeed(name, follow="changes"))
    needs = SourceNeeds(role, tables, ("who_le",), limits=True, writes=("scores",), user=ODD)
    said = [line.rstrip(";") for line in script(needs, None).splitlines() if not line.startswith("--")]
    assert bool(said) is (role is not Access.STAGING)
    for sql in said:
        assert [page for page, form in GRAMMAR.items() if re.fullmatch(form, sql)], sql
        assert sqlglot.parse(sql, read="mysql")
    if said:
        assert not [page for page, form in GRAMMAR.items() if not any(re.fullmatch(form, sql) for sql in said)]
        assert any("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO" in sql for sql in said)
        assert any("`who\\_le`.*" in sql for sql in said)


def test_mysqls_own_words_for_what_is_held_are_read() -> None:
    """As MySQL 8 prints them (MySQL Reference Manual, "SHOW GRANTS Statement"): what a role has as the login's own,
    dynamic privileges on a line of their own, and a role with a host."""
    of_role = [
        "GRANT REPLICATION SLAVE, REPLICATION CLIENT, PROCESS ON *.* TO `el`@`10.%`",
        "GRANT SELECT ON `sal\\_es`.* TO `el`@`10.%`",
        "GRANT SELECT (`id`, `na``me`), INSERT (`id`) ON `crm`.`people` TO `el`@`10.%`",
    ]
    own = [
        "GRANT USAGE ON *.* TO `el`@`10.%`",
        "GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `el`@`10.%`",
        "GRANT PROXY ON ``@`` TO `el`@`10.%` WITH GRANT OPTION",
        "GRANT `el_engineer`@`%` TO `el`@`10.%`",
    ]

    def fetch(statement: Statement) -> list[tuple[Any, ...]]:
        if statement.sql.startswith("SHOW GRANTS"):
            return [(line,) for line in ([*own, *of_role] if statement.sql == "SHOW GRANTS" else own)]
        if "CURRENT_ROLE" in statement.sql:
            return [("`el_engineer`@`%`,`other`@`%`",)]
        if "CURRENT_USER" in statement.sql:
            return [("el@10.%",)]
        return [("ON", 0)] if "gtid_mode" in statement.sql else []

    needs = SourceNeeds(
        Access.ENGINEER,
        (
            TableNeed(TableName("crm", "people"), columns=("id", "na`me"), left_out=("secret",)),
            TableNeed(TableName("sal_es", "t"), follow="changes"),
        ),
        ("sal_es",),
    )
    config = MySqlConfig.model_validate({"host": "db01", "user": "el", "password": "x"})
    found = list(MySqlChecks(fetch, config, needs, is_mariadb=False).all())
    assert not [each for each in found if each.level == "error"]
    assert [each.remedy for each in found if each.level == "warning"] == [
        "REVOKE BACKUP_ADMIN, XA_RECOVER_ADMIN ON *.* FROM 'el'@'10.%'",
        "REVOKE INSERT ON `crm`.`people` FROM 'el_engineer'",
    ]
    assert len([each for each in found if each.text.endswith(": held")]) == 4
