"""Events of OpenLineage: from which table of the source each raw table came, column by column.

By OpenLineage's own library, which reads where to send them. Guarantees: a table has START, and then COMPLETE or FAIL,
of one run id; no value of the data is in an event; where nobody takes the events, the rest of them are not tried.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from el.config.telling import LineageSettings
from el.connectors.origin import current_run
from el.errors import ConfigError, DriverMissing, ServerUnreachable, to_install
from el.planning.plan import Plan, TablePlan
from el.reporting.record import RunRecord
from el.reporting.runs import why
from el.reporting.summary import TableReport

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

_FILES = ("openlineage.yml", ".openlineage/openlineage.yml")
# How a run ended -> the event; of any other, FAIL.
_ENDS = {"done": "COMPLETE", "interrupted": "ABORT", "locked": "ABORT", "paused": "ABORT"}
# A run of el, or of one of its tables, is always of the same id.
_IDS = uuid.UUID("8d0f2b52-6f0c-5b0e-9d5a-3b1d6f6b7a10")


@dataclass(frozen=True, slots=True)
class Place:
    """A database. column_type: which of a column's mapping says its type in raw."""

    namespace: str
    database: str
    column_type: str = ""

    def dataset(self, schema: str, table: str) -> str:
        """A table's name in the namespace."""
        return ".".join(part for part in (self.database, schema, table) if part)


class Lineage:
    """A listener that tells of each table that is read."""

    def __init__(self, settings: LineageSettings, job: str, source: Place, destination: Place) -> None:
        self.settings, self.job = settings, job
        self.source, self.destination = source, destination
        self.client: OpenLineageClient | None = _client()
        self._tables: dict[str, TablePlan] = {}
        self._run_id = uuid.UUID(int=0)
        self._started = False

    def planned(self, plan: Plan) -> None:
        """START of the run and of each table that will be read. Raises `ServerUnreachable`."""
        self._run_id = _id(current_run() or "")
        self._tables = {
            str(table.name): table for table in plan.tables if table.window is not None and table.stopped is None
        }
        now = datetime.now().astimezone()
        self._emit("START", now, self._of_run())
        self._started = True
        for name, table in self._tables.items():
            self._emit("START", now, self._of_table(name, table))

    def ended(self, record: RunRecord) -> None:
        """COMPLETE or FAIL of each. Raises `ServerUnreachable`."""
        self._run_id = _id(record.run_id)
        end = record.started + timedelta(seconds=record.seconds)
        if not self._started:
            self._emit("START", record.started, self._of_run())
        reports = {report.table: report for report in record.tables}
        for name, table in self._tables.items():
            report = reports.get(name)
            event = self._of_table(name, table, report)
            if report is None:
                self._end(_ENDS.get(record.result, "FAIL"), end, event, record.error or record.result)
            elif report.status == "failed":
                self._end("FAIL", end, event, report.error)
            else:
                self._end("ABORT" if report.status == "paused" else "COMPLETE", end, event)
        self._end(_ENDS.get(record.result, "FAIL"), end, self._of_run(), why(record))
        if self.client is not None:
            self.client.close(timeout=10)

    def _of_run(self) -> dict[str, Any]:
        from openlineage.client.event_v2 import Job, Run

        facets = {}
        if parent := _parent_of_environment():
            facets["parent"] = parent
        return {
            "run": Run(runId=str(self._run_id), facets=facets),
            "job": Job(namespace=self.settings.namespace, name=self.job, facets=_job_facets()),
        }

    def _of_table(self, name: str, table: TablePlan, report: TableReport | None = None) -> dict[str, Any]:
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run

        parent = _parent(str(self._run_id), self.settings.namespace, self.job)
        source = self.source.dataset(table.name.schema, table.name.name)
        raw = self.destination.dataset(table.raw_schema, table.raw_table)
        statistics = {}
        if report is not None and report.load_id is not None:
            made = _facet("output_statistics_output_dataset", "OutputStatisticsOutputDatasetFacet")
            statistics["outputStatistics"] = made(rowCount=report.rows, size=report.bytes)
        return {
            "run": Run(runId=str(uuid.uuid5(self._run_id, name)), facets={"parent": parent}),
            "job": Job(namespace=self.settings.namespace, name=f"{self.job}.{name}", facets=_job_facets()),
            "inputs": [
                InputDataset(
                    namespace=self.settings.source or self.source.namespace,
                    name=source,
                    facets={"schema": _schema([(c.source.name, str(c.source.type)) for c in table.columns])},
                )
            ],
            "outputs": [
                OutputDataset(
                    namespace=self.settings.destination or self.destination.namespace,
                    name=raw,
                    facets={
                        "schema": _schema([(c.name, self._type(c.mapping)) for c in table.columns]),
                        "columnLineage": self._columns(table, source),
                    },
                    outputFacets=statistics,
                )
            ],
        }

    def _type(self, mapping: object) -> str:
        return str(getattr(mapping, self.destination.column_type, None) or getattr(mapping, "arrow", ""))

    def _columns(self, table: TablePlan, source: str) -> Any:
        from openlineage.client.facet_v2 import column_lineage_dataset as made

        namespace = self.settings.source or self.source.namespace
        fields = {}
        for column in table.columns:
            same = column.mapping.loses is None
            how = made.Transformation(
                type="DIRECT",
                subtype="IDENTITY" if same else "TRANSFORMATION",
                description=column.mapping.loses or "",
                masking=column.masked,
            )
            taken = made.InputField(namespace=namespace, name=source, field=column.source.name, transformations=[how])
            fields[column.name] = made.Fields(inputFields=[taken])
        return made.ColumnLineageDatasetFacet(fields=fields)

    def _end(self, state: str, when: datetime, event: Mapping[str, Any], error: str | None = None) -> None:
        if state == "FAIL" and error is not None:
            made = _facet("error_message_run", "ErrorMessageRunFacet")
            event["run"].facets["errorMessage"] = made(message=error, programmingLanguage="PYTHON")
        self._emit(state, when, event)

    def _emit(self, state: str, when: datetime, event: Mapping[str, Any]) -> None:
        from openlineage.client.event_v2 import RunEvent, RunState

        if self.client is None:
            return
        try:
            self.client.emit(
                RunEvent(eventType=RunState[state], eventTime=when.isoformat(), producer=_producer(), **event)
            )
        except Exception as error:
            # Whatever its transport raises. What it says may hold an address with a key in it.
            self.client = None
            raise ServerUnreachable(
                f"lineage: an event could not be sent: {type(error).__name__}; no further one of this run is tried"
            ) from None


def _client() -> OpenLineageClient:
    """Raises `DriverMissing`, and `ConfigError` where nothing says where events go."""
    try:
        from openlineage.client import OpenLineageClient
    except ImportError as error:
        raise DriverMissing(f"`lineage` in el.yml needs {error.name}: {to_install('lineage')}") from None
    told = any(name.startswith("OPENLINEAGE_") for name in os.environ)
    if not told and not any((folder / name).is_file() for folder in (Path.cwd(), Path.home()) for name in _FILES):
        raise ConfigError("`lineage` in el.yml: nothing says where events go: set OPENLINEAGE_URL, or openlineage.yml")
    try:
        return OpenLineageClient()
    except Exception as error:
        raise ConfigError(
            f"`lineage` in el.yml: OpenLineage's own settings are wrong: {type(error).__name__}"
        ) from None


def _id(run_id: str) -> uuid.UUID:
    return uuid.uuid5(_IDS, run_id)


def _producer() -> str:
    from el import __version__

    return f"https://pypi.org/project/el-loader/{__version__}"


def _facet(module: str, name: str) -> Any:
    from openlineage.client import facet_v2

    return getattr(getattr(facet_v2, module), name)


def _job_facets() -> dict[str, Any]:
    made = _facet("job_type_job", "JobTypeJobFacet")
    return {"jobType": made(processingType="BATCH", integration="EL", jobType="TASK")}


def _schema(columns: Sequence[tuple[str, str]]) -> Any:
    from openlineage.client.facet_v2 import schema_dataset as made

    return made.SchemaDatasetFacet(
        fields=[made.SchemaDatasetFacetFields(name=name, type=type_) for name, type_ in columns]
    )


def _parent(run_id: str, namespace: str, name: str) -> Any:
    from openlineage.client.facet_v2 import parent_run as made

    return made.ParentRunFacet(run=made.Run(runId=run_id), job=made.Job(namespace=namespace, name=name))


def _parent_of_environment() -> Any:
    """The task of an orchestrator that started el, as it says to OpenLineage's other tools too."""
    namespace, _, rest = os.environ.get("OPENLINEAGE_PARENT_ID", "").partition("/")
    name, _, run_id = rest.rpartition("/")
    try:
        return _parent(str(uuid.UUID(run_id)), namespace, name) if namespace and name else None
    except ValueError:
        return None
