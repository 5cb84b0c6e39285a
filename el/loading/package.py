"""One load package of one raw schema: landing files in, dlt's loading, and a package that was cut short made whole.

Guarantees: every row of a package stands in raw exactly once, whatever is killed and whenever. A load job that may
have committed without being recorded is not trusted: before its table is loaded again, what this load left in it
is removed. A package whose load id is recorded as complete is never loaded again, and one is loaded only into the raw
schema that it was planned on. A load whose counts or values differ from what was sent is hidden from every reader.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as pq
from dlt.common.exceptions import DltException
from dlt.common.storages.load_package import ParsedLoadJobFileName

from el.errors import LoadError, LoadHidden, NotPermitted
from el.extraction.landing import LandedTable
from el.extraction.retry import retrying
from el.extraction.slice import STEP
from el.loading.digest import Held, Wanted, differs, wanted_of
from el.loading.dlt_package import appending, as_load_error, asked_once, examine, named, safe_name, source_of
from el.loading.file_ledger import FILES_TABLE, REJECTS_TABLE, count_by_file
from el.loading.ledger import LEDGER_TABLE
from el.loading.warehouse import Warehouse
from el.planning.held import COLUMNS_TABLE

OWN_TABLES = (LEDGER_TABLE, COLUMNS_TABLE, FILES_TABLE, REJECTS_TABLE)
# The name of the file, beside dlt's own, that says which load a package was planned on.
FOLLOWS = "follows.json"


class Loader:
    """dlt, set up for one raw schema. Its working folder holds nothing but packages that are not finished."""

    def __init__(self, warehouse: Warehouse, raw_schema: str, home: Path, run_id: str, *, retries: int) -> None:
        self._warehouse = warehouse
        self._raw_schema = raw_schema
        self._home = home / "pipelines"
        self._name = f"el_{safe_name(raw_schema)}"
        self._run_id = run_id
        self._retries = retries
        self._configure()

    def _configure(self) -> None:
        # Windows come from the ledger, so dlt has no state to keep or to restore.
        dlt.config["restore_from_destination"] = False
        # A table after the other: in turns, dlt goes one call deeper for each that is through, and 900 are too many.
        dlt.config["extract.next_item_mode"] = "fifo"
        dlt.config["load.delete_completed_jobs"] = False
        dlt.config["load.workers"] = self._warehouse.loader_workers
        # A job that failed is not simply run again: it may have committed. See `_rewind`.
        dlt.config["load.raise_on_max_retries"] = 1
        dlt.config["load.truncate_staging_dataset"] = False

    def warm_up(self) -> None:
        """Have all imported that dlt imports at first use: a quarter of a second, better spent beside the source's."""
        self._warehouse.dlt_destination(self._raw_schema, self._run_id)

    def pipeline(self) -> dlt.Pipeline:
        return dlt.pipeline(
            pipeline_name=self._name,
            pipelines_dir=str(self._home),
            destination=asked_once(self._warehouse.dlt_destination(self._raw_schema, self._run_id)),
            dataset_name=self._raw_schema,
        )

    def finish_pending(self, say: Callable[[str], None], known: Collection[str] | None = None) -> list[str]:
        """Load what an earlier run left behind; the load ids that became complete. Then empty the working folder.

        A folder that power loss left damaged is as good as a lost one: `say` is told, and its windows are read again.
        So is a package that cannot be loaded and has tables that are not in `known`, el.yml's of today.
        """
        if not (self._home / self._name).exists():
            return []
        try:
            pipeline = self.pipeline()
            follows = self._noted()["follows"] if examine(pipeline) else None
        except (ValueError, KeyError, TypeError, OSError, DltException) as error:
            say(f"{self._raw_schema}: what an earlier run left behind is damaged, and is read again: {error}")
            self.clean()
            return []
        finished: list[str] = []
        self._drop_superseded(pipeline, follows)
        if pipeline.list_extracted_load_packages() or pipeline.list_normalized_load_packages():
            try:
                finished = self._load(pipeline)
            except LoadError as error:
                if known is None or self._waiting(pipeline) <= {*known, *OWN_TABLES}:
                    raise
                say(f"{self._raw_schema}: what was left is of tables that el.yml no longer has; read again: {error}")
                self._drop_superseded(pipeline, follows, all_of_them=True)
        self._confirm_loaded(pipeline, say)
        self.clean()
        return finished

    def _discard(self, load_id: str, tables: Sequence[str]) -> None:
        """Tried again where a statement of the killed run still holds a table."""
        for attempt in retrying(self._retries, initial=1):
            with attempt:
                self._warehouse.discard(self._raw_schema, load_id, tables)

    def _waiting(self, pipeline: dlt.Pipeline) -> set[str]:
        """The tables of what waits to be loaded."""
        packages = pipeline._get_load_storage().normalized_packages
        ids = pipeline.list_normalized_load_packages()
        found = [jobs for load_id in ids for jobs in packages.get_load_package_jobs(load_id).values()]
        return {job.table_name for jobs in found for job in jobs if not job.table_name.startswith("_dlt")}

    def _drop_superseded(self, pipeline: dlt.Pipeline, follows: str | None, *, all_of_them: bool = False) -> None:
        """Remove packages that follow another load than the last one: its windows begin elsewhere.

        Another machine has read the same windows again meanwhile, or the raw schema was made anew.
        """
        with self._warehouse.connector:
            last = self._warehouse.last_load(self._raw_schema)
            storage = pipeline._get_load_storage()
            for load_id in pipeline.list_normalized_load_packages():
                if last in (follows, load_id) and not all_of_them:
                    continue
                if not self._warehouse.complete_loads(self._raw_schema, [load_id]):
                    jobs = storage.normalized_packages.get_load_package_jobs(load_id)
                    tables = sorted({job.table_name for found in jobs.values() for job in found})
                    self._discard(load_id, tables)
                self._forget_staged()
                storage.normalized_packages.delete_package(load_id)
        for load_id in pipeline.list_extracted_load_packages():
            if last != follows or all_of_them:
                pipeline._get_normalize_storage().extracted_packages.delete_package(load_id)

    def _forget_staged(self) -> None:
        """Nothing waits to be loaded from there: what a package that is forgotten had put is removed, too."""
        with self._warehouse.connector:
            self._warehouse.forget_staged(self._raw_schema)

    def _noted(self) -> dict[str, str | None]:
        """Of the package in the working folder: the load that it was planned on, None for the first one of all; and
        what is loaded at once, a table or, by an older el, a file."""
        found = json.loads((self._home / self._name / FOLLOWS).read_text())
        return found if isinstance(found, dict) else {"follows": found, "at_once": "file"}

    def _note_what_it_follows(self) -> None:
        with self._warehouse.connector:
            last = self._warehouse.last_load(self._raw_schema)
        (self._home / self._name / FOLLOWS).write_text(json.dumps({"follows": last, "at_once": "table"}))

    def load(self, load_id: str, tables: Sequence[LandedTable], say: Callable[[str], None]) -> None:
        """Load these tables as one package. Raises `LoadError`; what was begun is finished by the next run.

        `say` is told of values that could not be compared with raw's.
        """
        pipeline = self.pipeline()
        self._note_what_it_follows()
        source = source_of(dlt.Schema(safe_name(self._raw_schema)), tables)
        with as_load_error(self._raw_schema), named(load_id):
            extracted = pipeline.extract(source, loader_file_format="parquet")
        sys.audit(STEP, "package extracted")
        if extracted.loads_ids != [load_id]:
            raise LoadError(f"dlt named the package {extracted.loads_ids}, its rows say {load_id}")
        self._load(pipeline)
        self._confirm_loaded(pipeline, say)
        self.clean()

    def _confirm_loaded(self, pipeline: dlt.Pipeline, say: Callable[[str], None]) -> None:
        """Compare what raw holds of each load with what its ledger says; one that differs is hidden from every reader.

        The last step before a package is forgotten, so that a run that recovers does not go without it.
        """
        packages = pipeline._get_load_storage().loaded_packages
        completed = pipeline.list_completed_load_packages()
        for load_id in completed:
            folder = Path(packages.storage.make_full_path(packages.get_package_path(load_id)))
            self._confirm(load_id, folder, say)
        if completed:
            self._forget_staged()
        sys.audit(STEP, "load confirmed")

    def _confirm(self, load_id: str, folder: Path, say: Callable[[str], None]) -> None:
        sent: dict[str, Wanted] = {}
        for path in folder.glob(f"completed_jobs/{LEDGER_TABLE}.*.parquet"):
            # A package that an older el left has no digest.
            rows = pq.ParquetFile(path).read().to_pylist()
            sent[LEDGER_TABLE] = Wanted(len(rows))
            sent |= {row["table_name"]: Wanted(row["row_count"]) for row in rows}
            digests = {row["table_name"]: row["digest"] for row in rows if row.get("digest")}
            sent |= wanted_of(sent, digests, folder)
        files: list[dict[str, Any]] = []
        for name in (FILES_TABLE, REJECTS_TABLE):
            for path in folder.glob(f"completed_jobs/{name}.*.parquet"):
                found = pq.ParquetFile(path).read()
                sent[name] = Wanted(found.num_rows)
                if name == FILES_TABLE:
                    files += found.select(["table_name", "file_id", "uri", "row_count"]).to_pylist()
        with self._warehouse.connector:
            held = self._warehouse.held(self._raw_schema, load_id, sent)
            found = {name: differs(name, wanted, held[name]) for name, wanted in sent.items()}
            wrong = [said for name, said in found.items() if said is not None and self._is_plain(name, say, sent, held)]
            wrong += self._files_that_differ(load_id, files)
            if not wrong:
                return
            self._warehouse.hide(self._raw_schema, load_id)
        self.clean()
        raise LoadHidden(
            f"load {load_id} of {self._raw_schema} is not what was sent and was hidden: {'; '.join(wrong)}"
        )

    def _is_plain(
        self, table: str, say: Callable[[str], None], sent: Mapping[str, Wanted], held: Mapping[str, Held]
    ) -> bool:
        """Whether what differs is what raw holds. If this login may be shown other values, `say` is told so."""
        if sent[table].rows != held[table].rows:
            return True
        try:
            self._warehouse.require_plain(self._raw_schema, table)
        except NotPermitted as error:
            say(f"{table}: its rows were counted, and its values not compared: {error}")
            return False
        return True

    def _files_that_differ(self, load_id: str, files: Sequence[Mapping[str, Any]]) -> list[str]:
        """Of each file, what raw holds of it against what its ledger says."""
        tables = sorted({file["table_name"] for file in files})
        held = count_by_file(self._warehouse, self._raw_schema, load_id, tables)
        return [
            f"{file['uri']} has {held.get(file['file_id'], 0):,} of {file['row_count']:,} rows"
            for file in files
            if held.get(file["file_id"], 0) != file["row_count"]
        ]

    def clean(self) -> None:
        """Empty the working folder; only ever called when no package waits in it."""
        shutil.rmtree(self._home / self._name, ignore_errors=True)
        sys.audit(STEP, "working folder emptied")

    def _load(self, pipeline: dlt.Pipeline) -> list[str]:
        with as_load_error(self._raw_schema):
            pipeline.normalize()
        sys.audit(STEP, "package normalized")
        load_ids = list(pipeline.list_normalized_load_packages())
        for attempt in retrying(self._retries, initial=1):
            with attempt:
                for load_id in list(pipeline.list_normalized_load_packages()):
                    self._rewind(pipeline, load_id)
                    self._put(pipeline, load_id)
                sys.audit(STEP, "package ready to load")
                with as_load_error(self._raw_schema), appending():
                    pipeline.load()
                sys.audit(STEP, "package loaded")
        return load_ids

    def _put(self, pipeline: dlt.Pipeline, load_id: str) -> None:
        """Send what is still to be loaded to where it is loaded from."""
        packages = pipeline._get_load_storage().normalized_packages
        folder = Path(packages.storage.make_full_path(packages.get_package_path(load_id)))
        # It is no more, if it was complete.
        if folder.exists():
            with self._warehouse.connector:
                self._warehouse.put_files(self._raw_schema, folder)

    def _rewind(self, pipeline: dlt.Pipeline, load_id: str) -> None:
        """Bring a package to a state from which loading it gives every row once.

        A table of which a job was started, or failed, may hold rows of that job: they are removed, and all of the
        table's jobs wait again. A package that the warehouse knows as complete only waits to be confirmed.
        """
        packages = pipeline._get_load_storage().normalized_packages
        jobs = packages.get_load_package_jobs(load_id)
        doubtful = {job.table_name for job in (*jobs["started_jobs"], *jobs["failed_jobs"])}
        doubtful |= {job.table_name for job in jobs["new_jobs"] if job.retry_count > 0}
        if self._noted()["at_once"] == "file":
            # Some of a table's files may be loaded, and the job of its first loads all of them.
            doubtful |= {job.table_name for job in jobs["completed_jobs"]}
        if not doubtful and not jobs["completed_jobs"]:
            return
        with self._warehouse.connector:
            if self._warehouse.complete_loads(self._raw_schema, [load_id]):
                storage = pipeline._get_load_storage()
                storage.storage.rename_tree(
                    storage.get_normalized_package_path(load_id), storage.get_loaded_package_path(load_id)
                )
                return
            self._discard(load_id, sorted(doubtful))
            sys.audit(STEP, "doubtful rows removed")
        folder = Path(packages.storage.make_full_path(packages.get_package_path(load_id)))
        # What makes a table doubtful goes last, so that it stays so if this is cut short.
        for state in ("completed_jobs", "failed_jobs", "started_jobs"):
            for path in (folder / state).iterdir():
                if path.suffix == ".parquet" and ParsedLoadJobFileName.parse(path.name).table_name in doubtful:
                    path.rename(folder / "new_jobs" / path.name)
                elif state != "completed_jobs":
                    path.unlink()
