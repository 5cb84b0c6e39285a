"""OpenLineage's events of a run, as its own library writes them into a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

from el.cli.app import main
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.sqlserver.config import SqlServerConfig
from tests.shop import Workspace, inside

pytest.importorskip("openlineage.client")

TASK = "0197b3f0-0000-7000-8000-000000000001"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    found = Workspace(tmp_path).create()
    yml = tmp_path / "el.yml"
    yml.write_text(
        yml.read_text().replace(
            '  - {name: "sales.*"}\n', "  - {name: sales.lines, strategy: full, columns: {price: {mask: sha256}}}\n"
        )
        + "lineage: {namespace: nightly}\n"
    )
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "events.jsonl"))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    with inside(tmp_path):
        yield found


def quiet() -> int:
    return main(["run", "--progress", "none"])


def events(shop: Workspace) -> list[dict[str, Any]]:
    path = shop.path / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def states(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["job"]["name"], event["eventType"]) for event in found]


RUN = "shop.local.warehouse.local"


def test_each_table_that_is_read_starts_and_completes_within_the_run(shop: Workspace) -> None:
    assert quiet() == 0
    found = events(shop)
    assert states(found) == [
        (RUN, "START"),
        (f"{RUN}.sales.lines", "START"),
        (f"{RUN}.sales.orders", "START"),
        (f"{RUN}.sales.lines", "COMPLETE"),
        (f"{RUN}.sales.orders", "COMPLETE"),
        (RUN, "COMPLETE"),
    ]
    ids = {event["job"]["name"]: set() for event in found}
    for event in found:
        ids[event["job"]["name"]].add(event["run"]["runId"])
        assert event["job"]["namespace"] == "nightly"
    assert all(len(each) == 1 for each in ids.values())
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in found if event["job"]["name"] != RUN}
    assert parents == ids[RUN]


def test_an_event_has_both_schemas_the_columns_lineage_and_the_rows(shop: Workspace) -> None:
    assert quiet() == 0
    (event,) = [each for each in events(shop) if states([each]) == [(f"{RUN}.sales.lines", "COMPLETE")]]
    (taken,), (made,) = event["inputs"], event["outputs"]
    assert (taken["namespace"], taken["name"]) == ("duckdb://shop.duckdb", "shop.sales.lines")
    assert (made["namespace"], made["name"]) == ("duckdb://warehouse.duckdb", "warehouse.shop_sales.lines")
    types = {field["name"]: field["type"] for field in taken["facets"]["schema"]["fields"]}
    assert types == {"order_id": "integer", "line_no": "integer", "price": "double"}
    landed = {field["name"]: field["type"] for field in made["facets"]["schema"]["fields"]}
    assert landed["order_id"] == "INTEGER"
    columns = made["facets"]["columnLineage"]["fields"]
    (price,) = columns["price"]["inputFields"]
    assert (price["name"], price["field"]) == ("shop.sales.lines", "price")
    assert price["transformations"][0]["masking"] is True
    assert columns["order_id"]["inputFields"][0]["transformations"][0]["subtype"] == "IDENTITY"
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 9000


def test_tables_that_fail_are_told_with_their_error(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: DuckDbCopyJob) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(DuckDbCopyJob, "run", refuse)
    assert quiet() == 1
    found = {event["job"]["name"]: event for event in events(shop) if event["eventType"] == "FAIL"}
    assert set(found) == {RUN, f"{RUN}.sales.lines", f"{RUN}.sales.orders"}
    said = {name: event["run"]["facets"]["errorMessage"]["message"] for name, event in found.items()}
    assert said.pop(RUN) == "sales.lines, sales.orders"
    assert all("the disk is full" in error for error in said.values())


def test_a_table_that_was_read_and_has_nothing_new_completes_with_no_rows(shop: Workspace) -> None:
    assert quiet() == 0
    (shop.path / "events.jsonl").unlink()
    shop.source("INSERT INTO sales.lines VALUES (77777, 1, 1.5)")
    assert quiet() == 0
    ends = [event for event in events(shop) if event["eventType"] == "COMPLETE" and event["outputs"]]
    assert {event["job"]["name"]: set(event["outputs"][0].get("outputFacets", ())) for event in ends} == {
        f"{RUN}.sales.lines": {"outputStatistics"},
        f"{RUN}.sales.orders": set(),
    }


def test_a_run_that_cannot_begin_fails_with_its_error(shop: Workspace) -> None:
    (shop.path / "shop.duckdb").rename(shop.path / "away.duckdb")
    assert quiet() == 3
    found = events(shop)
    assert states(found) == [(RUN, "START"), (RUN, "FAIL")]
    assert "shop.duckdb" in found[-1]["run"]["facets"]["errorMessage"]["message"]


def test_the_task_that_started_el_is_its_runs_parent(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"airflow/dag.task/{TASK}")
    assert quiet() == 0
    parent = events(shop)[0]["run"]["facets"]["parent"]
    assert (parent["job"]["namespace"], parent["job"]["name"]) == ("airflow", "dag.task")
    assert parent["run"]["runId"] == TASK


def test_where_nobody_takes_the_events_the_run_loads_and_says_so_once(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.path / "file").write_text("")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(shop.path / "file" / "events.jsonl"))
    assert quiet() == 0
    assert capsys.readouterr().err.count("lineage: an event could not be sent") == 1
    assert len(shop.complete("orders")) == 3000


def test_lineage_that_nothing_says_where_to_send_is_refused_before_the_run(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TYPE", "LOG_FILE_PATH", "APPEND"):
        monkeypatch.delenv(f"OPENLINEAGE__TRANSPORT__{name}")
    monkeypatch.setenv("HOME", str(shop.path))
    assert quiet() == 2
    assert "set OPENLINEAGE_URL" in capsys.readouterr().err
    assert not (shop.path / "warehouse.duckdb").exists()


@pytest.mark.parametrize(
    ("account", "namespace"),
    [
        ("myorg-acc", "snowflake://myorg-acc"),
        ("xy12345", "snowflake://xy12345.us-west-1.aws"),
        ("xy12345.eu-central-1", "snowflake://xy12345.eu-central-1.aws"),
        ("xy12345.west-europe.azure", "snowflake://xy12345.west-europe.azure"),
    ],
)
def test_an_account_of_snowflake_is_named_as_the_lineage_of_dbt_names_it(account: str, namespace: str) -> None:
    config = SnowflakeConfig(account=account, database="RAW", user="el", password="not a password")
    assert config.known_as("snowflake") == (namespace, "RAW")


def test_servers_and_files_are_named_as_the_lineage_of_dbt_names_them() -> None:
    server = SqlServerConfig(host="db01", database="shop", user="el", password="not a password")
    assert server.known_as("sqlserver") == ("mssql://db01:1433", "shop")
    assert DuckDbConfig(path="data/w.duckdb?token=x").known_as("duckdb") == ("duckdb://data/w.duckdb", "w")
