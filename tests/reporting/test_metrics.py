"""Metrics for the textfile collector, by the command line and by records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from el.cli.app import main
from el.errors import ConfigError
from el.reporting.metrics import TABLE_EQUAL, TABLE_SUCCESS, MetricsFile
from el.reporting.record import RunRecord, TableVerified
from el.reporting.summary import TableReport
from tests.shop import Workspace, inside

parser = pytest.importorskip("prometheus_client.parser")

RECORD = RunRecord(
    "0123456789ab",
    "run",
    "shop.prod",
    "warehouse.prod",
    datetime(2026, 1, 1, tzinfo=UTC),
    seconds=10,
    result="done",
    exit_code=0,
    tables=(TableReport("a", "raw.a", "cursor", "loaded", "delta", 7, load_id="1"),),
)
FAILED = replace(RECORD, result="failed", exit_code=3, started=datetime(2026, 1, 2, tzinfo=UTC), tables=(), error="x")


def values(path: Path) -> dict[tuple[str, str], float]:
    """By name, and by the table or the status where there is one."""
    families = parser.text_string_to_metric_families(path.read_text())
    return {
        (sample.name, sample.labels.get("table") or sample.labels.get("status", "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_run_writes_rows_seconds_and_exit_code_of_its_tables_and_a_comparison_what_is_equal(tmp_path: Path) -> None:
    Workspace(tmp_path).create()
    with inside(tmp_path):
        assert main(["run", "--progress", "none", "--metrics", "out/el.prom"]) == 0
        found = values(Path("out/el.prom"))
        assert main(["verify", "--metrics", "out/verify.prom"]) == 0
        verified = values(Path("out/verify.prom"))
    assert verified["el_verify_equal", "sales.orders"] == 1
    assert verified["el_verify_compared", "sales.lines"] == 9000
    assert found["el_table_rows", "sales.orders"] == 3000
    assert found["el_table_rows", "sales.lines"] == 9000
    assert found["el_run_exit_code", ""] == 0
    assert found["el_tables", "loaded"] == 3
    assert found["el_tables", "failed"] == 0


def test_a_run_that_cannot_begin_leaves_when_each_table_was_last_taken(tmp_path: Path) -> None:
    written = MetricsFile(tmp_path / "el.prom", whole=True)
    written.ended(RECORD)
    before = values(written.path)
    written.ended(FAILED)
    after = values(written.path)
    for name in ("el_last_success_timestamp_seconds", TABLE_SUCCESS):
        assert {key: when for key, when in after.items() if key[0] == name} == {
            key: when for key, when in before.items() if key[0] == name
        }
    assert after["el_run_exit_code", ""] == 3


def test_a_table_that_fails_keeps_the_time_at_which_it_was_last_taken(tmp_path: Path) -> None:
    written = MetricsFile(tmp_path / "el.prom", whole=True)
    written.ended(RECORD)
    written.ended(replace(FAILED, error=None, tables=(TableReport("a", "raw.a", "", "failed", error="a: no"),)))
    found = values(written.path)
    assert found["el_table_failed", "a"] == 1
    assert found[TABLE_SUCCESS, "a"] == RECORD.started.timestamp()


@pytest.mark.parametrize(("whole", "kept"), [(True, False), (False, True)], ids=["all tables", "some of them"])
def test_a_table_that_is_taken_no_longer_is_forgotten_by_a_run_that_takes_all(
    tmp_path: Path, whole: bool, kept: bool
) -> None:
    written = MetricsFile(tmp_path / "el.prom", whole=whole)
    written.ended(RECORD)
    written.ended(replace(RECORD, tables=(TableReport("b", "raw.b", "full", "unchanged"),)))
    found = values(written.path)
    assert ((TABLE_SUCCESS, "a") in found) is kept
    assert (TABLE_SUCCESS, "b") in found


def test_what_differs_is_a_metric_once_something_was_verified(tmp_path: Path) -> None:
    written = MetricsFile(tmp_path / "el.prom", whole=True)
    written.ended(RECORD)
    assert "el_verify" not in written.path.read_text()
    verified = (TableVerified("a", "DIFFERENT", compared=100, missing=1, extra=2, different=3),)
    written.ended(replace(RECORD, verified=verified))
    assert values(written.path)["el_verify_different", "a"] == 6


def compared(*verified: TableVerified, **more: Any) -> RunRecord:
    return replace(RECORD, command="verify", tables=(), verified=verified, **more)


def test_of_a_table_that_could_not_be_decided_no_number_says_that_it_is_equal(tmp_path: Path) -> None:
    written = MetricsFile(tmp_path / "el.prom", whole=True)
    written.ended(compared(*(TableVerified(verdict, verdict) for verdict in ("EQUAL", "DIFFERENT", "UNDECIDED"))))
    found = values(written.path)
    assert {table: found["el_verify_equal", table] for table in ("EQUAL", "DIFFERENT", "UNDECIDED")} == {
        "EQUAL": 1,
        "DIFFERENT": 0,
        "UNDECIDED": 0,
    }
    # A load of which a row is lost differs, though no row is told by its key.
    assert found["el_verify_different", "DIFFERENT"] == 1
    assert found["el_verify_different", "EQUAL"] == 0
    assert ("el_verify_different", "UNDECIDED") not in found


def test_a_table_keeps_the_time_at_which_it_was_last_equal(tmp_path: Path) -> None:
    written = MetricsFile(tmp_path / "el.prom", whole=True)
    written.ended(compared(TableVerified("a", "EQUAL", compared=7)))
    later = RECORD.started + timedelta(days=1)
    written.ended(compared(TableVerified("a", "UNDECIDED"), result="undecided", exit_code=1, started=later))
    assert values(written.path)[TABLE_EQUAL, "a"] == RECORD.started.timestamp()
    written.ended(compared(TableVerified("a", "EQUAL", compared=8), started=later))
    assert values(written.path)[TABLE_EQUAL, "a"] == later.timestamp()
    assert "el_table_rows" not in written.path.read_text()


def test_a_file_that_is_none_of_metrics_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "el.prom"
    path.write_text("{ no metrics\n")
    MetricsFile(path, whole=True).ended(RECORD)
    assert values(path)["el_table_rows", "a"] == 7


@pytest.mark.parametrize("name", ["el.txt", "folder.prom"])
def test_a_file_that_the_collector_would_not_read_is_refused_before_the_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.prom").mkdir()
    with pytest.raises(ConfigError, match="--metrics"):
        MetricsFile(tmp_path / name, whole=True)
