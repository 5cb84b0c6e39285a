"""What the Snowflake stand-in must do for dlt's real destination and dbt-snowflake."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
import snowflake.connector
import yaml
from dbt.cli.main import dbtRunner

from tests.standins.ask_snowflake import run
from tests.standins.snowflake import SnowflakeStandIn


@pytest.mark.parametrize("own_tables", [None, "parquet"])
def test_dlt_loads_arrow_twice_over_a_named_stage_and_finds_its_state_in_a_fresh_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_tables: str | None
) -> None:
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID", "true")
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    # el turns it off for its own pipelines, in the same process when tests of runs came before.
    dlt.config["restore_from_destination"] = True

    def load(standin: SnowflakeStandIn, directory: str, **extra: Any) -> dict[str, Any]:
        table = pa.table(
            {
                "Order Id": pa.array([1, 2], pa.int64()),
                "amount": pa.array([Decimal("1.5"), None], pa.decimal128(38, 10)),
                "at": pa.array([dt.datetime(9999, 12, 31, 23, 59, 59, 999999)] * 2, pa.timestamp("us")),
                "bits": pa.array([b"\x00\xff", None]),
                **extra,
            }
        )

        @dlt.resource(name="orders", write_disposition="append", file_format="parquet")
        def orders() -> Iterator[pa.Table]:
            state = dlt.current.resource_state()
            state["runs"] = state.get("runs", 0) + 1
            yield table

        others = [
            dlt.resource([table], name=f"other_{i}", write_disposition="append", file_format="parquet")
            for i in range(4)
        ]
        settings = {"preferred_loader_file_format": own_tables} if own_tables else {}
        destination = dlt.destinations.snowflake(
            credentials=standin.dlt_credentials(),
            stage_name="RAW.PUBLIC.LOADS",
            keep_staged_files=False,
            use_vectorized_scanner=True,
            query_tag='{{"table": "{table}"}}',
            **settings,
        )
        pipeline = dlt.pipeline(
            "standin", pipelines_dir=str(tmp_path / directory), destination=destination, dataset_name="shop"
        )
        pipeline.run([orders, *others]).raise_on_failed_jobs()
        return dict(pipeline.state["sources"]["standin"]["resources"]["orders"])

    with SnowflakeStandIn(database="RAW") as standin:
        with snowflake.connector.connect(**standin.connection_parameters()) as connection:
            run(connection, "CREATE STAGE RAW.PUBLIC.LOADS")
        assert load(standin, "first") == {"runs": 1}
        assert load(standin, "second", added=["x", "y"]) == {"runs": 2}
        with snowflake.connector.connect(**standin.connection_parameters()) as connection:
            assert run(
                connection, "SELECT COUNT(*), COUNT(added), COUNT(_dlt_load_id), MAX(bits) FROM shop.orders"
            ) == [(4, 2, 4, bytearray(b"\x00\xff"))]
            assert run(connection, "SELECT COUNT(*) FROM shop.other_3") == [(4,)]
            assert run(connection, "SELECT COUNT(*) FROM shop._dlt_loads WHERE status = 0") == [(2,)]
            assert run(connection, "LIST @RAW.PUBLIC.LOADS") == []
        copies = [query for query in standin.queries if query.sql.startswith("COPY") and "other_0" in query.sql.lower()]
        assert [query.tag for query in copies] == ['{"table": "other_0"}'] * 2


def test_dbt_builds_twice_and_again_after_changes_and_documents(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "snowflake_project", project)
    with SnowflakeStandIn() as standin, snowflake.connector.connect(**standin.connection_parameters()) as connection:
        profile = {"shop": {"target": "standin", "outputs": {"standin": standin.dbt_output(schema="ANALYTICS")}}}
        (project / "profiles.yml").write_text(yaml.safe_dump(profile))

        def dbt(*command: str) -> dict[str, str]:
            where = [
                "--project-dir",
                str(project),
                "--profiles-dir",
                str(project),
                "--quiet",
                "--no-send-anonymous-usage-stats",
            ]
            result = dbtRunner().invoke([*command, *where])
            assert result.success, (command, result.exception, [query for query in standin.queries if query.error])
            return {r.node.name: str(r.status) for r in getattr(result.result, "results", []) if hasattr(r, "node")}

        run(connection, "CREATE SCHEMA raw")
        run(
            connection,
            "CREATE TRANSIENT TABLE raw.orders (id NUMBER(38,0), amount NUMBER(12,2), country VARCHAR,"
            " at TIMESTAMP_NTZ, loaded_at TIMESTAMP_NTZ)",
        )
        insert = "INSERT INTO raw.orders SELECT {}, '{}', '{}'::TIMESTAMP_NTZ, CURRENT_TIMESTAMP()::TIMESTAMP_NTZ"
        run(connection, insert.format("1, 1.5", "DE", "2024-01-01"))
        run(connection, insert.format("2, 2.5", "FR", "2024-01-02"))
        assert set(dbt("build").values()) == {"success", "pass"}
        assert set(dbt("build").values()) == {"success", "pass"}
        run(connection, "UPDATE raw.orders SET amount = 9, at = '2024-02-01' WHERE id = 1")
        run(connection, "DELETE FROM raw.orders WHERE id = 2")
        run(connection, insert.format("3, 3.5", "DE", "2024-02-02"))
        assert set(dbt("build").values()) == {"success", "pass"}

        def amounts(table: str, more: str = "") -> list[Any]:
            return [(i, float(a)) for i, a in run(connection, f"SELECT id, amount FROM {table} {more} ORDER BY 1, 2")]

        assert amounts("analytics.orders") == [(1, 9.0), (3, 3.5)]
        assert amounts("analytics.inc_merge") == [(1, 9.0), (2, 2.5), (3, 3.5)]
        assert amounts("analytics.inc_append") == [(1, 1.5), (1, 9.0), (2, 2.5), (3, 3.5)]
        assert amounts("analytics.inc_delete_insert") == [(1, 9.0), (2, 2.5), (3, 3.5)]
        current = "WHERE dbt_valid_to IS NULL"
        assert amounts("analytics_snapshots.orders_by_check") == [(1, 1.5), (1, 9.0), (2, 2.5), (3, 3.5)]
        assert amounts("analytics_snapshots.orders_by_check", current) == [(1, 9.0), (3, 3.5)]
        assert amounts("analytics_snapshots.orders_by_time", current) == [(1, 9.0), (2, 2.5), (3, 3.5)]

        assert set(dbt("source", "freshness").values()) == {"pass"}
        dbt("docs", "generate")
        catalog = json.loads((project / "target" / "catalog.json").read_text())
        staged, orders = catalog["nodes"]["model.shop.stg_orders"], catalog["nodes"]["model.shop.orders"]
        assert (staged["metadata"]["type"], staged["metadata"]["comment"]) == ("VIEW", "staged 'orders'")
        assert orders["metadata"]["type"] == "BASE TABLE"
        assert orders["columns"]["ID"] == {"type": "NUMBER", "index": 1, "name": "ID", "comment": "the key"}
        assert orders["stats"]["row_count"]["value"] == 2
        assert catalog["errors"] is None
        assert "dbt_shop" in {query.tag for query in standin.queries}
