"""What stores of documents share: a row is a key, a document in canonical text, and the fields that el.yml promotes.

Guarantees: columns never depend on what the documents happen to hold; a promoted value is whole, or NULL beside its
document, counted and told. A connector gives `read_documents`: keys and documents; the rest is here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import pyarrow as pa

from el.connectors.base import Source
from el.connectors.buffer import Buffer
from el.connectors.catalog import Column, SourceType, Table, TableName
from el.connectors.documents.fields import Field, Promotion
from el.connectors.documents.forms import PLAIN, Form
from el.connectors.documents.propose import SAMPLE, Proposal, propose
from el.connectors.documents.text import steps_of
from el.connectors.documents.unnest import INDEX, Array, unnested
from el.connectors.misfits import Misfit, Misfits
from el.connectors.request import ColumnRead, Op, ReadRequest
from el.errors import ReadError

__all__ = ["DOCUMENT", "INDEX", "DocumentSource", "Misfit", "Misfits", "Proposal"]

DOCUMENT = "document"


class DocumentSource(Source):
    """A store of documents. Which of its tables have documents says their column `document`."""

    form: ClassVar[Form] = PLAIN  # how its documents write what JSON has no type for

    @abstractmethod
    def read_documents(self, request: ReadRequest) -> Buffer:
        """As `read_buffer`, of columns that the store itself has."""

    def key_names(self, name: TableName) -> tuple[str, ...]:
        """By which columns a document of this table is named in what is told; () by all that are read beside it."""
        return ()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The driver's errors of what is asked inside, in el's words."""
        try:
            yield
        except Exception as error:
            raise self.translate(error) from None

    def supports(self, op: Op, column: Column) -> bool:
        return False

    def propose(self, table: Table) -> tuple[Proposal, ...]:
        """What a sample of a table's documents has. Asks no more than the sample of the store."""
        if table.column(DOCUMENT) is None:
            return ()
        request = ReadRequest(table=table.name, columns=(ColumnRead(DOCUMENT, DOCUMENT),), limit=SAMPLE)
        with self.read_buffer(request) as buffer:
            texts = (text for batch in buffer for text in batch.column(0).to_pylist() if text is not None)
            return propose(texts, self.form)

    def read_buffer(self, request: ReadRequest) -> Buffer:
        fields = [read for read in request.columns if read.read_as is not None]
        if not fields and request.unnest is None:
            return self.read_documents(request)
        return _Fields(self, request, fields).buffer()


class _Fields:
    """A read with promoted fields, or of elements: over a read of what the store has."""

    def __init__(self, source: DocumentSource, request: ReadRequest, promoted: Sequence[ColumnRead]) -> None:
        self.source = source
        self.request = request
        # Asked for now: what is drained later is not the connector's own call any longer.
        self.named = source.key_names(request.table) if request.table is not None else ()
        self.plain = [read for read in request.columns if read.read_as is None]
        self.fields = tuple(_field(read) for read in promoted)

    def buffer(self) -> Buffer:
        """Asks the store for keys, the document, and what else is wanted of it."""
        request = self.request
        own = [read for read in self.plain if read.source not in (DOCUMENT, INDEX)]
        asked = (*own, ColumnRead(DOCUMENT, DOCUMENT, None, pa.string()))
        # Of documents without elements the first rows may be none.
        limit = None if request.unnest else request.limit
        below = self.source.read_documents(replace(request, columns=asked, unnest=None, limit=limit))
        found = {field.name: field for field in below.schema}
        schema = [found[read.name] if read in own else _made_here(read) for read in request.columns]
        beside = [field for field in below.schema if field.name not in {read.name for read in asked}]
        made = pa.schema([*schema, *beside])

        def batches() -> Iterator[pa.RecordBatch]:
            yield from self._batches(below, made)
            # Of changes it is known once they are all read.
            buffer.reached = below.reached

        buffer = Buffer(made, batches(), close=below.close, reached=below.reached, misfits=below.misfits)
        return buffer

    def _batches(self, below: Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        own = [read for read in self.plain if read.source not in (DOCUMENT, INDEX)]
        keys = [read.name for read in own if not self.named or read.source in self.named]
        form = self.source.form
        promotion = Promotion(self.fields, below.misfits, form)
        array = None if self.request.unnest is None else Array(steps_of(self.request.unnest), form)
        # By their place in the source, whatever they are called in raw.
        made = {read.source: read.name for read in self.plain if read.source in (DOCUMENT, INDEX)}
        for batch in below:
            found = batch
            if array is not None:
                found = unnested(batch, DOCUMENT, array, below.misfits, _namer(batch, keys))
            columns = {name: found.column(name) for name in found.schema.names}
            columns.update({name: columns[source] for source, name in made.items()})
            columns.update(promotion.of(columns[DOCUMENT], _namer(found, keys)))
            arrays = [columns[field.name].cast(field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _made_here(read: ColumnRead) -> pa.Field:
    plain = pa.int64() if read.source == INDEX and read.read_as is None else pa.string()
    return pa.field(read.name, read.arrow or plain)


def _field(read: ColumnRead) -> Field:
    path, part = read.read_as or "", False
    if path.startswith("json(") and path.endswith(")"):
        path, part = path[5:-1], True
    try:
        return Field(read.name, steps_of(path), read.arrow or pa.string(), part)
    except ValueError as error:
        raise ReadError(f"{read.name}: {error}") from None


def _namer(batch: pa.RecordBatch, keys: Sequence[str]) -> Callable[[int], str]:
    def name(row: int) -> str:
        found = [f"{key} {batch.column(key)[row].as_py()!r}" for key in keys if key in batch.schema.names]
        return ", ".join(found) or f"row {row}"

    return name


def field_column(name: str, path: str, type_: SourceType) -> Column:
    """A promoted field as a column of its table. Raises `ValueError` for what is no path."""
    steps_of(path)
    return Column(name, type_, path=path)
