"""A store of JSON lines as a source: a folder for each schema, in it a file of rows for each table.

    sales/orders.jsonl   {"id": 1, "amount": "12.50", "changed": "2024-02-29T12:00:00"}
    sales/orders.json    {"columns": {"id": "whole not null", "amount": "decimal(12,2)", "changed": "second"},
                          "key": ["id"]}

A read sees the lines that were whole when it began. Values are Python objects on their way, which is slow: a driver
that gives Arrow is better.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from el_jsonlines_log import Log, LogFile, Logged

from el.connectors.abilities import ChangeSource, CursorSource, Extent, SplitSource
from el.connectors.base import ConnectionConfig, Identity, Source
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, Consistency, KeptChanges, Key, SourceType, Table, TableName
from el.connectors.request import OP_READ, POSITION_READ, ColumnRead, Condition, Op, Position, ReadRequest, Split, Value
from el.connectors.type_rules import map_type
from el.errors import DatabaseMissing, ElError, PlanError, ReadError
from el.types import rule
from el.types.rule import TypeKind, TypeRule


class JsonLinesConfig(ConnectionConfig):
    """`folder`: where the store is."""

    names_database: ClassVar[tuple[str, ...]] = ("folder",)
    folder: Path


SECOND = TypeRule(("second",), "second", "A time in whole seconds.", rule.WALL_CLOCK, kind=TypeKind.MOMENT, scale=0)
RULES = (
    TypeRule(("whole",), "whole", "64 bits.", rule.integer(pa.int64(), "BIGINT", 19), kind=TypeKind.WHOLE),
    TypeRule(("decimal",), "decimal(p,s)", "The declared digits.", rule.DECLARED_DECIMAL, kind=TypeKind.DECIMAL),
    TypeRule(("double",), "double", "64 bits.", rule.FLOAT, kind=TypeKind.FLOAT),
    TypeRule(("flag",), "flag", "true or false.", rule.BOOLEAN, kind=TypeKind.BOOL),
    TypeRule(("string",), "string", "Text in UTF-8.", rule.text(), kind=TypeKind.TEXT),
    TypeRule(("bytes",), "bytes", "0x and hex.", rule.binary(), kind=TypeKind.BYTES),
    TypeRule(("day",), "day", "A day.", rule.DAY, kind=TypeKind.DATE),
    SECOND,
    TypeRule(("moment",), "moment", "A time in microseconds.", rule.WALL_CLOCK, kind=TypeKind.MOMENT, scale=6),
    TypeRule(("instant",), "instant", "A point in time, in UTC.", rule.POINT_IN_TIME, kind=TypeKind.INSTANT, scale=6),
)


# The lines that are whole when a read begins; two reads may see two moments.
ONE_READ = Consistency(statement=True, no_snapshot="a file has no state that two reads could share")


@dataclass(frozen=True, slots=True)
class Bytes(Split):
    """The lines that begin at these bytes of the file. No end: all that are there when it is read."""

    begin: int
    end: int | None  # exclusive


class JsonLines(Source, CursorSource, SplitSource, ChangeSource):
    """A folder of JSON lines. It is not written, and has no SQL."""

    scheme = "jsonlines"
    config_type = JsonLinesConfig
    rules = RULES
    split_by_column = False
    feeds = (Log,)

    def __init__(self, config: JsonLinesConfig) -> None:
        super().__init__(config)
        self._open = False

    def connect(self) -> None:
        if not self.config.folder.is_dir():
            raise DatabaseMissing(f"there is no folder {self.config.folder}")
        self._open = True

    def close(self) -> None:
        self._open = False

    def ping(self) -> Identity:
        return Identity("files", "1", str(self._folder), "reader")

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return error if isinstance(error, ElError) else ReadError(f"{type(error).__name__}: {error}")

    # -- catalog

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        found = sorted(self._folder.glob("*/*.jsonl"))
        tables = [self._table(TableName(path.parent.name, path.stem)) for path in found]
        return Catalog(
            database=self._folder.name,
            version="1",
            tables=tuple(table for table in tables if schemas is None or table.name.schema in schemas),
            consistency=ONE_READ,
            identity=str(self._folder),
        )

    def _table(self, name: TableName) -> Table:
        path = self.path(name)
        try:
            said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self.translate(error) from None
        columns = tuple(_column(*item) for item in said["columns"].items())
        key = Key("key", tuple(said["key"])) if said.get("key") else None
        feeds = (KeptChanges(Log.name),) if path.with_suffix(".log").is_file() else ()
        return Table(name, columns, primary_key=key, bytes=path.stat().st_size, feeds=feeds, consistency=ONE_READ)

    @property
    def _folder(self) -> Path:
        if not self._open:
            raise ReadError("the store is closed; use the connector inside `with`")
        return Path(self.config.folder).resolve()

    def path(self, name: TableName) -> Path:
        path = self._folder / name.schema / f"{name.name}.jsonl"
        if not path.is_file():
            raise ReadError(f"there is no table {name}")
        return path

    # -- reading

    def supports(self, op: Op, column: Column) -> bool:
        return column.type.name != "flag" or op not in (Op.LT, Op.LE, Op.GT, Op.GE)

    def read_buffer(self, request: ReadRequest) -> Buffer:
        if request.table is None or request.order_by:
            raise ReadError("JSON lines are read table by table, in their own order")
        columns = {column.name: column for column in self._table(request.table).columns}
        reads = request.columns or tuple(ColumnRead(name, name) for name in columns)
        for wanted in (*(read.source for read in reads), *(each.column for each in (*request.where, *request.kept))):
            if wanted not in columns:
                raise ReadError(f"{request.table} has no column {wanted!r}")
        types = {name: map_type(self.scheme, column.type).arrow for name, column in columns.items()}
        # The plan says of each column which type it expects; a read from Python does not.
        fields = [pa.field(read.name, read.arrow or types[read.source]) for read in reads]
        own = (OP_READ, POSITION_READ) if request.changes else (OP_READ,) if request.kept else ()
        schema = pa.schema([*fields, *(pa.field(name, pa.string()) for name in own)])

        def batches() -> Iterator[pa.RecordBatch]:
            left = request.limit
            for rows in self._rows(request):
                batch = self._batch(rows, reads, request, types, schema)
                if left is not None:
                    batch = batch.slice(0, left)
                    left -= batch.num_rows
                if batch.num_rows:
                    yield batch
                if left == 0:
                    return

        # Asked for first: a change that comes meanwhile may be among the rows, and comes with the next delta again.
        log = None if request.changes else self._log(request.table)
        return Buffer(schema, batches(), translate=self.translate, reached=log and log.end)

    def _log(self, name: TableName) -> LogFile | None:
        path = self.path(name)
        return LogFile.beside(path) if path.with_suffix(".log").is_file() else None

    def _rows(self, request: ReadRequest) -> Iterator[list[dict[str, Any]]]:
        assert request.table is not None
        path = self.path(request.table)
        if request.changes is None:
            return _lines(path, request)
        assert isinstance(request.changes, Logged)
        return LogFile.beside(path).rows(request.changes, request.batch_rows)

    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        if by is not None or request.table is None:
            raise PlanError("JSON lines are divided by their bytes: leave out `partition_by`, and say `partitions`")
        size = self.path(request.table).stat().st_size
        cuts = [size * number // wanted for number in range(wanted)]
        return tuple(Bytes(*each) for each in zip(cuts, [*cuts[1:], None], strict=True))

    def loaded(self, feed: str, held: Mapping[TableName, Position]) -> None:
        """Beside each log, up to where it may be shortened."""
        for name, position in held.items():
            self.path(name).with_suffix(".held").write_text(position.text)

    def _batch(
        self,
        rows: list[dict[str, Any]],
        reads: Sequence[ColumnRead],
        request: ReadRequest,
        types: dict[str, pa.DataType],
        schema: pa.Schema,
    ) -> pa.RecordBatch:
        def column(name: str) -> pa.Array:
            return _array([row.get(name) for row in rows], types[name])

        def held(conditions: Sequence[Condition]) -> pa.Array:
            every = pa.repeat(pa.scalar(True), len(rows))
            return reduce(
                pc.and_, (_holds(column(each.column), each, types[each.column]) for each in conditions), every
            )

        arrays = [column(read.source).cast(schema.field(read.name).type) for read in reads]
        if request.changes:
            arrays += [pa.array([row[name] for row in rows], pa.string()) for name in (OP_READ, POSITION_READ)]
        elif request.kept:
            # What the filters leave out is read as deleted: raw may hold it from before.
            arrays.append(pc.if_else(held(request.kept), "U", "D"))
        return pa.RecordBatch.from_arrays(arrays, schema=schema).filter(held(request.where))

    # -- how far a column has grown

    def clock(self) -> str:
        return (datetime.now(UTC) + timedelta(minutes=5)).replace(tzinfo=None).isoformat(timespec="microseconds")

    def extent(
        self, request: ReadRequest, column: str, type_: SourceType, bound: Value | None = None, *, nulls: bool = False
    ) -> Extent:
        greatest, empty = None, False
        for values in self._values(request, column):
            empty = empty or values.null_count > 0
            greatest = _best(pc.max, greatest, values)
        if greatest is None:
            return Extent(None, 0, nulls and empty)
        limit = None if bound is None else _array([_stored(bound.text, greatest.type)], greatest.type)[0]
        against = 0 if limit is None else (greatest.as_py() > limit.as_py()) - (greatest.as_py() < limit.as_py())
        return Extent(Value(_text(greatest, type_), type_), against, nulls and empty)

    def max_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        found = reduce(lambda best, values: _best(pc.max, best, values), self._values(request, column), None)
        return None if found is None else Value(_text(found, type_), type_)

    def value_back(self, request: ReadRequest, column: str, type_: SourceType, bound: Value, rows: int) -> Value | None:
        below = replace(request, where=(*request.where, Condition(column, Op.LE, bound)))
        kept: pa.Array | None = None
        for values in self._values(below, column):
            known = values.drop_null() if kept is None else pa.concat_arrays([kept, values.drop_null()])
            kept = known.take(pc.sort_indices(known)[-rows:])
        return None if kept is None or not len(kept) else Value(_text(kept[0], type_), type_)

    def _values(self, request: ReadRequest, column: str) -> Iterator[pa.Array]:
        with self.read_buffer(replace(request, columns=(ColumnRead(column, column),))) as buffer:
            for batch in buffer:
                yield batch.column(0)


def _column(name: str, declared: str) -> Column:
    """ "decimal(12,2) not null" as a column."""
    type_, _, rest = declared.partition(" ")
    base, _, digits = type_.rstrip(")").partition("(")
    precision, scale = (int(each) for each in digits.split(",")) if digits else (None, None)
    return Column(name, SourceType(base, precision=precision, scale=scale), nullable=rest != "not null")


def _lines(path: Path, request: ReadRequest) -> Iterator[list[dict[str, Any]]]:
    """The rows, so many at once as the request allows; a last line without its end is not written yet."""
    part = request.split if isinstance(request.split, Bytes) else Bytes(0, None)
    with path.open("rb") as file:
        size = path.stat().st_size
        if part.begin:
            # The line in which the part begins is that of the part before.
            file.seek(part.begin - 1)
            file.readline()
        left = size - file.tell()
        end = size if part.end is None else part.end
        while file.tell() < min(end, size) and left > 0:
            rows, taken = [], 0
            while len(rows) < request.batch_rows and taken < request.batch_bytes and left > 0 and file.tell() < end:
                line = file.readline(left)
                left -= len(line)
                taken += len(line)
                if not line.endswith(b"\n"):
                    left = 0
                elif line.strip():
                    rows.append(json.loads(line, parse_float=Decimal))
            yield rows


def _array(values: list[Any], type_: pa.DataType) -> pa.Array:
    """JSON values as Arrow; one that does not fit its type is an error."""
    if pa.types.is_decimal(type_):
        return pa.array([None if value is None else Decimal(value) for value in values], type_)
    if pa.types.is_floating(type_):
        return pa.array([None if value is None else float(value) for value in values], type_)
    if pa.types.is_binary(type_):
        return pa.array([None if value is None else bytes.fromhex(value[2:]) for value in values], type_)
    if pa.types.is_temporal(type_):
        return pa.array(values, pa.string()).cast(type_)
    return pa.array(values, type_)


def _stored(text: str, type_: pa.DataType) -> Any:
    """A canonical text as the JSON value that a row would hold."""
    if pa.types.is_boolean(type_):
        return text in ("1", "true")
    return int(text) if pa.types.is_integer(type_) else text


def _text(value: pa.Scalar, type_: SourceType) -> str:
    """A value in the canonical text of its type: with all its digits, and in one way only."""
    found = value.as_py()
    if isinstance(found, float):
        return f"{found:.17g}"
    if isinstance(found, Decimal):
        return f"{found:f}"
    if isinstance(found, bytes):
        return f"0x{found.hex().upper()}"
    if pa.types.is_timestamp(value.type):
        text: str = found.replace(tzinfo=None).isoformat(
            timespec="seconds" if type_.name == "second" else "microseconds"
        )
        return f"{text}Z" if type_.name == "instant" else text
    return str(found)


_OPS = {
    Op.EQ: pc.equal,
    Op.NE: pc.not_equal,
    Op.LT: pc.less,
    Op.LE: pc.less_equal,
    Op.GT: pc.greater,
    Op.GE: pc.greater_equal,
}


def _holds(column: pa.Array, condition: Condition, type_: pa.DataType) -> pa.Array:
    """Which rows a condition lets through; a comparison with NULL lets none."""
    if condition.value is None:
        return column.is_null() if condition.op is Op.IS_NULL else column.is_valid()
    value = _array([_stored(condition.value.text, type_)], type_)[0]
    held = pc.fill_null(_OPS[condition.op](column, value), False)
    return pc.or_(held, column.is_null()) if condition.or_null else held


def _best(function: Any, best: pa.Scalar | None, values: pa.Array) -> pa.Scalar | None:
    found = function(values if best is None else pa.concat_arrays([values, pa.array([best.as_py()], values.type)]))
    return found if found.is_valid else best
