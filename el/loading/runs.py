"""What each run did, also one that failed or was killed: a line in the working folder, and a row of `_el_runs`.

Guarantees: a run is noted when it begins and when it ends, so that one that was killed is known of; a run with nothing
new asks no statement for it, and neither does one that fails as the run before did; what waits in the working folder
goes with the next run that loads something, once; nothing that goes wrong here fails a run. What waits is lost with the
working folder.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from el.config.access import access_of
from el.config.job import Job
from el.connectors.catalog import TableName
from el.connectors.sql.audit import os_user
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.notes import NoteTable, append_notes
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from el.errors import AccessDenied, ElError, RunLocked
from el.loading.journal import add_line, lines_behind, set_mark
from el.loading.lock import Holder, this_process
from el.loading.warehouse import Warehouse
from el.planning.plan import Plan
from el.reporting.record import Listener, RunRecord, TableVerified, read_record, versions
from el.reporting.runs import why
from el.reporting.summary import RunReport

RUNS_TABLE = "_el_runs"
JOURNAL, MARK, BEFORE = "runs.jsonl", "runs.sent", "runs.1.jsonl"
# What is delivered is put aside from this size on; two such files are kept.
_ROTATE = 1024 * 1024
# What did not go wrong, and still could do nothing.
_RESULTS: dict[type[ElError], str] = {AccessDenied: "refused", RunLocked: "locked"}
_COLUMNS = {
    "run_id": pa.string(),
    "command": pa.string(),
    "started_at": pa.timestamp("us"),  # UTC
    "seconds": pa.float64(),
    "result": pa.string(),
    "tables_loaded": pa.int64(),
    "tables_failed": pa.int64(),
    "row_count": pa.int64(),
    "error": pa.string(),
    "el_version": pa.string(),
    "source": pa.string(),
    "destination": pa.string(),
    "el_role": pa.string(),
    "os_user": pa.string(),
    "host": pa.string(),
    "details": pa.string(),  # the whole record as JSON
}


class Runs:
    """The record of one run, from its beginning to its end. say: takes what could not be told to a listener."""

    def __init__(
        self, job: Job, command: str, listeners: Sequence[Listener] = (), say: Callable[[str], None] | None = None
    ) -> None:
        self.job = job
        self.record = RunRecord(
            job.run_id,
            command,
            str(job.source),
            str(job.destination),
            datetime.now(UTC),
            versions=versions(job.source.type, job.destination.type),
            el_role=str(access_of(job.destination)),
            os_user=os_user(),
            host=platform.node(),
        )
        self.listeners, self.say = listeners, say or _on_standard_error
        begun = {**json.loads(self.record.to_json()), "holder": asdict(this_process(job.run_id))}
        add_line(job.work / JOURNAL, begun)

    def planned(self, plan: Plan) -> None:
        """Tell what will be taken."""
        for listener in self.listeners:
            self._tell(partial(listener.planned, plan))

    def note(self, report: RunReport, result: str | None = None, verified: Sequence[TableVerified] = ()) -> None:
        """What the run did, once. result: by default, whether a table failed."""
        if self.record.result == "running":
            failed = any(table.status == "failed" for table in report.tables)
            ended = self.record.ended(report, result or ("failed" if failed else "done"))
            self.record = replace(ended, verified=tuple(verified))
            add_line(self.job.work / JOURNAL, self.record.to_json())

    def stop(self, error: BaseException) -> None:
        """How a run ended that could do nothing, or no more. Of an error that nobody foresaw, its kind alone."""
        if self.record.result != "running":
            return
        seconds = (datetime.now(UTC) - self.record.started).total_seconds()
        said, advice = f"a defect of el: {type(error).__name__}", None
        result, code = "failed", 1
        if isinstance(error, KeyboardInterrupt):
            said, result, code = "interrupted", "interrupted", 130
        elif isinstance(error, ElError):
            said, code, advice = str(error), error.exit_code, _advice(error)
            result = "interrupted" if code == 130 else _RESULTS.get(type(error), result)
        self.record = replace(self.record, seconds=seconds, result=result, exit_code=code, error=said, advice=advice)
        add_line(self.job.work / JOURNAL, self.record.to_json())

    def could_not_begin(self, error: BaseException, opening: Future[Warehouse], *, answers: bool) -> None:
        """Note it, and tell the warehouse of it if it is news. answers: the warehouse is not what failed."""
        self.stop(error)
        if self.is_news and answers:
            with suppress(ElError):
                self.deliver(opening.result(), None)

    @property
    def is_news(self) -> bool:
        """Whether this run failed, and otherwise than the one before."""
        if self.record.result != "failed":
            return False
        before = [run for run in local_runs(self.job) if run.result in ("done", "failed", "killed")]
        before = [run for run in before if run.run_id != self.record.run_id and run.command == self.record.command]
        return not before or _failure(self.record) != _failure(before[-1])

    def deliver(self, warehouse: Warehouse, raw_schema: str | None) -> None:
        """What was noted and not delivered, into the table. For a run that has woken the warehouse anyway, or is news.

        raw_schema: None where it is not known; then the table is looked for.
        """
        journal, mark = self.job.work / JOURNAL, self.job.work / MARK
        with suppress(ElError, OSError):
            lines, end = lines_behind(journal, mark)
            found = [record for record in _records(lines) if record.result != "running"]
            if self.record.run_id not in {record.run_id for record in found}:
                found.append(self.record)
            with warehouse.connector as connector:
                assert isinstance(connector, SqlTarget)
                name = warehouse.fold(RUNS_TABLE)
                schemas = _schemas(connector, name) if raw_schema is None else [warehouse.fold(raw_schema)]
                if not schemas:
                    return
                table = NoteTable(TableName(schemas[0], name), _COLUMNS, "run_id")
                append_notes(connector, connector.writer().types, table, [_row(record) for record in found])
            if end > _ROTATE:
                journal.replace(self.job.work / BEFORE)
                mark.unlink(missing_ok=True)
            else:
                set_mark(mark, end)

    def tell_the_end(self) -> None:
        """Tell the listeners how it ended."""
        for listener in self.listeners:
            self._tell(partial(listener.ended, self.record))

    def _tell(self, told: Callable[[], None]) -> None:
        try:
            told()
        except ElError as error:
            self.say(str(error))
        except Exception as error:
            # Its text may hold anything, a secret too.
            self.say(f"what is told of a run could not be told: {type(error).__name__}")


@contextmanager
def recorded(
    job: Job, command: str, listeners: Sequence[Listener] = (), say: Callable[[str], None] | None = None
) -> Iterator[Runs]:
    """Note what happens inside, and tell the listeners of it, however it ends."""
    runs = Runs(job, command, listeners, say)
    try:
        yield runs
    except BaseException as error:
        runs.stop(error)
        raise
    finally:
        runs.tell_the_end()


def local_runs(job: Job) -> list[RunRecord]:
    """The runs that the working folder knows of, the oldest first."""
    lines = [line for name in (BEFORE, JOURNAL) for line in lines_behind(job.work / name)[0]]
    return _records(lines)


def kept_runs(warehouse: Warehouse, source: str, limit: int, exactly: str | None = None) -> list[RunRecord]:
    """The last runs of a source that the warehouse knows of, the oldest first. Raises an `ElError`.

    exactly: how the id of one begins that is given too, however old it is.
    """
    name = warehouse.fold(RUNS_TABLE)
    with warehouse.connector as connector:
        schemas = _schemas(connector, name)
        if not schemas:
            return []
        each = [
            f"SELECT run_id, started_at, details FROM {connector.dialect.quote_table(TableName(schema, name))} "
            "WHERE source = ?"
            for schema in schemas
        ]
        runs, given = f"({' UNION ALL '.join(each)}) AS r", (source,) * len(each)
        sql = f"SELECT details FROM {runs} ORDER BY started_at DESC LIMIT {limit}"
        rows = list(reversed(connector.fetch(Statement(sql, given))))
        if exactly is not None:
            sql = f"SELECT details FROM {runs} WHERE run_id LIKE ?"
            rows += connector.fetch(Statement(sql, (*given, f"{exactly}%")))
    return _records([json.loads(str(details)) for (details,) in rows])


def merged(*found: Sequence[RunRecord]) -> list[RunRecord]:
    """All of these, each run once, the oldest first; what ended counts before what is said to run."""
    runs: dict[str, RunRecord] = {}
    for record in (each for records in found for each in records):
        if record.run_id not in runs or runs[record.run_id].result in ("running", "killed"):
            runs[record.run_id] = record
    return sorted(runs.values(), key=lambda record: record.started)


def _schemas(session: SqlConnector, table: str) -> list[str]:
    """Where the table is, in the names' order."""
    sql = "SELECT table_schema FROM information_schema.tables WHERE table_name = ?"
    return sorted(str(schema) for (schema,) in session.fetch(Statement(sql, (table,))))


def _failure(record: RunRecord) -> tuple[bool, frozenset[str]]:
    """What tells one failure from another: an error's text may name another row each time."""
    return record.error is not None, frozenset(table.table for table in record.failed)


def _records(lines: Sequence[dict[str, Any]]) -> list[RunRecord]:
    found: dict[str, RunRecord] = {}
    for line in lines:
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            record = read_record(line)
            if record.result == "running" and Holder(**line["holder"]).is_gone():
                record = replace(record, result="killed", error="the process was ended, or the machine")
            found[record.run_id] = record
    return list(found.values())


def _row(record: RunRecord) -> tuple[object, ...]:
    """As text, which every warehouse casts."""
    return (
        record.run_id,
        record.command,
        f"{record.started.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}",
        str(record.seconds),
        record.result,
        *(str(number) for number in (len(record.loaded), len(record.failed), record.rows)),
        record.error or "; ".join(str(table.error) for table in record.failed) or why(record),
        record.versions.get("el", ""),
        *(record.source, record.destination, record.el_role, record.os_user, record.host),
        record.to_json(),
    )


def _on_standard_error(text: str) -> None:
    print(text, file=sys.stderr)


def _advice(error: ElError) -> str | None:
    """What the kind of an error says to do: what follows the first line of its own words."""
    _, _, advice = (type(error).__doc__ or "").partition("\n\n")
    return " ".join(advice.split()) or None
