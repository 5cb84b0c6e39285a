"""The ledger of files: one row for each version of a file, in the same package as its rows.

Guarantee: which files were taken is a set that raw itself holds: a file counts as taken when the load of its rows is
complete. `_el_rejects` has the records that a file left out, with their bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from el.connectors.sql.select import Statement
from el.loading.warehouse import LOADS_TABLE, Warehouse

FILES_TABLE = "_el_files"
REJECTS_TABLE = "_el_rejects"
# What tells in raw which file a row is of, and its place in it.
FILE, ROW = "_el_file", "_el_row"
# The word in `_el_ledger` for a table whose rows come from files.
STRATEGY = "files"

FILES_SCHEMA = pa.schema(
    [
        pa.field("table_name", pa.string()),
        pa.field("file_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("member", pa.string()),
        pa.field("version", pa.string()),
        pa.field("file_bytes", pa.int64()),
        pa.field("modified_at", pa.timestamp("us")),
        pa.field("sha256", pa.string()),
        pa.field("as_of", pa.string()),
        pa.field("dialect", pa.string()),  # JSON
        pa.field("header", pa.string()),  # JSON
        pa.field("columns_added", pa.string()),  # JSON
        pa.field("columns_missing", pa.string()),  # JSON
        pa.field("record_count", pa.int64()),
        pa.field("row_count", pa.int64()),
        pa.field("rejected_count", pa.int64()),
        pa.field("blank_lines", pa.int64()),
        pa.field("route", pa.string()),
        pa.field("status", pa.string()),  # loaded; unchanged: the bytes are those of the version before
        pa.field("replaces", pa.string()),  # the file_id that counts no longer
        pa.field("seen_at", pa.timestamp("us")),
        pa.field("run_id", pa.string()),
        pa.field("el_version", pa.string()),
        pa.field("_dlt_load_id", pa.string()),
    ]
)

REJECTS_SCHEMA = pa.schema(
    [
        pa.field("table_name", pa.string()),
        pa.field("file_id", pa.string()),
        pa.field("row_number", pa.int64()),
        pa.field("byte_offset", pa.int64()),
        pa.field("record", pa.binary()),
        pa.field("reason", pa.string()),
        pa.field("_dlt_load_id", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A version of a file that was taken, by a complete load."""

    file_id: str
    uri: str
    member: str | None
    version: str
    sha256: str
    status: str
    rows: int
    rejected: int
    load_id: str
    dialect: str | None = None  # the `format` that it was read by, as JSON

    @property
    def has_checksum(self) -> bool:
        """Whether its bytes were seen; those of a file that the warehouse read by itself were not."""
        return len(self.sha256) == 64


def known_files(warehouse: Warehouse, raw_schema: str, there: set[str] | None = None) -> dict[str, list[KnownFile]]:
    """All files that were taken, in the order of their loads, by raw table; over an open connection."""
    there = warehouse.tables(raw_schema) if there is None else there
    if not {warehouse.fold(FILES_TABLE), warehouse.fold(LOADS_TABLE)} <= there:
        return {}
    names = (
        *("table_name", "file_id", "uri", "member", "version", "sha256", "status"),
        *("row_count", "rejected_count", "_dlt_load_id", "dialect"),
    )
    loads = (
        f"SELECT {warehouse.column('load_id')} FROM {warehouse.qualified(raw_schema, LOADS_TABLE)} "
        f"WHERE {warehouse.column('status')} = 0"
    )
    load = warehouse.column("_dlt_load_id")
    rows = warehouse.connector.fetch(
        Statement(
            f"SELECT {', '.join(warehouse.column(name) for name in names)} "
            f"FROM {warehouse.qualified(raw_schema, FILES_TABLE)} WHERE {load} IN ({loads}) ORDER BY {load}"
        )
    )
    found: dict[str, list[KnownFile]] = {}
    for table, file_id, uri, member, version, sha256, status, count, rejected, load_id, dialect in rows:
        found.setdefault(str(table), []).append(
            KnownFile(
                str(file_id),
                str(uri),
                None if member is None else str(member),
                str(version),
                str(sha256),
                str(status),
                int(str(count)),
                int(str(rejected)),
                str(load_id),
                None if dialect is None else str(dialect),
            )
        )
    return found


def count_by_file(warehouse: Warehouse, raw_schema: str, load_id: str, tables: Sequence[str]) -> dict[str, int]:
    """How many rows raw holds of each file of one load, by its id."""
    found: dict[str, int] = {}
    for table in tables:
        file = warehouse.column(FILE)
        rows = warehouse.connector.fetch(
            Statement(
                f"SELECT {file}, count(*) FROM {warehouse.qualified(raw_schema, table)} "
                f"WHERE {warehouse.column('_dlt_load_id')} = ? GROUP BY {file}",
                (load_id,),
            )
        )
        found |= {str(file_id): int(str(count)) for file_id, count in rows}
    return found
