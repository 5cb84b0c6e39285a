"""Imported by the server that runs are forked from, and by nothing else: all that a run would import, imported once.

It also makes steps of the statements that change a warehouse, of which neither driver tells anyone who listens.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import template_cache
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

from el.connectors.duckdb import DuckDb
from el.connectors.snowflake import Snowflake
from el.extraction.slice import STEP
from el.loading.snowflake_dlt import KeptSqlClient

# What is imported late, where it is needed.
LATE = (
    *(
        "el.pipeline",
        "el.cli.app",
        "el.loading.package",
        "el.loading.duckdb",
        "el.loading.snowflake",
        "el.planning.strategies",
    ),
    *(
        "el.connectors.sqlserver",
        "el.loading.lease",
        "el.reporting.plan",
        "el.reporting.summary",
        "el.loading.naming",
        "mssql_python",
        "rich._emoji_codes",
    ),
    *("dlt.load.load", "dlt.normalize.normalize", "dlt.destinations.impl.duckdb.duck", "dlt.common.libs.pyarrow"),
    *("dlt.destinations.impl.snowflake.snowflake", "dlt.common.libs.sql_alchemy_compat", "dlt._workspace._plugins"),
    *("snowflake.connector.file_transfer_agent", "sqlglot.dialects.tsql", "sqlglot.dialects.duckdb"),
    *("sqlglot.dialects.snowflake", "sqlglot.optimizer.canonicalize", "pyarrow.dataset", "pyarrow.pandas_compat"),
    *("dbt.cli.main", "dbt.task.build", "dbt.task.freshness", "dbt.task.docs.generate", "dbt.parser.manifest"),
    *("dbt.adapters.duckdb", "dbt.adapters.snowflake", "agate", "dbt.graph.selector"),
    *("pendulum.locales.en.locale", "dlt._workspace.cli", "dlt.sources.helpers.requests", "opentelemetry.trace"),
    # A run notes at its end what it did.
    *("el.connectors.duckdb.write", "el.connectors.snowflake.write", "el.connectors.sql.write"),
    *("dlt.__plugins__", "dlt._workspace.cli._plugins"),
)
# These only ask.
READING = {"SELECT", "SHOW", "DESCRIBE", "WITH", "LIST"}


def tell(cls: type, method: str) -> None:
    """Make a step of each call that changes something, before it is made."""
    original = getattr(cls, method)

    def told(self: Any, *arguments: Any, **keywords: Any) -> Any:
        text = str(getattr(arguments[0], "sql", arguments[0])) if arguments else "COMMIT"
        word = text.split(maxsplit=1)[0].upper()
        if word not in READING:
            sys.audit(STEP, f"statement {word}")
        return original(self, *arguments, **keywords)

    setattr(cls, method, told)


def parse_a_project() -> None:
    """dbt compiles how it reads and writes its classes when it first does so, which is most of a second.

    And each macro when it first calls it, which is a tenth of a build.
    """
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(root / "profiles.example.yml", Path(folder) / "profiles.yml")
        places = {"--profiles-dir": folder, "--target-path": folder, "--log-path": folder}
        given = ["--project-dir", str(root / "dbt_project"), *(text for place in places.items() for text in place)]
        done = dbtRunner().invoke(["--quiet", "--no-send-anonymous-usage-stats", "parse", "--no-static-parser", *given])
        assert done.success, done.exception
        assert isinstance(done.result, Manifest)
        for macro in done.result.macros.values():
            template_cache.get_node_template(macro)


# The driver asks each cloud whether it runs there, and waits for the answer at every connection.
os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
for name in LATE:
    import_module(name)
# What a command makes once a process.
import_module("el.cli.app")._parser()
for source in ("duckdb", "sqlserver"):
    for warehouse in ("duckdb", "snowflake"):
        import_module("el.reporting.record").versions(source, warehouse)
parse_a_project()
for connector in (DuckDb, Snowflake):
    tell(connector, "execute")
tell(Snowflake, "fetch")
for client in (DuckDbSqlClient, KeptSqlClient):
    tell(client, "execute_query")
    tell(client, "commit_transaction")
# What was made until here is garbage to none of them, and its memory stays shared.
gc.freeze()
