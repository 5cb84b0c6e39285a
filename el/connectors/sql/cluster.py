"""A SQL database that may be a cluster: what is read is read at `host`, and the writer has the log and takes the rows.

Guarantees: a log of changes is followed where it is written, and a snapshot that has to meet it is read there too, so
that no lag of a replica lies between them. A reader takes no rows, which is said before any is sent; a writer that was
failed over is one, until there is a new connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Self

from el.connectors.base import ChangeSource
from el.connectors.check import Check, fine, wrong
from el.connectors.cluster_config import ClusterConfig
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from el.connectors.sql.write_job import WriteJob
from el.errors import NotPermitted, WriteError

READER_NOTE = (
    "this server is a reader, to which its writer's commits come later; `strategy: changes` and `write_buffer` need "
    "the writer (`writer_host`)"
)


class Cluster(SqlTarget, ChangeSource):
    """A `SqlTarget` whose profile may name two endpoints. It calls `_leave_writer` when it is closed."""

    config: ClusterConfig
    # One row and column: whether this server is a reader.
    reads_only: ClassVar[str]
    _beside: Self | None = None

    def beside_log(self) -> Self:
        at_writer = self.config.at_writer()
        if at_writer is None:
            return self
        if self._beside is None or not self._beside.is_open:
            self._leave_writer()
            beside = type(self)(at_writer)
            beside.connect()
            self._beside = beside
        return self._beside

    def _leave_writer(self) -> None:
        beside, self._beside = self._beside, None
        if beside is not None:
            beside.close()

    def _reader_of(self, request: ReadRequest) -> Self:
        """Whose rows, or log, a request is for."""
        return self.beside_log() if request.placed or request.changes is not None else self

    def is_reader(self) -> bool:
        """Whether this server is a reader, as it is now."""
        return bool(self.fetch(Statement(self.reads_only))[0][0])

    def _sees_writers(self) -> Self:
        """The session whose server knows which transactions are open. Raises `NotPermitted` where there is none."""
        beside = self.beside_log()
        if beside is self and self.is_reader():
            self.writer_right = "this server is a reader; `writer_host` names the writer"
            raise NotPermitted(self.writer_right)
        return beside

    def _writer_checks(self) -> Iterator[Check]:
        """Whether what the profile calls the writer is one."""
        at_writer = self.config.at_writer()
        if at_writer is None:
            return
        if self.beside_log().is_reader():
            remedy = "give the cluster endpoint as `writer_host`; or it fails over just now"
            yield wrong("writer", f"{at_writer.host} is a reader, which takes no rows and has no log", remedy)
        else:
            yield fine("writer", f"{at_writer.host} is the writer")

    @contextmanager
    def write_session(self, job: WriteJob) -> Iterator[Self]:
        at_writer = self.config.at_writer()
        with ExitStack() as opened:
            session: Self = self if at_writer is None else type(self)(at_writer)
            if session is not self:
                opened.enter_context(session)
            if session.is_reader():
                named = session.config.names_a_reader
                remedy = "`writer_host` names the writer" if named else "it fails over, or `writer_host` is missing"
                # The name may stand for another server in a moment.
                raise WriteError(
                    f"{session.config.host} is a reader, which takes no rows: {remedy}", retryable=not named
                )
            yield session
