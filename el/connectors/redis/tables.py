"""The tables of a Redis database: keys of a pattern, with columns by their type.

Without a type a table has a row for each element of each key, whatever the key's type.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from el.connectors.catalog import Catalog, Column, Consistency, KeptChanges, Key, SourceType, Table, TableName
from el.connectors.documents import DOCUMENT, INDEX
from el.connectors.redis.config import KeyTable, KeyType, RedisConfig
from el.connectors.redis.types import BYTES, ENTRY_ID, EXPIRY, LABEL, SCORE

FEED = "stream"
# Keys of el's own are no rows of any table.
OWN = b"_el_"

_TYPES = {
    **dict.fromkeys(("key", "element", "field", "member", "value"), BYTES),
    "type": LABEL,
    "id": ENTRY_ID,
    INDEX: INDEX,
    "score": SCORE,
    "expires_at": EXPIRY,
    "element_expires_at": EXPIRY,
    "field_expires_at": EXPIRY,
    DOCUMENT: DOCUMENT,
}
ARROW = {BYTES: pa.binary(), SCORE: pa.float64(), EXPIRY: pa.timestamp("us", "UTC"), INDEX: pa.int64()}
_KEYS = {
    None: ("key", "element", INDEX),
    KeyType.STRING: ("key",),
    KeyType.HASH: ("key", "field"),
    KeyType.LIST: ("key", INDEX),
    KeyType.SET: ("key", "member"),
    KeyType.ZSET: ("key", "member"),
    KeyType.STREAM: ("key", "id", INDEX),
}
_MORE = {
    None: ("type", "score", "value", "expires_at", "element_expires_at"),
    KeyType.STRING: ("value", "expires_at"),
    KeyType.HASH: ("value", "expires_at", "field_expires_at"),
    KeyType.LIST: ("value", "expires_at"),
    KeyType.SET: ("expires_at",),
    KeyType.ZSET: ("score", "expires_at"),
    KeyType.STREAM: ("field", "value", "expires_at"),
}
_DOCUMENTS = {
    KeyType.STRING: (("key",), ("value", DOCUMENT, "expires_at")),
    KeyType.HASH: (("key",), (DOCUMENT, "expires_at")),
    KeyType.STREAM: (("key", "id"), (DOCUMENT, "expires_at")),
}
SCANNED = Consistency(
    no_snapshot="SCAN has no state that several reads could share",
    unstable="a key that is there from the read's beginning to its end comes once; others may be missed",
    complete=True,
)
RANGED = Consistency(statement=True, no_snapshot="a stream has no state that several reads could share")


def names_of(table: KeyTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of its key, and the others."""
    kind = table.kind
    key, more = _DOCUMENTS[kind] if table.document and kind in _DOCUMENTS else (_KEYS[kind], _MORE[kind])
    # The entries of a log do not change, and whether it expires as a whole is none of them.
    return key, tuple(name for name in more if table.stream is None or name != "expires_at")


def arrow_of(name: str) -> pa.DataType:
    """The type of a column, as it is read."""
    return ARROW.get(_TYPES.get(name, ""), pa.string())


def catalog_of(config: RedisConfig, version: str, schemas: Sequence[str] | None, rows: int) -> Catalog:
    """All tables of the profile. rows: the keys of the database."""
    wanted = schemas is None or config.schema_name in schemas
    tables = tuple(_table(config, name, table, rows) for name, table in sorted(config.tables.items()))
    return Catalog(config.schema_name, version, tables if wanted else (), consistency=SCANNED, case_sensitive=True)


def _table(config: RedisConfig, name: str, table: KeyTable, rows: int) -> Table:
    key, more = names_of(table)
    return Table(
        TableName(config.schema_name, name),
        tuple(Column(each, SourceType(_TYPES[each]), nullable=each not in key) for each in (*key, *more)),
        primary_key=Key("key", key),
        # Of all keys it is known; an element each.
        rows=rows if table.match == "*" else None,
        feeds=(KeptChanges(FEED),) if table.stream is not None else (),
        consistency=SCANNED if table.stream is None else RANGED,
        comment=f"keys {table.match}" if table.match is not None else f"stream {table.stream}",
    )
