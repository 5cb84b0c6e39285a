"""Targets with a fault that loses something: the suite has to find each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.catalog import TableName
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.write import DuckDbWrite
from el.connectors.sql.incoming import Spool
from el.connectors.sql.write_job import WriteJob
from el.errors import WriteError


class NeverCommits(DuckDb):
    """Its own session sees what it wrote, and nobody else will."""

    def _commit(self) -> None:
        return None

    @contextmanager
    def write_session(self, job: WriteJob) -> Iterator[Self]:
        yield self

    def _begin(self) -> None:
        if not getattr(self, "_begun", False):
            super()._begin()
            self._begun = True


class SaysDoneWhereTheCommitFailed(DuckDb):
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
        try:
            return super().write_buffer(target, data, mode, key=key, run_id=run_id, create=create)
        except WriteError:
            return WriteResult(0, mode, run_id)


class LeavesAFailedCommitOpen(DuckDb):
    """And looks into that very transaction for what it wrote."""

    def _rollback(self) -> None:
        return None

    @contextmanager
    def write_session(self, job: WriteJob) -> Iterator[Self]:
        yield self

    @contextmanager
    def another_session(self) -> Iterator[Self]:
        yield self


class _LosesARow(DuckDbWrite):
    def statements(self, names: Sequence[str]) -> list[str]:
        return [f"{sql} LIMIT 1" if sql.startswith("INSERT") else sql for sql in super().statements(names)]

    def rows_inserted(self, touched: int) -> int:
        return -1


class _ChangesAValue(DuckDbWrite):
    def _compare(self, spool: Spool) -> None:
        return None


class _ForgetsTheRun(DuckDbWrite):
    def _transaction(self, spool: Spool) -> bool:
        found = super()._transaction(spool)
        self.session.connection.execute(f"DELETE FROM {self.quote_table(self.ledger.table)} WHERE run_id <> ''")
        return found


class LosesARow(DuckDb):
    def writer(self) -> type[Any]:
        return _LosesARow


class ChangesAValue(DuckDb):
    def writer(self) -> type[Any]:
        return _ChangesAValue


class ForgetsTheRun(DuckDb):
    def writer(self) -> type[Any]:
        return _ForgetsTheRun
