"""A store of documents as a source: a folder for each schema, in it a file of documents for each table, one a line.

    shop/orders.ndjson   {"_id": 1, "order": {"total": 12.50}}

The key is the JSON text of `_id`, so that 1 and "1" are two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from el.connectors.base import ConnectionConfig, Identity
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, Consistency, Key, SourceType, Table, TableName
from el.connectors.documents import DOCUMENT, DocumentSource
from el.connectors.documents.text import located
from el.connectors.documents.types import DOCUMENT_RULE, FIELD_RULES, INDEX_RULE
from el.connectors.request import ReadRequest
from el.errors import DatabaseMissing, ElError, ReadError
from el.types import rule
from el.types.rule import TypeKind, TypeRule

KEY = TypeRule(("key",), "key", "The JSON text of `_id`.", rule.text(), kind=TypeKind.TEXT)


class DocumentsConfig(ConnectionConfig):
    """`folder`: where the store is."""

    names_database: ClassVar[tuple[str, ...]] = ("folder",)
    folder: Path


class Documents(DocumentSource):
    """A folder of documents, of which a read sees the lines that are there when it begins."""

    scheme = "documents"
    config_type = DocumentsConfig
    rules = (KEY, DOCUMENT_RULE, INDEX_RULE, *FIELD_RULES)

    def connect(self) -> None:
        if not self.config.folder.is_dir():
            raise DatabaseMissing(f"there is no folder {self.config.folder}")

    def close(self) -> None:
        """Nothing is kept open."""

    def ping(self) -> Identity:
        return Identity("files", "1", str(self.config.folder), "reader")

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return error if isinstance(error, ElError) else ReadError(f"{type(error).__name__}: {error}")

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        once = Consistency(statement=True)
        columns = (Column("_id", SourceType("key"), nullable=False), Column(DOCUMENT, SourceType("document")))
        tables = tuple(
            Table(TableName(path.parent.name, path.stem), columns, primary_key=Key("key", ("_id",)), consistency=once)
            for path in sorted(self.config.folder.glob("*/*.ndjson"))
            if schemas is None or path.parent.name in schemas
        )
        return Catalog(self.config.folder.name, "1", tables, consistency=once, identity=str(self.config.folder))

    def read_documents(self, request: ReadRequest) -> Buffer:
        assert request.table is not None
        lines = (self.config.folder / request.table.schema / f"{request.table.name}.ndjson").read_text().splitlines()
        schema = pa.schema([pa.field(read.name, pa.string()) for read in request.columns])

        def batches() -> Iterator[pa.RecordBatch]:
            for begin in range(0, len(lines), request.batch_rows):
                some = lines[begin : begin + request.batch_rows]
                found = {"_id": [located(line, ("_id",)) for line in some], DOCUMENT: some}
                yield pa.RecordBatch.from_arrays([pa.array(found[r.source]) for r in request.columns], schema=schema)

        return Buffer(schema, batches(), translate=self.translate)
