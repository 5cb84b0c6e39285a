"""Each table that el takes as an asset of Dagster: made from `plan`, its metadata from what the run says.

Needs dagster. EL_PROJECT is the folder with el.yml and profiles.yml.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from dagster import AssetExecutionContext, AssetKey, AssetSpec, Definitions, Failure, MaterializeResult, multi_asset

PROJECT = os.environ.get("EL_PROJECT", ".")


def el(*arguments: str) -> tuple[int, dict[str, Any]]:
    """A command of el that prints JSON: its exit code, and what it printed."""
    command = [sys.executable, "-m", "el", *arguments, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise Failure(done.stderr.strip())
    return done.returncode, json.loads(done.stdout)


def key(raw: str) -> AssetKey:
    """raw: schema.table, where dbt's sources have it too."""
    return AssetKey(raw.split(".", 1))


PLANNED = [table for table in el("plan")[1]["tables"] if not table.get("error")]


@multi_asset(
    specs=[AssetSpec(key(table["raw"]), description=table["table"], skippable=True) for table in PLANNED],
    name="el",
    can_subset=True,
)
def tables(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
    """One run of el for the assets that are chosen."""
    chosen = [table["table"] for table in PLANNED if key(table["raw"]) in context.selected_asset_keys]
    code, report = el("run", "--select", *chosen)
    for table in report["tables"]:
        if table["status"] in ("loaded", "unchanged", "nothing new"):
            metadata = {name: table[name] for name in ("strategy", "kind", "rows", "deleted", "seconds", "load_id")}
            yield MaterializeResult(key(table["raw"]), metadata={k: v for k, v in metadata.items() if v is not None})
    if code:
        failed = [f"{table['table']}: {table['error']}" for table in report["tables"] if table["error"]]
        raise Failure("; ".join(failed) or f"el ended with exit code {code}")


definitions = Definitions(assets=[tables])
