"""Masking policies of the Snowflake stand-in, as Snowflake's documentation has them."""

from __future__ import annotations

import pytest
import snowflake.connector
from snowflake.connector.errors import ProgrammingError

from tests.standins.snowflake import SnowflakeStandIn

SETUP = (
    "CREATE ROLE maker",
    "CREATE ROLE reader",
    "CREATE ROLE el_pii",
    "CREATE SCHEMA p",
    "CREATE TABLE p.t (id NUMBER, email VARCHAR)",
    "INSERT INTO p.t VALUES (1, 'a')",
    "CREATE TAG IF NOT EXISTS p.tag COMMENT = 'x'",
    "CREATE MASKING POLICY IF NOT EXISTS p.text AS (val VARCHAR) RETURNS VARCHAR -> "
    "CASE WHEN IS_ROLE_IN_SESSION('EL_PII') THEN val END",
    "GRANT USAGE, CREATE VIEW ON SCHEMA p TO ROLE maker",
    "GRANT SELECT ON TABLE p.t TO ROLE maker",
    "GRANT USAGE ON SCHEMA p TO ROLE reader",
)
VIEW = (
    "CREATE OR REPLACE VIEW p.v (id, email WITH MASKING POLICY p.text WITH TAG (p.tag = 'email')) AS SELECT * FROM p.t"
)


def test_a_policy_masks_by_the_role_that_reads_and_is_applied_by_who_may(standin: SnowflakeStandIn) -> None:
    def run(role: str, *statements: str) -> list[tuple[object, ...]]:
        with snowflake.connector.connect(**standin.connection_parameters(role=role)) as session:
            cursor = session.cursor()
            for sql in statements:
                cursor.execute(sql)
            return list(cursor.fetchall())

    run("ACCOUNTADMIN", *SETUP)
    for role in ("maker", "reader"):
        run("ACCOUNTADMIN", f"GRANT USAGE ON DATABASE {standin.database} TO ROLE {role}")
        run("ACCOUNTADMIN", f"GRANT USAGE ON WAREHOUSE loading TO ROLE {role}")
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        run("MAKER", VIEW)
    run("ACCOUNTADMIN", "GRANT APPLY ON MASKING POLICY p.text TO ROLE maker", "GRANT APPLY ON TAG p.tag TO ROLE maker")
    run("MAKER", VIEW)
    run("ACCOUNTADMIN", "GRANT SELECT ON VIEW p.v TO ROLE reader")
    assert run("READER", "SELECT v.id, v.email FROM p.v AS v") == [(1, None)]
    run("ACCOUNTADMIN", "GRANT ROLE el_pii TO ROLE reader")
    assert run("READER", "SELECT * FROM p.v") == [(1, "a")]
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        run("MAKER", VIEW.replace("p.text", "p.other"))
