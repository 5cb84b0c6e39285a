"""Rights on the Snowflake stand-in, as the documentation has them: "Access control privileges"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowflake.connector
from snowflake.connector.errors import DatabaseError, ProgrammingError

from tests.standins.snowflake import SnowflakeStandIn

ROLES = """
CREATE ROLE IF NOT EXISTS reader; CREATE ROLE IF NOT EXISTS writer; CREATE ROLE IF NOT EXISTS maker;
GRANT USAGE ON DATABASE el TO ROLE reader;
GRANT USAGE ON DATABASE el TO ROLE writer;
GRANT USAGE ON DATABASE el TO ROLE maker;
GRANT USAGE ON WAREHOUSE loading TO ROLE reader;
GRANT USAGE ON WAREHOUSE loading TO ROLE writer;
GRANT USAGE ON WAREHOUSE loading TO ROLE maker;
GRANT CREATE SCHEMA ON DATABASE el TO ROLE maker;
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO ROLE reader;
GRANT USAGE ON SCHEMA shop TO ROLE writer;
GRANT USAGE ON SCHEMA shop TO ROLE maker;
CREATE TABLE shop.orders (id INT);
CREATE TABLE shop.secrets (id INT);
CREATE STAGE shop.files;
GRANT SELECT ON TABLE shop.orders TO ROLE reader;
GRANT INSERT ON TABLE shop.orders TO ROLE writer;
"""

Ask = Callable[..., list[Any]]


@pytest.fixture
def as_role(standin: SnowflakeStandIn) -> Iterator[Ask]:
    """Runs a statement as a role: of an account in which the schema `shop` was just made."""
    sessions: dict[str, Any] = {}

    def ask(role: str, sql: str) -> list[Any]:
        if role not in sessions:
            sessions[role] = snowflake.connector.connect(**standin.connection_parameters(role=role))
        cursor = sessions[role].cursor()
        for statement in [part for part in sql.split(";") if part.strip()]:
            cursor.execute(statement)
        return list(cursor.fetchall())

    ask("ACCOUNTADMIN", "DROP SCHEMA IF EXISTS shop; DROP SCHEMA IF EXISTS own;" + ROLES)
    yield ask
    for session in sessions.values():
        session.close()


def number(as_role: Ask, role: str, sql: str) -> int | None:
    """The number of the error with which the statement is refused."""
    with pytest.raises(DatabaseError) as refused:
        as_role(role, sql)
    return refused.value.errno


MERGE = "MERGE INTO shop.orders AS o USING (SELECT 1 AS id) AS s ON o.id = s.id "
NOT_THERE, INSUFFICIENT, NO_WAREHOUSE, NOTHING_TO_SHOW = 2003, 3001, 606, 2043


@pytest.mark.parametrize(
    ("role", "sql", "error"),
    [
        ("reader", "SELECT * FROM shop.orders", None),
        ("reader", "SELECT * FROM shop.secrets", NOT_THERE),
        ("reader", "SELECT * FROM shop.orders JOIN shop.secrets USING (id)", NOT_THERE),
        ("reader", "WITH o AS (SELECT * FROM shop.secrets) SELECT * FROM o", NOT_THERE),
        ("reader", "INSERT INTO shop.orders VALUES (1)", INSUFFICIENT),
        ("reader", "DELETE FROM shop.orders", INSUFFICIENT),
        ("reader", "UPDATE shop.orders SET id = 2", INSUFFICIENT),
        ("reader", "TRUNCATE TABLE shop.orders", INSUFFICIENT),
        ("reader", "DROP TABLE shop.orders", INSUFFICIENT),
        ("reader", "ALTER TABLE shop.orders ADD COLUMN more INT", INSUFFICIENT),
        ("reader", "COMMENT ON TABLE shop.orders IS 'x'", INSUFFICIENT),
        ("reader", "COMMENT ON COLUMN shop.orders.id IS 'x'", INSUFFICIENT),
        ("reader", "ALTER TABLE shop.orders ALTER id COMMENT 'x', id COMMENT 'y'", INSUFFICIENT),
        ("reader", "CREATE TABLE shop.mine (id INT)", INSUFFICIENT),
        ("reader", "CREATE VIEW shop.mine AS SELECT * FROM shop.orders", INSUFFICIENT),
        ("reader", "CREATE STAGE shop.mine", INSUFFICIENT),
        ("reader", "CREATE SCHEMA mine", INSUFFICIENT),
        ("reader", "CREATE SCHEMA IF NOT EXISTS shop", INSUFFICIENT),
        ("reader", "CREATE TEMPORARY TABLE shop.mine AS SELECT * FROM shop.orders", None),
        ("reader", "CREATE TEMPORARY TABLE shop.orders (id INT)", INSUFFICIENT),
        ("reader", "LIST @shop.files", NOT_THERE),
        ("reader", "GRANT SELECT ON TABLE shop.secrets TO ROLE reader", INSUFFICIENT),
        ("reader", "DESCRIBE TABLE shop.orders", None),
        ("reader", "DESCRIBE TABLE shop.secrets", NOT_THERE),
        ("writer", "INSERT INTO shop.orders VALUES (1)", None),
        ("writer", "INSERT INTO shop.orders SELECT id FROM shop.orders", INSUFFICIENT),
        ("writer", MERGE + "WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)", None),
        ("writer", MERGE + "WHEN MATCHED THEN DELETE", INSUFFICIENT),
        ("stranger", "SELECT 1", None),
    ],
)
def test_a_role_may_do_what_it_was_granted_and_no_more(as_role: Ask, role: str, sql: str, error: int | None) -> None:
    if error is None:
        as_role(role, sql)
    else:
        assert number(as_role, role, sql) == error


def test_without_usage_of_database_schema_or_warehouse_no_privilege_helps(as_role: Ask) -> None:
    read = "SELECT * FROM el.shop.orders"
    for what, error in (
        ("SCHEMA shop", NOT_THERE),
        ("DATABASE el", NOT_THERE),
        ("WAREHOUSE loading", NO_WAREHOUSE),
    ):
        as_role("ACCOUNTADMIN", f"REVOKE USAGE ON {what} FROM ROLE reader")
        assert number(as_role, "reader", read) == error, what
        as_role("ACCOUNTADMIN", f"GRANT USAGE ON {what} TO ROLE reader")
    assert as_role("reader", read) == []


def test_what_a_role_makes_it_owns_and_may_give_others(as_role: Ask) -> None:
    as_role("maker", "CREATE SCHEMA own; CREATE TABLE own.t AS SELECT 1 AS a; COMMENT ON COLUMN own.t.a IS 'x'")
    assert number(as_role, "reader", "SELECT * FROM own.t") == NOT_THERE
    as_role("maker", "GRANT USAGE ON SCHEMA own TO ROLE reader; GRANT SELECT ON TABLE own.t TO ROLE reader")
    assert as_role("reader", "SELECT * FROM own.t") == [(1,)]
    as_role("maker", "CREATE OR REPLACE TABLE own.t COPY GRANTS AS SELECT 2 AS a")
    assert as_role("reader", "SELECT * FROM own.t") == [(2,)]
    as_role("maker", "CREATE OR REPLACE TABLE own.t AS SELECT 3 AS a")
    assert number(as_role, "reader", "SELECT * FROM own.t") == NOT_THERE, "made anew, the grants are gone"
    as_role("maker", "GRANT SELECT ON TABLE own.t TO ROLE reader")
    granted = {(row[1], row[5]) for row in as_role("maker", "SHOW GRANTS ON own.t")}
    assert granted == {("OWNERSHIP", "MAKER"), ("SELECT", "READER")}
    as_role("maker", "ALTER TABLE own.t RENAME TO own.renamed")
    assert as_role("reader", "SELECT * FROM own.renamed") == [(3,)]


def test_a_future_grant_holds_for_what_comes_and_one_on_the_schema_sets_those_on_the_database_aside(
    as_role: Ask,
) -> None:
    as_role("ACCOUNTADMIN", "GRANT USAGE ON FUTURE SCHEMAS IN DATABASE el TO ROLE reader")
    as_role("ACCOUNTADMIN", "GRANT SELECT ON FUTURE TABLES IN DATABASE el TO ROLE reader")
    as_role("maker", "CREATE SCHEMA own; CREATE TABLE own.t AS SELECT 1 AS a; CREATE VIEW own.v AS SELECT a FROM own.t")
    assert as_role("reader", "SELECT * FROM own.t") == [(1,)]
    assert number(as_role, "reader", "SELECT * FROM own.v") == NOT_THERE, "a view is no table"
    assert number(as_role, "reader", "SELECT * FROM shop.secrets") == NOT_THERE, "it was there before"
    as_role("ACCOUNTADMIN", "GRANT SELECT ON FUTURE TABLES IN SCHEMA own TO ROLE writer")
    as_role("maker", "CREATE TABLE own.later AS SELECT 1 AS a")
    assert number(as_role, "reader", "SELECT * FROM own.later") == NOT_THERE
    for privilege in ("USAGE ON FUTURE SCHEMAS", "SELECT ON FUTURE TABLES"):
        as_role("ACCOUNTADMIN", f"REVOKE {privilege} IN DATABASE el FROM ROLE reader")


def test_a_role_that_was_granted_another_has_its_privileges(as_role: Ask) -> None:
    as_role("ACCOUNTADMIN", "CREATE ROLE above")
    assert number(as_role, "above", "SELECT * FROM el.shop.orders") == NOT_THERE
    as_role("ACCOUNTADMIN", "GRANT ROLE reader TO ROLE above")
    assert as_role("above", "USE WAREHOUSE loading; SELECT COUNT(*) FROM el.shop.orders") == [(0,)]


def test_information_schema_and_show_tell_of_what_the_role_has_a_privilege_of(as_role: Ask) -> None:
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'SHOP' ORDER BY 1"
    assert as_role("ACCOUNTADMIN", tables) == [("ORDERS",), ("SECRETS",)]
    assert as_role("reader", tables) == [("ORDERS",)]
    columns = "SELECT DISTINCT c.table_name FROM el.information_schema.columns AS c WHERE c.table_schema = 'SHOP'"
    assert as_role("reader", columns) == [("ORDERS",)]
    assert [row[1] for row in as_role("reader", "SHOW TABLES IN SCHEMA shop")] == ["ORDERS"]
    assert as_role("reader", "SHOW STAGES IN SCHEMA shop") == []
    schemas = "SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'SHOP'"
    assert as_role("reader", schemas) == [("SHOP",)]
    as_role("ACCOUNTADMIN", "REVOKE USAGE ON SCHEMA shop FROM ROLE reader")
    assert as_role("reader", schemas) == []
    assert "SHOP" not in [row[1] for row in as_role("reader", "SHOW SCHEMAS IN DATABASE el")]
    assert number(as_role, "reader", "SHOW TABLES IN SCHEMA shop") == NOTHING_TO_SHOW


def test_a_stage_needs_write_for_put_and_remove_and_read_for_copy_and_list(as_role: Ask, tmp_path: Path) -> None:
    pq.write_table(pa.table({"ID": [1]}), tmp_path / "f.parquet")
    put = f"PUT {(tmp_path / 'f.parquet').as_uri()} @el.shop.files AUTO_COMPRESS = FALSE"
    copy = (
        "COPY INTO shop.orders FROM @el.shop.files FILE_FORMAT = (TYPE = PARQUET)"
        " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    )
    as_role("ACCOUNTADMIN", "GRANT READ ON STAGE shop.files TO ROLE writer")
    for sql in (put, "REMOVE @el.shop.files"):
        assert number(as_role, "writer", sql) == INSUFFICIENT
    as_role("ACCOUNTADMIN", "GRANT WRITE ON STAGE shop.files TO ROLE writer")
    as_role("writer", put)
    as_role("ACCOUNTADMIN", "REVOKE READ ON STAGE shop.files FROM ROLE writer")
    for sql in (copy, "LIST @el.shop.files"):
        assert number(as_role, "writer", sql) == INSUFFICIENT
    as_role("ACCOUNTADMIN", "GRANT READ ON STAGE shop.files TO ROLE writer")
    as_role("writer", copy)
    as_role("writer", "REMOVE @el.shop.files")


def test_a_user_takes_the_roles_that_it_was_granted_and_no_other(standin: SnowflakeStandIn, as_role: Ask) -> None:
    as_role("ACCOUNTADMIN", "CREATE USER el_reader TYPE = SERVICE; GRANT ROLE reader TO USER el_reader")
    with snowflake.connector.connect(**standin.connection_parameters(user="el_reader", role="READER")) as session:
        assert session.cursor().execute("SELECT COUNT(*) FROM shop.orders").fetchall() == [(0,)]
    with pytest.raises(DatabaseError, match="not granted to this user"):
        snowflake.connector.connect(**standin.connection_parameters(user="el_reader", role="WRITER"))


def test_a_session_of_a_role_that_may_not_use_its_database_or_warehouse_has_none(
    standin: SnowflakeStandIn, as_role: Ask
) -> None:
    as_role("ACCOUNTADMIN", "CREATE ROLE nobody")
    assert as_role("nobody", "SELECT CURRENT_DATABASE(), CURRENT_WAREHOUSE()") == [(None, None)]
    with pytest.raises(ProgrammingError):
        as_role("nobody", "USE WAREHOUSE loading")
