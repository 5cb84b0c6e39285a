"""Whether the staged rows are those that were sent: a value that the target's column changed is refused.

Both sides are brought to one Arrow type, batch by batch, and of each column the 64-bit hashes of its values are summed,
in whatever order the rows come; no Python object is made of a value. What is told apart: 0.0 and -0.0 in a column of
floats, NULL and empty, a text's case and its blanks. What is not: a decimal's zeros at the end, a point in time's zone,
one NaN and another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from el.connectors.buffer import Buffer
from el.connectors.sql.common_form import Form, Forms, TextIs, common_form
from el.connectors.sql.engine import session
from el.errors import WriteError

Rows = Callable[[], Buffer]
# What is hashed at once: so many rows, or bytes.
_ROWS, _BYTES = 65_536, 32 * 1024 * 1024
_MEMORY = "512MB"


@dataclass(frozen=True, slots=True)
class Compared:
    """A column that is compared. place: how it is named to people, "number(18,0)" and all. text: see `TextIs`."""

    place: str
    text: TextIs = TextIs.TEXT


def refuse_changes(columns: Sequence[Compared], sent: Rows, staged: Rows, where: str) -> None:
    """Raise `WriteError`, with the column's name, where what was staged is not what was sent.

    Each side can be read again: the second time is for the message.
    """
    with session() as engine, sent() as one, staged() as other:
        forms = [_form(column, a.type, b.type) for column, a, b in zip(columns, one.schema, other.schema, strict=True)]
        before = _sums(engine, one, [form.sent for form in forms], columns)
        after = _sums(engine, other, [form.staged for form in forms], columns)
    if before[0] != after[0]:
        raise WriteError(f"{where} took {after[0]:,} of {before[0]:,} rows")
    for index, column in enumerate(columns):
        if before[index + 1] != after[index + 1]:
            raise WriteError(_difference(column, index, forms[index], sent, staged))


def _form(column: Compared, sent: pa.DataType, staged: pa.DataType) -> Forms:
    try:
        return common_form(sent, staged, column.text)
    except ValueError as error:
        raise WriteError(f"{column.place} and the data {sent}: {error}; cast the data") from None


def _sums(
    engine: duckdb.DuckDBPyConnection, rows: Buffer, forms: Sequence[Form], columns: Sequence[Compared]
) -> tuple[int, ...]:
    """How many rows there are, and of each column the sum of its hashes."""
    names = [f"c{number}" for number in range(len(forms))]
    sums = ", ".join(f"coalesce(sum(hash({name})::HUGEINT), 0)" for name in names)
    total = (0,) * (len(forms) + 1)
    for table in _in_portions(iter(rows)):
        made = [
            _converted(form, data, column) for form, data, column in zip(forms, table.columns, columns, strict=True)
        ]
        engine.register("landed", pa.table(made, names=names))
        found = engine.execute(f"SELECT count(*), {sums} FROM landed").fetchall()[0]
        engine.unregister("landed")
        total = tuple(a + b for a, b in zip(total, found, strict=True))
    return total


def _in_portions(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _ROWS or size >= _BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _converted(form: Form, data: pa.ChunkedArray, column: Compared) -> pa.Array:
    try:
        return form(data.combine_chunks())
    except pa.ArrowException as error:
        # A value that the other side's type does not hold is another value there.
        why = str(error).splitlines()[0]
        raise WriteError(f"{column.place}: values of the data would be changed ({why}); cast the data") from None


def _difference(column: Compared, index: int, forms: Forms, sent: Rows, staged: Rows) -> str:
    """What is said of a column that changed, with the first value that is not there."""

    def reader(rows: Buffer, form: Form) -> pa.RecordBatchReader:
        made = pa.schema([("value", form(pa.nulls(0, rows.schema.field(index).type)).type)])
        found = (pa.RecordBatch.from_arrays([form(batch.column(index))], schema=made) for batch in rows)
        return pa.RecordBatchReader.from_batches(made, found)

    config: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": _MEMORY}
    with (
        tempfile.TemporaryDirectory(prefix="el-write-") as folder,
        duckdb.connect(config={**config, "temp_directory": folder}) as engine,
        sent() as one,
        staged() as other,
    ):
        engine.register("sent", reader(one, forms.sent))
        engine.register("staged", reader(other, forms.staged))
        engine.execute("CREATE TEMP TABLE lost AS SELECT value FROM sent EXCEPT ALL SELECT value FROM staged")
        number = engine.sql("SELECT count(*) FROM lost").fetchall()[0][0]
        first = engine.sql("SELECT value FROM lost LIMIT 1").to_arrow_table().column(0)
    shown = str(forms.shown(first.combine_chunks())[0])[:60] if number else "?"
    return f"{column.place}: {number:,} values of the data would be changed, {shown} the first of them; cast the data"
