"""The tables of a region: the attributes of their keys, and the item as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from el.connectors.catalog import Catalog, Column, Consistency, KeptChanges, Key, SourceType, Table, TableName
from el.connectors.documents import DOCUMENT, INDEX
from el.connectors.dynamodb.config import DynamoDbConfig
from el.connectors.dynamodb.errors import MISSING, code_of
from el.connectors.dynamodb.types import OF_KEY

# All tables of a region stand in one schema: the service has none.
SCHEMA = "dynamodb"
STREAM = "dynamodb_stream"
_OWN = "_el_"
# What a stream has of an item after a change.
_WHOLE = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
# What a table is read out of an export for.
GAIN = "the table as it was at one moment, at no read capacity"
EXPORTED = Consistency(statement=True, no_snapshot="each export is of a moment of its own")
SCANNED = Consistency(
    no_snapshot="a scan has no state that several reads could share; `strategy: changes` goes on from it by the stream",
    unstable="an item that is written meanwhile comes as it was before or after",
    complete=True,
    better="a point-in-time export (`export` in the profile)",
)


@dataclass(frozen=True, slots=True)
class KeyPart:
    """An attribute of a table's key, and the column that has it."""

    attribute: str
    type: str  # S, N or B
    column: str


def key_of(said: Mapping[str, Any]) -> tuple[KeyPart, ...]:
    """The key of a table, out of what DescribeTable says: the partition's attribute, and the sort key's."""
    types = {each["AttributeName"]: each["AttributeType"] for each in said["AttributeDefinitions"]}
    names = sorted((each["KeyType"] == "RANGE", each["AttributeName"]) for each in said["KeySchema"])
    return tuple(KeyPart(name, types[name], _column(name)) for _, name in names)


def described(client: Any, name: str) -> dict[str, Any] | None:
    """What the service says of a table; None where it is not there."""
    try:
        found: dict[str, Any] = client.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if code_of(error) == MISSING:
            return None
        raise
    return found


def catalog_of(client: Any, config: DynamoDbConfig, version: str, schemas: Sequence[str] | None) -> Catalog:
    """All tables, or those that the profile names."""
    tables: list[Table] = []
    if schemas is None or SCHEMA in schemas:
        for name in sorted(config.tables or _names(client)):
            said = None if name.startswith(_OWN) else described(client, name)
            if said is not None and said.get("TableStatus") != "DELETING":
                tables.append(_table(said, _sees(config)))
    return Catalog(config.region, version, tuple(tables), consistency=_sees(config), case_sensitive=True)


def _names(client: Any) -> Iterator[str]:
    for page in client.get_paginator("list_tables").paginate():
        yield from page["TableNames"]


def _sees(config: DynamoDbConfig) -> Consistency:
    return SCANNED if config.export is None else EXPORTED


def _table(said: Mapping[str, Any], sees: Consistency) -> Table:
    key = key_of(said)
    columns = [Column(part.column, SourceType(OF_KEY[part.type]), nullable=False) for part in key]
    stream = said.get("StreamSpecification") or {}
    kept = bool(stream.get("StreamEnabled")) and stream.get("StreamViewType") in _WHOLE
    return Table(
        TableName(SCHEMA, str(said["TableName"])),
        (*columns, Column(DOCUMENT, SourceType(DOCUMENT), nullable=False)),
        primary_key=Key("key", tuple(part.column for part in key)),
        # As of some hours ago, which is what the service knows.
        rows=said.get("ItemCount"),
        bytes=said.get("TableSizeBytes"),
        feeds=(KeptChanges(STREAM),) if kept else (),
        consistency=sees,
    )


def _column(attribute: str) -> str:
    """A key that is called as a column of el's own has its column beside it."""
    return f"{attribute}_key" if attribute in (DOCUMENT, INDEX) else attribute
