"""The collections of a database as tables: `_id`, the document, and its bytes where its text is not all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from el.connectors.catalog import Catalog, Column, Key, SourceType, Table, TableName
from el.connectors.documents import DOCUMENT
from el.connectors.mongodb.client import Server
from el.connectors.mongodb.moment import consistency_of, window_of
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


def catalog_of(
    client: MongoClient[dict[str, Any]], database: str, server: Server, schemas: Sequence[str] | None
) -> Catalog:
    """The catalog of a database; its one schema has its name."""
    tables: list[Table] = []
    window = window_of(client) if not server.standalone else 0
    if schemas is None or database in schemas:
        found = client[database].list_collections()
        for each in sorted(found, key=lambda each: str(each["name"])):
            if not str(each["name"]).startswith("system."):
                tables.append(_table(client[database], each, server, window))
    return Catalog(database, server.shown, tuple(tables), case_sensitive=True)


def _table(database: Database[dict[str, Any]], found: Mapping[str, Any], server: Server, window: int) -> Table:
    name, kind = str(found["name"]), str(found.get("type", "collection"))
    plain = kind == "collection"
    rows, size = (None, None) if kind == "view" else _size(database, name)
    capped = bool(found.get("options", {}).get("capped"))
    return Table(
        TableName(database.name, name),
        COLUMNS if plain else _KEYLESS,
        kind="view" if kind == "view" else "table",
        primary_key=Key("_id_", (ID,)) if plain else None,
        rows=rows,
        bytes=size,
        indexes=_indexes(database, name) if plain else (),
        consistency=consistency_of(server, kind, capped, rows, window),
        comment=f"{'capped ' if capped else ''}{kind}" if capped or not plain else None,
    )


def _size(database: Database[dict[str, Any]], name: str) -> tuple[int | None, int | None]:
    """Documents and bytes, as the server counts them without looking."""
    try:
        found = database.command("collStats", name)
    except OperationFailure:
        return None, None
    return found.get("count"), found.get("size")


def _indexes(database: Database[dict[str, Any]], name: str) -> tuple[Key, ...]:
    """Those that have every document, in an order: by the paths of their fields."""
    try:
        found = list(database[name].list_indexes())
    except OperationFailure:
        return ()
    whole = (each for each in found if not any(each.get(part) for part in ("sparse", "partialFilterExpression")))
    plain = ((str(each["name"]), each["key"]) for each in whole if not each.get("hidden"))
    return tuple(Key(named, tuple(key)) for named, key in plain if all(way in (1, -1) for way in key.values()))
