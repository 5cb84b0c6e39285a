"""Metrics of a run, for the textfile collector of Prometheus' node exporter: a run is over before it could be asked.

Guarantees: the file is there as a whole, or the one before is; when a table was last taken without a failure outlives
runs in which it fails, for it is read from the file before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from el.errors import ConfigError, DriverMissing, to_install
from el.planning.plan import Plan
from el.reporting.notices import GOOD
from el.reporting.record import RunRecord
from el.reporting.text import writable

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

TABLE_SUCCESS = "el_table_last_success_timestamp_seconds"
RUN_SUCCESS = "el_last_success_timestamp_seconds"
_WHOSE = ("source", "destination", "command")
_STATUSES = ("loaded", "unchanged", "nothing new", "paused", "failed")

Times = Mapping[tuple[str, ...], float]
"""By the name of a metric and its labels' values."""


class MetricsFile:
    """A listener that writes the file when the run is over. whole: the run is to take every table of el.yml."""

    def __init__(self, path: Path, *, whole: bool) -> None:
        try:
            import prometheus_client  # noqa: F401
        except ImportError:
            raise DriverMissing(f"--metrics needs prometheus-client: {to_install('metrics')}") from None
        self.path, self.whole = writable(path, "--metrics"), whole
        if path.suffix != ".prom":
            raise ConfigError(f"--metrics {path}: the collector reads files whose names end in .prom alone")

    def planned(self, plan: Plan) -> None:
        """Nothing is written yet."""

    def ended(self, record: RunRecord) -> None:
        """Write it."""
        from prometheus_client import write_to_textfile

        try:
            write_to_textfile(str(self.path), metrics_of(record, _before(self.path), whole=self.whole))
        except OSError as error:
            raise ConfigError(f"--metrics {self.path}: {error.strerror}") from None


def metrics_of(record: RunRecord, before: Times, *, whole: bool = True) -> CollectorRegistry:
    """What the run says in figures. before: when things last went well, by the file before.

    whole: the run was to take every table of el.yml, so that one that it did not come to is one no longer.
    """
    gauges = _Gauges((record.source, record.destination, record.command))
    _of_run(record, before, gauges)
    _of_tables(record, gauges)
    known = whole and record.error is None and bool(record.tables)
    here = {table.table for table in record.tables}
    times = {key[-1]: when for key, when in before.items() if key[:-1] == (TABLE_SUCCESS, *gauges.whose)}
    good = {table: when for table, when in times.items() if table in here or not known}
    good.update({table.table: record.started.timestamp() for table in record.tables if table.status in GOOD})
    said = "When the last run began that took the table, or found nothing new in it."
    gauges.by_table(TABLE_SUCCESS, said, good)
    if record.verified:
        _of_verify(record, gauges)
    return gauges.registry


class _Gauges:
    """Gauges that are labelled with what wrote them: files of several commands lie in one folder."""

    def __init__(self, whose: tuple[str, str, str]) -> None:
        from prometheus_client import CollectorRegistry

        self.registry, self.whose = CollectorRegistry(), whose

    def add(self, name: str, said: str, values: Mapping[tuple[str, ...], float], *labels: str) -> None:
        """A gauge. values: by the values of its further labels."""
        from prometheus_client import Gauge

        gauge = Gauge(name, said, (*_WHOSE, *labels), registry=self.registry)
        for key, value in values.items():
            gauge.labels(*self.whose, *key).set(value)

    def by_table(self, name: str, said: str, values: Mapping[str, float]) -> None:
        """A gauge with a value for each table."""
        self.add(name, said, {(table,): value for table, value in values.items()}, "table")


def _of_run(record: RunRecord, before: Times, gauges: _Gauges) -> None:
    end = (record.started + timedelta(seconds=record.seconds)).timestamp()
    about = (record.run_id, record.versions.get("el", ""), record.result)
    gauges.add("el_run_info", "The last run.", {about: 1}, "run_id", "version", "result")
    gauges.add("el_run_timestamp_seconds", "When the last run ended.", {(): end})
    gauges.add("el_run_duration_seconds", "How long the last run took.", {(): record.seconds})
    if record.exit_code is not None:
        gauges.add("el_run_exit_code", "What the last run exited with: 0 is done.", {(): record.exit_code})
    good = end if record.result == "done" else before.get((RUN_SUCCESS, *gauges.whose))
    if good is not None:
        gauges.add(RUN_SUCCESS, "When the last run ended in which nothing failed.", {(): good})


def _of_tables(record: RunRecord, gauges: _Gauges) -> None:
    tables = record.tables
    counts = {status: sum(table.status == status for table in tables) for status in _STATUSES}
    gauges.add("el_tables", "Tables of the last run.", {(status,): n for status, n in counts.items()}, "status")
    # Of a table that failed, what was read and not loaded does not count.
    rows = {table.table: table.rows if table.load_id is not None else 0 for table in tables}
    gauges.by_table("el_table_rows", "Rows that the last run loaded.", rows)
    size = {table.table: table.bytes if table.load_id is not None else 0 for table in tables}
    gauges.by_table("el_table_bytes", "Bytes that the last run loaded.", size)
    took = {table.table: table.seconds for table in tables}
    gauges.by_table("el_table_duration_seconds", "How long the last run read the table.", took)
    failed = {table.table: int(table.status == "failed") for table in tables}
    gauges.by_table("el_table_failed", "Whether the last run failed at the table.", failed)


def _of_verify(record: RunRecord, gauges: _Gauges) -> None:
    differing = {each.table: each.missing + each.extra + each.different for each in record.verified}
    gauges.by_table("el_verify_different", "Rows that are not the same on both sides.", differing)
    compared = {each.table: each.compared for each in record.verified}
    gauges.by_table("el_verify_compared", "Rows that were compared.", compared)


def _before(path: Path) -> Times:
    """When things last went well, by the file that is there; one that is no such file says nothing."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[tuple[str, ...], float] = {}
    try:
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
            labels = {RUN_SUCCESS: _WHOSE, TABLE_SUCCESS: (*_WHOSE, "table")}.get(family.name, ())
            for sample in family.samples if labels else ():
                found[(family.name, *(sample.labels.get(label, "") for label in labels))] = sample.value
    except (OSError, ValueError):
        return {}
    return found
