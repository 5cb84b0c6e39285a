"""A login of SQL Server with what `grants` gives its role: green, and red with any right less."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from el.cli.app import main
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.errors import ElError
from tests.checking.scripts import PASSWORD, apply
from tests.engines import batches as batches_of
from tests.engines import taken_back
from tests.tsql_shop import TsqlShop

TABLES = (
    "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)",
    "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.orders (id INT NOT NULL PRIMARY KEY, v INT)",
    "ALTER TABLE sales.orders ENABLE CHANGE_TRACKING",
    "CREATE TABLE sales.customers (id INT NOT NULL PRIMARY KEY, name VARCHAR(50), email VARCHAR(50))",
    "INSERT INTO sales.orders VALUES (1, 1)",
    "INSERT INTO sales.customers VALUES (1, 'Ada', 'ada@example.com')",
)
CAPTURED = (
    "EXEC sys.sp_cdc_enable_db",
    "CREATE ROLE cdc_gate",
    "EXEC sys.sp_cdc_enable_table @source_schema = 'sales', @source_name = 'customers', @role_name = 'cdc_gate'",
)
WHOLE = '  - {name: "sales.*"}\n  - {name: sales.orders, strategy: change_tracking}'
SOME = """\
  - {name: sales.orders, strategy: change_tracking}
  - {name: sales.customers, columns: {email: {exclude: true}}}"""
CDC = "  - {name: sales.customers, strategy: cdc}"


def granted(shop: TsqlShop, capsys: pytest.CaptureFixture[str], role: str = "engineer", *more: str) -> str:
    """What `grants` prints for the source, asked by an administrator."""
    shop.sign_in(shop.output)
    capsys.readouterr()
    assert main(["grants", "--role", role, "--for", "source", "--user", "el_reader", *more]) == 0
    return capsys.readouterr().out


def batches(script: str) -> list[str]:
    return batches_of(script, PASSWORD)


def reader(shop: TsqlShop) -> TsqlShop:
    """The same workspace, signed in as the login that got the rights."""
    mine = replace(shop, output={**shop.output, "user": "el_reader", "password": PASSWORD})
    mine.sign_in(mine.output)
    return mine


def checked(capsys: pytest.CaptureFixture[str], *, role: str = "engineer", code: int = 0) -> list[dict[str, Any]]:
    """What `check` finds."""
    capsys.readouterr()
    found = main(["check", "--role", role, "--json"])
    said = capsys.readouterr()
    assert found == code, said
    answer: list[dict[str, Any]] = json.loads(said.out)["checks"]
    return answer


def errors(found: list[dict[str, Any]]) -> list[str]:
    return [f"{each['text']} -> {each['remedy']}" for each in found if each["level"] == "error"]


@pytest.mark.parametrize(
    ("tables", "setup", "delta"),
    [
        pytest.param(WHOLE, (), "INSERT INTO sales.orders VALUES ({n}, 2)", id="whole"),
        pytest.param(SOME, (), "INSERT INTO sales.orders VALUES ({n}, 2)", id="columns"),
        pytest.param(CDC, CAPTURED, "INSERT INTO sales.customers VALUES ({n}, 'Eve', 'e')", id="cdc"),
    ],
)
def test_check_and_a_run_are_green_with_the_rights_of_the_script_and_red_with_any_of_them_less(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str], tables: str, setup: tuple[str, ...], delta: str
) -> None:
    shop = standin_shop.create(tables, *TABLES, *setup)
    script = granted(shop, capsys)
    apply(shop.output, script)
    apply(shop.output, script)  # again, and nothing is different
    mine = reader(shop)
    assert not errors(checked(capsys))
    for number in range(2):
        assert {table["status"] for table in mine.el().values()} <= {"loaded", "unchanged"}
        shop.sql(delta.replace("{n}", str(2 + number)))
    grants = [batch.rstrip(";") for batch in batches(script) if batch.startswith(("GRANT ", "ALTER ROLE"))]
    assert len(grants) >= 3
    for number, grant in enumerate(grants):
        shop.sql(taken_back(grant), delta.replace("{n}", str(10 + number)))
        (missing, *_) = errors(checked(capsys, code=3))
        assert grant.split(" TO ")[0].split(" ADD ")[0] in missing, (grant, missing)
        if "VIEW DEFINITION" not in grant:
            assert main(["run", "--json"]) != 0, f"a run does without {grant}"
        shop.sql(grant)
    capsys.readouterr()
    assert not errors(checked(capsys))


def test_a_column_that_is_left_out_is_not_granted_and_cannot_be_read(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = standin_shop.create(SOME, *TABLES)
    script = granted(shop, capsys)
    assert "GRANT SELECT ON OBJECT::[sales].[customers] ([id], [name]) TO [el_engineer];" in script
    assert "SCHEMA::" not in script
    apply(shop.output, script)
    reader(shop)
    assert not [each for each in checked(capsys) if "email" in each["text"]]
    shop.sql("GRANT SELECT ON SCHEMA::sales TO el_reader")
    (more,) = [each for each in checked(capsys) if "email" in each["text"]]
    assert more["level"] == "warning"
    assert more["remedy"] == "DENY SELECT ON OBJECT::[sales].[customers] ([email]) TO [el_engineer]"


def test_more_than_is_needed_is_a_warning_with_what_takes_it_away(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = standin_shop.create(WHOLE, *TABLES)
    found = [each for each in checked(capsys) if each["level"] == "warning"]
    assert any("sysadmin" in each["text"] and "DROP MEMBER" in each["remedy"] for each in found)
    apply(shop.output, granted(shop, capsys))
    shop.sql("ALTER ROLE db_owner ADD MEMBER el_reader")
    reader(shop)
    found = [each for each in checked(capsys) if each["level"] == "warning"]
    assert any("db_owner" in each["text"] and "DROP MEMBER [el_reader]" in each["remedy"] for each in found)


def test_the_owners_script_switches_on_what_el_yml_asks_for_by_name(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = "  - {name: sales.orders, strategy: change_tracking}\n  - {name: sales.customers, strategy: cdc}"
    shop = standin_shop.create(
        tables,
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders (id INT NOT NULL PRIMARY KEY, v INT)",
        "CREATE TABLE sales.customers (id INT NOT NULL PRIMARY KEY, name VARCHAR(50))",
    )
    off = errors(checked(capsys, role="owner", code=3))
    assert any("ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON" in each for each in off)
    assert any("EXEC sys.sp_cdc_enable_db" in each for each in off)
    script = granted(shop, capsys, "owner")
    for _ in range(2):
        apply(shop.output, script)
    mine = reader(shop)
    assert not errors(checked(capsys, role="owner"))
    assert {table["strategy"] for table in mine.el().values()} == {"change_tracking", "cdc"}
    assert "CHANGE_TRACKING = ON" not in granted(shop, capsys, "engineer")


def test_the_role_staging_gets_nothing_at_the_source_and_does_not_connect_to_it(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = standin_shop.create(WHOLE, *TABLES)
    assert not batches(granted(shop, capsys, "staging"))
    shop.sign_in({**shop.output, "password": "not this one"})
    assert not errors(checked(capsys, role="staging"))


def test_without_the_source_the_script_is_made_of_el_yml_alone_and_says_so(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = standin_shop.create(WHOLE, *TABLES)
    asked = batches(granted(shop, capsys))
    broken = replace(shop, output={**shop.output, "password": "wrong"})
    script = granted(broken, capsys)
    assert "By el.yml alone, for the source could not be asked" in script, script
    assert batches(script) == asked


def test_masked_columns_are_somebodys_decision_and_stand_in_the_script_as_a_comment(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = standin_shop.create(
        "  - {name: sales.customers}",
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.customers (id INT NOT NULL PRIMARY KEY, m VARCHAR(9) MASKED WITH (FUNCTION = 'default()'))",
        "INSERT INTO sales.customers VALUES (1, 'x')",
    )
    script = granted(shop, capsys)
    unmask = "GRANT UNMASK ON [sales].[customers] TO [el_engineer];"
    assert f"-- {unmask}" in script
    apply(shop.output, script)
    mine = reader(shop)
    assert "GRANT UNMASK" in mine.el(code=1)["sales.customers"]["error"]
    shop.sql(unmask)
    assert mine.el()["sales.customers"]["rows"] == 1


def test_a_login_that_may_read_each_table_but_not_the_schema_reads_on(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = standin_shop.create(WHOLE, *TABLES)
    apply(shop.output, granted(shop, capsys))
    shop.sql("REVOKE SELECT ON SCHEMA::sales FROM el_engineer")
    shop.sql("GRANT SELECT ON sales.orders TO el_engineer", "GRANT SELECT ON sales.customers TO el_engineer")
    reader(shop)
    found = checked(capsys)
    assert any("held on each of its tables, not on those that come later" in each["text"] for each in found)


def test_who_writes_predictions_back_needs_what_grants_adds_for_that_schema(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = ("CREATE SCHEMA scores", "CREATE TABLE scores.p (id INT NOT NULL PRIMARY KEY, score FLOAT)")
    shop = standin_shop.create(WHOLE, *TABLES, *scores)
    apply(shop.output, script := granted(shop, capsys, "engineer", "--write", "scores"))
    mine = reader(shop)

    def write(run_id: str) -> None:
        with mine.server() as server:
            data = pa.table({"id": [1], "score": [0.5]})
            for mode, key in ((WriteMode.MERGE, ["id"]), (WriteMode.REPLACE, [])):
                server.write_buffer(TableName("scores", "p"), data, mode, key=key, run_id=f"{run_id} {mode}")

    write("first")
    grants = [sql.rstrip(";") for sql in batches(script) if "[scores]" in sql or "CREATE TABLE" in sql]
    assert len(grants) == 6
    without = []
    for grant in grants:
        shop.sql(taken_back(grant))
        try:
            write(grant)
            without.append(grant)
        except ElError:
            pass
        shop.sql(grant)
    write("last")
    assert not without, "these are more than is needed"


def test_a_query_adds_the_tables_and_columns_that_it_names_and_an_administrator_is_given_nothing(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "  - {name: sales.big, key: id, query: 'SELECT c.id, c.email FROM sales.customers AS c'}"
    shop = standin_shop.create(f"{SOME}\n{query}", *TABLES)
    capsys.readouterr()
    assert main(["grants", "--role", "engineer", "--for", "source"]) == 0
    script = batches(capsys.readouterr().out)
    assert "GRANT SELECT ON OBJECT::[sales].[customers] TO [el_engineer];" in script
    assert len(script) == len(set(script))
    assert not [sql for sql in script if f"[{shop.output['user']}]" in sql]
    shop.tables(f"{SOME}\n{query.replace(', c.email', '')}")
    assert main(["grants", "--role", "engineer", "--for", "source"]) == 0
    assert "GRANT SELECT ON OBJECT::[sales].[customers] ([id], [name]) TO" in capsys.readouterr().out
