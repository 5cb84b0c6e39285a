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
from el.reporting.record import VERIFY, RunRecord
from el.reporting.text import writable

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

TABLE_SUCCESS = "el_table_last_success_timestamp_seconds"
TABLE_EQUAL = "el_verify_last_equal_timestamp_seconds"
RUN_SUCCESS = "el_last_success_timestamp_seconds"
_WHOSE = ("source", "destination", "command")
_VERDICTS = ("EQUAL", "DIFFERENT", "UNDECIDED", "REFUSED")
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
    known = whole and record.error is None
    if record.command != VERIFY:
        _of_tables(record, gauges)
        taken = {table.table: table.status in GOOD for table in record.tables}
        said = "When the last run began that took the table, or found nothing new in it."
        gauges.by_table(TABLE_SUCCESS, said, _times(TABLE_SUCCESS, taken, record, gauges, before, known=known))
    if record.command == VERIFY or record.verified:
        _of_verify(record, gauges)
        equal = {each.table: each.is_equal for each in record.verified}
        said = "When the last comparison began that found the table equal."
        gauges.by_table(TABLE_EQUAL, said, _times(TABLE_EQUAL, equal, record, gauges, before, known=known))
    return gauges.registry


def _times(
    name: str, good: Mapping[str, bool], record: RunRecord, gauges: _Gauges, before: Times, *, known: bool
) -> dict[str, float]:
    """When each table last went well: this run, or as the file before has it, but for tables that are no more.

    known: the run came to every table that there is.
    """
    times = {key[-1]: when for key, when in before.items() if key[:-1] == (name, *gauges.whose)}
    kept = {table: when for table, when in times.items() if table in good or not (known and good)}
    return {**kept, **{table: record.started.timestamp() for table, well in good.items() if well}}


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
    verdicts = [each.verdict for each in record.verified]
    counts: dict[tuple[str, ...], float] = {(verdict,): verdicts.count(verdict) for verdict in _VERDICTS}
    gauges.add("el_verify_tables", "Tables of the last comparison.", counts, "verdict")
    equal = {each.table: int(each.is_equal) for each in record.verified}
    gauges.by_table("el_verify_equal", "Whether the table was found equal; 0 also where that is not known.", equal)
    # Of a table that nothing is known of, no number is said that could be taken for a good one.
    decided = [each for each in record.verified if each.is_equal or each.differs]
    differing = {each.table: max(1, each.missing + each.extra + each.different) * each.differs for each in decided}
    gauges.by_table("el_verify_different", "Rows that are not the same on both sides, at least.", differing)
    compared = {each.table: each.compared for each in decided}
    gauges.by_table("el_verify_compared", "Rows that were compared.", compared)
    late = {each.table: each.late for each in decided}
    gauges.by_table("el_verify_late", "Rows that were not compared, for they changed since the last load.", late)


def _before(path: Path) -> Times:
    """When things last went well, by the file that is there; one that is no such file says nothing."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[tuple[str, ...], float] = {}
    try:
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
            labels = {RUN_SUCCESS: _WHOSE, **dict.fromkeys((TABLE_SUCCESS, TABLE_EQUAL), (*_WHOSE, "table"))}.get(
                family.name, ()
            )
            for sample in family.samples if labels else ():
                found[(family.name, *(sample.labels.get(label, "") for label in labels))] = sample.value
    except (OSError, ValueError):
        return {}
    return found
