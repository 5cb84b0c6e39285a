"""The collections of a database as tables: `_id`, the document, and its bytes where its text is not all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pymongo import MongoClient
from pymongo.database import Database

from el.connectors.catalog import Catalog, Column, Consistency, Key, SourceType, Table, TableName
from el.connectors.documents import DOCUMENT
from el.connectors.mongodb.client import Server
from el.connectors.mongodb.types import BYTES, KEY

ID, RAW = "_id", "_el_raw"
ARROW = {ID: pa.string(), DOCUMENT: pa.string(), RAW: pa.binary()}
COLUMNS = (
    Column(ID, SourceType(KEY), nullable=False),
    Column(DOCUMENT, SourceType(DOCUMENT), nullable=False),
    Column(RAW, SourceType(BYTES)),
)
# Of a view and of measurements `_id` is no key: the documents of a view may have none.
_KEYLESS = (Column(ID, SourceType(KEY)), *COLUMNS[1:])
SCANNED = Consistency(
    no_snapshot="the reads are not in one session with a snapshot",
    unstable="a document that changes meanwhile comes as it was before or after",
    complete=True,
)


def catalog_of(
    client: MongoClient[dict[str, Any]], database: str, server: Server, schemas: Sequence[str] | None, *, brief: bool
) -> Catalog:
    """The catalog of a database; its one schema has its name."""
    tables: list[Table] = []
    if schemas is None or database in schemas:
        found = client[database].list_collections()
        for each in sorted(found, key=lambda each: str(each["name"])):
            if not str(each["name"]).startswith("system."):
                tables.append(_table(client[database], each, brief=brief))
    return Catalog(database, server.shown, tuple(tables), consistency=SCANNED, case_sensitive=True)


def _table(database: Database[dict[str, Any]], found: Mapping[str, Any], *, brief: bool) -> Table:
    name, kind = str(found["name"]), str(found.get("type", "collection"))
    rows = None if kind == "view" else database[name].estimated_document_count()
    plain = kind == "collection"
    return Table(
        TableName(database.name, name),
        COLUMNS if plain else _KEYLESS,
        kind="view" if kind == "view" else "table",
        primary_key=Key("_id_", (ID,)) if plain else None,
        rows=rows,
        consistency=SCANNED,
        comment=None if plain else kind,
    )
