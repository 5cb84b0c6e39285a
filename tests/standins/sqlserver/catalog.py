"""The server's own catalog: tables as declared, kept in DuckDB so that DDL is transactional as everything else.

A table is one JSON body; the rows that the catalog views read are written beside it in the same transaction.
Tables and columns have physical names of their own (`t<object_id>`, `c<column_id>`), so that renaming moves no data.
"""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb

from .sqltypes import SYSTEM_TYPES, SqlType

COLLATION_NAME = "Latin1_General_BIN2"

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS {db}.cat;
CREATE TABLE {db}.cat.schemas (schema_id INTEGER, name VARCHAR);
CREATE TABLE {db}.cat.objects (object_id INTEGER, schema_id INTEGER, name VARCHAR, type VARCHAR,
    parent_object_id INTEGER, created BIGINT, modified BIGINT, body VARCHAR);
CREATE TABLE {db}.cat.columns (object_id INTEGER, column_id INTEGER, name VARCHAR, type_name VARCHAR,
    system_type_id UTINYINT, user_type_id INTEGER, max_length SMALLINT, precision UTINYINT, scale UTINYINT,
    is_nullable BOOLEAN, is_identity BOOLEAN, is_computed BOOLEAN, seed BIGINT, increment BIGINT, computed VARCHAR,
    is_persisted BOOLEAN, default_object_id INTEGER,
    default_text VARCHAR, default_name VARCHAR, is_text BOOLEAN, masking VARCHAR, is_hidden BOOLEAN,
    generated_always_type UTINYINT, encryption_type INTEGER, graph_type INTEGER, collation_name VARCHAR);
CREATE TABLE {db}.cat.indexes (object_id INTEGER, index_id INTEGER, name VARCHAR, type UTINYINT, is_unique BOOLEAN,
    is_primary_key BOOLEAN, is_unique_constraint BOOLEAN, is_disabled BOOLEAN, key_object_id INTEGER, filter VARCHAR,
    system_named BOOLEAN);
CREATE TABLE {db}.cat.index_columns (object_id INTEGER, index_id INTEGER, index_column_id INTEGER, column_id INTEGER,
    key_ordinal UTINYINT, is_descending_key BOOLEAN, is_included_column BOOLEAN);
CREATE TABLE {db}.cat.foreign_keys (object_id INTEGER, name VARCHAR, parent_object_id INTEGER,
    referenced_object_id INTEGER, key_index_id INTEGER, is_disabled BOOLEAN, is_not_trusted BOOLEAN, on_delete UTINYINT,
    on_update UTINYINT);
CREATE TABLE {db}.cat.foreign_key_columns (constraint_object_id INTEGER, constraint_column_id INTEGER,
    parent_object_id INTEGER, parent_column_id INTEGER, referenced_object_id INTEGER, referenced_column_id INTEGER);
CREATE TABLE {db}.cat.checks (object_id INTEGER, name VARCHAR, parent_object_id INTEGER, parent_column_id INTEGER,
    definition VARCHAR, is_disabled BOOLEAN, is_not_trusted BOOLEAN);
CREATE TABLE {db}.cat.extended_properties (class UTINYINT, class_desc VARCHAR, major_id INTEGER, minor_id INTEGER,
    name VARCHAR, value VARCHAR);
CREATE TABLE {db}.cat.tracked (object_id INTEGER, is_track_columns_updated_on BOOLEAN, min_valid_version BIGINT,
    begin_version BIGINT, cleanup_version BIGINT);
CREATE TABLE {db}.cat.captures (object_id INTEGER, source_object_id INTEGER, capture_instance VARCHAR, start_lsn BLOB,
    supports_net_changes BOOLEAN, role_name VARCHAR, created BIGINT, captured VARCHAR,
    enabled BIGINT, partition_switch BOOLEAN);
CREATE TABLE {db}.cat.lsn_time_mapping (start_lsn BLOB, tran_begin_time BIGINT, tran_end_time BIGINT, tran_id BLOB);
CREATE TABLE {db}.cat.types (name VARCHAR, schema_id INTEGER, system_type_id UTINYINT, user_type_id INTEGER,
    max_length SMALLINT, precision UTINYINT, scale UTINYINT, is_nullable BOOLEAN, declared VARCHAR);
CREATE TABLE {db}.cat.versions (version BIGINT, committed BIGINT);
"""

_ids = itertools.count(901_578_250, 16)


def new_object_id() -> int:
    return next(_ids)


@dataclass
class ColumnDef:
    """A column as declared; `computed` and `default` are T-SQL texts."""

    column_id: int
    name: str
    type: SqlType
    nullable: bool = True
    identity: tuple[int, int] | None = None
    computed: str | None = None
    persisted: bool = False
    default: str | None = None
    default_name: str | None = None
    default_id: int = 0
    alias_id: int = 0
    masking: str | None = None
    hidden: bool = False
    generated: int = 0
    encryption: int | None = None
    graph: int | None = None
    collation: str | None = None

    @property
    def is_text(self) -> bool:
        return self.type.family == "str" and self.type.name != "xml"

    @property
    def collate(self) -> str:
        """DuckDB's collation for it, as a clause: of case and accents alone ("Collation and Unicode support")."""
        name = f"{self.collation}_".upper()
        ignored = [word for option, word in (("_CI_", "NOCASE"), ("_AI_", "NOACCENT")) if option in name]
        return f" COLLATE {'.'.join(ignored)}" if self.is_text and ignored else ""

    @property
    def physical(self) -> str:
        return f"c{self.column_id}"

    @property
    def is_rowversion(self) -> bool:
        return self.type.name == "timestamp"


@dataclass
class KeyDef:
    """A primary key, unique constraint or index. `columns` are (column_id, descending)."""

    name: str
    kind: str
    index_id: int
    columns: list[tuple[int, bool]]
    object_id: int = 0
    clustered: bool = False
    unique: bool = True
    included: list[int] = field(default_factory=list)
    filter: str | None = None
    system_named: bool = False


@dataclass
class ForeignKeyDef:
    """Columns of this table that refer to those of another."""

    object_id: int
    name: str
    columns: list[int]
    referenced: int
    referenced_columns: list[int]
    on_delete: int = 0
    on_update: int = 0
    disabled: bool = False
    not_trusted: bool = False


@dataclass
class CheckDef:
    """A condition over a row, as T-SQL."""

    object_id: int
    name: str
    definition: str
    column_id: int = 0
    disabled: bool = False
    not_trusted: bool = False


@dataclass
class TableDef:
    """A table (kind U) or a view (kind V, with its text).

    temporal, ledger, graph: numbers of sys.tables (graph: 1 node, 2 edge), of a view those of sys.views. partition_ids:
    where they are no longer those that follow from its own id, one for each partition.
    """

    object_id: int
    schema: str
    name: str
    kind: str = "U"
    columns: list[ColumnDef] = field(default_factory=list)
    keys: list[KeyDef] = field(default_factory=list)
    foreign_keys: list[ForeignKeyDef] = field(default_factory=list)
    checks: list[CheckDef] = field(default_factory=list)
    definition: str | None = None
    body: str | None = None
    database: str = ""
    created: int = 0
    modified: int = 0
    generation: int = 0
    tracked: bool = False
    captured: bool = False
    memory_optimized: bool = False
    temporal: int = 0
    history: int = 0
    ledger: int = 0
    external: bool = False
    graph: int = 0
    partition_ids: list[int] = field(default_factory=list)
    partitioned_by: str | None = None
    boundaries: list[str] = field(default_factory=list)
    range_right: bool = False

    @property
    def physical(self) -> str:
        return f"t{self.object_id}" + (f"_{self.generation}" if self.generation else "")

    @property
    def sql(self) -> str:
        """The physical table, qualified."""
        where = "temp.main" if self.database == "tempdb" else f"{quote_name(self.database)}.main"
        return f"{where}.{self.physical}"

    def copy(self) -> TableDef:
        return copy.deepcopy(self)

    def column(self, name: str) -> ColumnDef | None:
        lower = name.lower()
        return next((c for c in self.columns if c.name.lower() == lower), None)

    def by_id(self, column_id: int) -> ColumnDef:
        return next(c for c in self.columns if c.column_id == column_id)

    @property
    def primary_key(self) -> KeyDef | None:
        return next((k for k in self.keys if k.kind == "PK"), None)

    def next_column_id(self) -> int:
        return max((c.column_id for c in self.columns), default=0) + 1

    def next_index_id(self, clustered: bool) -> int:
        return 1 if clustered else max([1, *(k.index_id for k in self.keys)]) + 1


def quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def to_json(table: TableDef) -> str:
    return json.dumps(asdict(table))


def from_json(text: str) -> TableDef:
    raw = json.loads(text)
    raw["columns"] = [
        ColumnDef(**{**c, "type": SqlType(**c["type"]), "identity": tuple(c["identity"]) if c["identity"] else None})
        for c in raw["columns"]
    ]
    raw["keys"] = [KeyDef(**{**k, "columns": [tuple(c) for c in k["columns"]]}) for k in raw["keys"]]
    raw["foreign_keys"] = [ForeignKeyDef(**k) for k in raw["foreign_keys"]]
    raw["checks"] = [CheckDef(**k) for k in raw["checks"]]
    return TableDef(**raw)


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        marks = ", ".join("(" + ", ".join("?" * len(row)) + ")" for row in rows)
        con.execute(f"INSERT INTO {table} VALUES {marks}", [value for row in rows for value in row])


PARTS = {
    "columns": "object_id",
    "indexes": "object_id",
    "index_columns": "object_id",
    "foreign_keys": "parent_object_id",
    "foreign_key_columns": "parent_object_id",
    "checks": "parent_object_id",
}


def delete_rows(con: duckdb.DuckDBPyConnection, db: str, object_id: int) -> None:
    con.execute(f"DELETE FROM {db}.cat.objects WHERE object_id = {object_id} OR parent_object_id = {object_id}")
    for part, column in PARTS.items():
        con.execute(f"DELETE FROM {db}.cat.{part} WHERE {column} = {object_id}")


def save(con: duckdb.DuckDBPyConnection, table: TableDef, schema_id: int, now: int) -> None:
    """Writes a table's body and every row that the catalog views show of it."""
    db = f"{quote_name(table.database)}"
    table.created, table.modified = table.created or now, now
    delete_rows(con, db, table.object_id)
    me = table.object_id
    objects: list[tuple[Any, ...]] = [(me, schema_id, table.name, table.kind, 0, table.created, now, to_json(table))]
    for key in table.keys:
        if key.kind in ("PK", "UQ"):
            objects.append((key.object_id, schema_id, key.name, key.kind, me, now, now, None))
    objects += [(f.object_id, schema_id, f.name, "F", me, now, now, None) for f in table.foreign_keys]
    objects += [(c.object_id, schema_id, c.name, "C", me, now, now, None) for c in table.checks]
    objects += [
        (c.default_id, schema_id, c.default_name, "D", me, now, now, None) for c in table.columns if c.default_id
    ]
    _insert(con, f"{db}.cat.objects", objects)
    columns = []
    for c in table.columns:
        ids = SYSTEM_TYPES[c.type.name]
        seed, increment = c.identity or (None, None)
        columns.append(
            (
                me,
                c.column_id,
                c.name,
                c.type.name,
                ids[0],
                c.alias_id or ids[1],
                c.type.max_length,
                c.type.catalog_precision,
                c.type.catalog_scale,
                c.nullable,
                c.identity is not None,
                c.computed is not None,
                seed,
                increment,
                c.computed,
                c.persisted,
                c.default_id,
                c.default,
                c.default_name,
                c.is_text,
                c.masking,
                c.hidden,
                c.generated,
                c.encryption,
                c.graph,
                c.collation or COLLATION_NAME,
            )
        )
    _insert(con, f"{db}.cat.columns", columns)
    indexes = [
        (
            me,
            k.index_id,
            k.name,
            1 if k.clustered else 2,
            k.unique,
            k.kind == "PK",
            k.kind == "UQ",
            False,
            k.object_id,
            k.filter,
            k.system_named,
        )
        for k in table.keys
    ]
    if table.kind == "U" and not any(k.clustered for k in table.keys):
        indexes.insert(0, (me, 0, None, 0, False, False, False, False, 0, None, False))
    _insert(con, f"{db}.cat.indexes", indexes)
    parts = []
    for k in table.keys:
        parts += [(me, k.index_id, i, c, i, desc, False) for i, (c, desc) in enumerate(k.columns, 1)]
        parts += [(me, k.index_id, len(k.columns) + i, c, 0, False, True) for i, c in enumerate(k.included, 1)]
    _insert(con, f"{db}.cat.index_columns", parts)
    _insert(
        con,
        f"{db}.cat.foreign_keys",
        [
            (f.object_id, f.name, me, f.referenced, 1, f.disabled, f.not_trusted, f.on_delete, f.on_update)
            for f in table.foreign_keys
        ],
    )
    _insert(
        con,
        f"{db}.cat.foreign_key_columns",
        [
            (f.object_id, i, me, a, f.referenced, b)
            for f in table.foreign_keys
            for i, (a, b) in enumerate(zip(f.columns, f.referenced_columns, strict=True), 1)
        ],
    )
    _insert(
        con,
        f"{db}.cat.checks",
        [(c.object_id, c.name, me, c.column_id, c.definition, c.disabled, c.not_trusted) for c in table.checks],
    )
