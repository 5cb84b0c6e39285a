"""Statements of a run that is dead: ended before another run changes what they change.

A client that is killed leaves its statement running on the server, for as long as it takes, or for five minutes where
the session says ABORT_DETACHED_QUERY (Snowflake documentation, "Parameters"). Such a CREATE OR REPLACE ... AS SELECT
would put back a table as it was before the next run loaded into it.
"""

from __future__ import annotations

import json
import time

from el.connectors.snowflake import Snowflake
from el.connectors.sql.select import Statement
from el.errors import RunLocked

# How long a statement may take to end after it was cancelled.
PATIENCE = 120.0


def run_tag(run_id: str, table: str | None = None) -> str:
    """The QUERY_TAG of a run's statements, and of those of one table; JSON, and found by its run."""
    found = {"app": "el", "run": run_id}
    return json.dumps(found if table is None else {**found, "table": table})


def end_statements(connector: Snowflake, run_id: str) -> None:
    """Cancel what still runs of a run, and wait until it has ended. Raises `RunLocked` if it does not."""
    begun = time.monotonic()
    while found := _running(connector, run_id):
        if time.monotonic() - begun > PATIENCE:
            raise RunLocked(
                f"run {run_id} is dead and its statement {found[0]} still runs; end it (SYSTEM$CANCEL_QUERY)"
            )
        for query in found:
            connector.fetch(Statement(f"SELECT SYSTEM$CANCEL_QUERY('{query}')"))
        time.sleep(0.5)


def _running(connector: Snowflake, run_id: str) -> list[str]:
    """Snowflake documentation, "QUERY_HISTORY": statements of this user in the last seven days, also those that run."""
    sql = (
        "SELECT query_id FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(RESULT_LIMIT => 10000)) "
        "WHERE CONTAINS(query_tag, ?) AND execution_status IN ('RESUMING_WAREHOUSE', 'QUEUED', 'RUNNING', 'BLOCKED')"
    )
    return [str(row[0]) for row in connector.fetch(Statement(sql, (f'"run": "{run_id}"',)))]
