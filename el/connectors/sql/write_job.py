"""What one `write_buffer` is asked for, and what of it is refused whatever the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from el.connectors.base import WriteMode, WriteResult
from el.connectors.catalog import SourceType, TableName
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.select import Statement
from el.errors import WriteError

Fetch = Callable[[Statement], list[tuple[object, ...]]]


def as_mode(mode: WriteMode | str) -> WriteMode:
    """The mode, also where it is given as text. Raises `WriteError` for a text that is none."""
    try:
        return WriteMode(mode)
    except ValueError:
        raise WriteError(f"there is no write mode {mode!r}; there are: {', '.join(WriteMode)}") from None


def refuse_run_id(run_id: str) -> None:
    """Raise `WriteError` for a run_id that is no name: the ledger's empty one is each target's own row."""
    if not run_id or run_id != run_id.strip():
        # Databases differ in whether blanks at the end make another text.
        raise WriteError(f"run_id {run_id!r}: give it at least one character, and none that is blank at either end")


@dataclass(frozen=True, slots=True)
class WriteJob:
    """What one `write_buffer` is asked for. Raises `WriteError` for a mode or a run_id that is none."""

    target: TableName
    mode: WriteMode
    key: tuple[str, ...]
    run_id: str
    create: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", as_mode(self.mode))
        refuse_run_id(self.run_id)

    def done(self, rows: int) -> WriteResult:
        """That these rows were applied."""
        return WriteResult(rows, self.mode, self.run_id)

    def done_before(self) -> WriteResult:
        """That this very run was applied already."""
        return WriteResult(0, self.mode, self.run_id, already_done=True)


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column of the target that can be written."""

    name: str
    type: SourceType


def refuse_columns(
    target: TableName, names: Sequence[str], columns: Sequence[str], mode: WriteMode, key: Sequence[str]
) -> None:
    """Raise `WriteError` where data with columns `names` cannot be applied; no row was read yet.

    columns: the target's. Every column of the data must be among them; MERGE needs a key that is in the data.
    """
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise WriteError(f"{target} has no column {unknown[0]!r} to write to; it has: {', '.join(columns)}")
    if len(set(names)) != len(names):
        raise WriteError(f"the data for {target} has a column name twice")
    if not names:
        raise WriteError(f"the data for {target} has no column")
    if mode is not WriteMode.MERGE:
        return
    if not key:
        raise WriteError(f"{target}: merge needs a key")
    absent = [name for name in key if name not in names]
    if absent:
        raise WriteError(f"{target}: key column {absent[0]!r} is not in the data")


def refuse_keys(fetch: Fetch, dialect: Dialect, staging: TableName, target: TableName, key: Sequence[str]) -> None:
    """Raise `WriteError` for a key with NULL or more than once among the staged rows, as the database compares them."""
    table = exp.Table(
        this=exp.to_identifier(staging.name, quoted=True), db=exp.to_identifier(staging.schema or None, quoted=True)
    )
    columns = [exp.column(exp.to_identifier(name, quoted=True)) for name in key]
    for name, column in zip(key, columns, strict=True):
        missing = exp.select(exp.Count(this=exp.Star())).from_(table).where(column.is_(exp.null()))
        if int(str(fetch(Statement(missing.sql(dialect.name)))[0][0])):
            raise WriteError(f"{target}: key column {name!r} has NULL in the data")
    twice = exp.select(*columns).from_(table).group_by(*columns)
    twice = twice.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))).limit(1)
    found = fetch(Statement(twice.sql(dialect.name)))
    if found:
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(key, found[0], strict=True))
        raise WriteError(f"{target}: the data has key {shown} more than once")
