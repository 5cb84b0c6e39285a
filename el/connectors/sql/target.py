"""A SQL database that is written: the one `write_buffer` of all of them, over each database's `SqlWrite`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Self

from el.connectors.access import Access, Operation
from el.connectors.base import ArrowStream, Target, WriteMode, WriteResult
from el.connectors.catalog import TableName
from el.connectors.sql.connector import SqlConnector
from el.errors import ElError

if TYPE_CHECKING:
    from el.connectors.sql.write import SqlWrite
    from el.connectors.sql.write_job import WriteJob


class SqlTarget(SqlConnector, Target):
    """A `SqlConnector` that is written too. It gives `writer`."""

    @abstractmethod
    def writer(self) -> type[SqlWrite[Any]]:
        """What differs from database to database when it is written. Imported when it is first asked for."""

    def write_session(self, job: WriteJob) -> AbstractContextManager[Self]:
        """The session in which a write is done."""
        return nullcontext(self)

    def write_buffer(
        self,
        target: TableName,
        data: ArrowStream,
        mode: WriteMode = WriteMode.APPEND,
        *,
        key: Sequence[str] = (),
        run_id: str,
        create: bool = False,
    ) -> WriteResult:
        from el.connectors.sql.audit import Entry, append
        from el.connectors.sql.incoming import released
        from el.connectors.sql.write_job import WriteJob

        job = WriteJob(target, mode, tuple(key), run_id, create)
        with released(data), self.write_session(job) as session:
            write = self.writer()(session, job)
            if job.mode is not WriteMode.APPEND and not self.access.within(Access.OWNER) and write.into_raw():
                self.require(Operation.CHANGE_RAW)
            result = write.run(data)
            if not result.already_done:
                entry = Entry(f"write_buffer {job.mode}", str(self.access), str(target), run_id, "done")
                # The data is committed: whatever is wrong with this row, the write is not.
                with suppress(ElError):
                    append(session, write.types, TableName(target.schema, write.audit_name), [entry])
            return result
