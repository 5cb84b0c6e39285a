"""Who did what with raw: noted in a file of the working folder at once, and in `_el_audit` when a warehouse is awake.

Guarantees: a run with nothing new asks no statement for it; what waits in the file goes with the next command that
changes something, once; nothing that goes wrong here fails a command. What waits is lost with the working folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from el.config.access import access_of
from el.config.job import Job
from el.connectors.catalog import TableName
from el.connectors.sql.audit import AUDIT_TABLE, Entry, append
from el.connectors.sql.target import SqlTarget
from el.errors import AccessDenied, ElError
from el.loading.journal import add_line, lines_behind, set_mark
from el.loading.warehouse import Warehouse
from el.reporting.summary import TableReport

JOURNAL = "audit.jsonl"


@dataclass
class Audit:
    """What is noted of one command."""

    job: Job
    command: str
    tables: list[str] = field(default_factory=list)
    _entry: Entry | None = None

    def note(self, result: str) -> None:
        """Into the file, once."""
        if self._entry is None:
            role = str(access_of(self.job.destination))
            names = ", ".join(sorted(set(self.tables)))
            self._entry = Entry(self.command, role, names, self.job.run_id, result)
            note(self.job.home, self._entry, self._pair)

    def note_run(self, reports: Sequence[TableReport]) -> bool:
        """Into the file, what a run did; whether it has loaded anything."""
        loaded = [report for report in reports if report.load_id is not None]
        failed = [report for report in reports if report.status == "failed"]
        self.tables += [report.table for report in (*loaded, *failed)]
        self.note(f"failed: {len(failed)} tables" if failed else "done")
        return bool(loaded)

    def deliver(self, warehouse: Warehouse, raw_schema: str) -> None:
        """What was noted and not delivered, into the table. For a command that has woken the warehouse anyway."""
        mark = self.job.work / "audit.sent"
        with suppress(ElError, OSError):
            found, end = _waiting(self.job.home / JOURNAL, mark, self._pair)
            if self._entry is not None and self._entry.entry_id not in {each.entry_id for each in found}:
                found.append(self._entry)
            table = TableName(warehouse.fold(raw_schema), warehouse.fold(AUDIT_TABLE))
            with warehouse.connector as connector:
                assert isinstance(connector, SqlTarget)
                append(connector, connector.writer().types, table, found)
            set_mark(mark, end)

    @property
    def _pair(self) -> str:
        return self.job.work.name


@contextmanager
def audited(job: Job, command: str, *tables: str) -> Iterator[Audit]:
    """Note how what is inside ends. Of an error its kind alone: its text may name a value."""
    audit = Audit(job, command, list(tables))
    with noting(audit.note):
        yield audit


@contextmanager
def noting(note: Callable[[str], None]) -> Iterator[None]:
    """Call `note` with the word for how what is inside ends."""
    try:
        yield
    except AccessDenied:
        note("refused")
        raise
    except BaseException as error:
        note("interrupted" if isinstance(error, KeyboardInterrupt) else f"failed: {type(error).__name__}")
        raise
    else:
        note("done")


def note(home: Path, entry: Entry, pair: str = "") -> None:
    """Add a line to the file. pair: of which source and destination; "": of all, as of a secret."""
    add_line(home / JOURNAL, {"pair": pair, **asdict(entry)})


def _waiting(journal: Path, mark: Path, pair: str) -> tuple[list[Entry], int]:
    """What stands behind the mark, and where it ends."""
    lines, end = lines_behind(journal, mark)
    found = []
    for read in lines:
        if read.pop("pair", None) in ("", pair):
            with suppress(TypeError):
                found.append(Entry(**read))
    return found, end
