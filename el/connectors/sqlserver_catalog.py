"""SQL Server's catalog views as a `Catalog`, in a dozen set-based queries whatever the number of tables.

Views are joined here by their ids rather than there by SQL: a server may plan each of these joins anew for every
session, which then costs more than all of the answers.

Every fact that a login may not see, or an older server does not have, is left unknown and noted; only tables and
columns are required. Sources: Microsoft Learn, "Object Catalog Views", "Change Tracking Catalog Views".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from el.connectors.catalog import Catalog, Check, Column, ForeignKey, Key, SourceType, Table, TableName
from el.connectors.query import Statement
from el.errors import NotPermitted, ReadError

Fetch = Callable[[Statement], list[tuple[Any, ...]]]

_SCHEMAS = """
SELECT schema_id, name FROM sys.schemas WHERE name NOT IN ('sys', 'information_schema_tsql', 'cdc')
"""

_TABLES = """
SELECT object_id, schema_id, name FROM sys.tables WHERE is_ms_shipped = 0
"""

_VIEWS = """
SELECT object_id, schema_id, name FROM sys.views WHERE is_ms_shipped = 0
"""

_COLUMNS = """
SELECT object_id, column_id, name, user_type_id, system_type_id, max_length, precision, scale, is_nullable,
       is_identity, collation_name, is_computed
FROM sys.columns
"""

_TYPES = """
SELECT user_type_id, name, is_assembly_type FROM sys.types
"""

_COMPUTED = """
SELECT s.name, o.name, c.name, c.definition
FROM sys.computed_columns AS c
JOIN sys.objects AS o ON o.object_id = c.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
"""

_DEFAULTS = """
SELECT s.name, o.name, c.name, d.definition
FROM sys.default_constraints AS d
JOIN sys.objects AS o ON o.object_id = d.parent_object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
JOIN sys.columns AS c ON c.object_id = d.parent_object_id AND c.column_id = d.parent_column_id
"""

_INDEXES = """
SELECT object_id, index_id, name, is_primary_key, is_unique, {partial} FROM sys.indexes
"""

# What keeps an index from holding for every row; a server that lacks one of the columns is asked for fewer.
_PARTIAL = ("has_filter, is_disabled, is_hypothetical", "has_filter, 0, 0", "0, 0, 0")

_INDEX_COLUMNS = """
SELECT object_id, index_id, key_ordinal, column_id FROM sys.index_columns
"""

_FOREIGN_KEYS = """
SELECT s.name, o.name, f.name, c.name, rs.name, r.name, rc.name, f.is_disabled, f.is_not_trusted
FROM sys.foreign_keys AS f
JOIN sys.objects AS o ON o.object_id = f.parent_object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
JOIN sys.objects AS r ON r.object_id = f.referenced_object_id
JOIN sys.schemas AS rs ON rs.schema_id = r.schema_id
JOIN sys.foreign_key_columns AS x ON x.constraint_object_id = f.object_id
JOIN sys.columns AS c ON c.object_id = x.parent_object_id AND c.column_id = x.parent_column_id
JOIN sys.columns AS rc ON rc.object_id = x.referenced_object_id AND rc.column_id = x.referenced_column_id
ORDER BY s.name, o.name, f.name, x.constraint_column_id
"""

_CHECKS = """
SELECT s.name, o.name, k.name, k.definition, k.is_disabled, k.is_not_trusted
FROM sys.check_constraints AS k
JOIN sys.objects AS o ON o.object_id = k.parent_object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
ORDER BY s.name, o.name, k.name
"""

_ROWS = """
SELECT object_id, index_id, rows FROM sys.partitions
"""

_BYTES = """
SELECT object_id, index_id, used_page_count * 8192 FROM sys.dm_db_partition_stats
"""

_COMMENTS = """
SELECT class, name, major_id, minor_id, CAST(value AS NVARCHAR(4000)) FROM sys.extended_properties
"""

_TRACKED = """
SELECT object_id FROM sys.change_tracking_tables
"""

_CAPTURED = """
SELECT source_object_id, capture_instance FROM cdc.change_tables ORDER BY start_lsn
"""

_OPTIONS = """
SELECT snapshot_isolation_state, is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()
"""

# sys.extended_properties.class of what a table and its columns are called.
_OBJECT_OR_COLUMN = 1

Place = tuple[str, str]


def where_there(fetch: Fetch, statement: Statement) -> list[tuple[Any, ...]] | None:
    """The rows; None where this server has nothing of the kind, or does not show it to this login.

    What may succeed when it is tried again is raised: a deadlock does not mean that a table has no keys.
    """
    try:
        return fetch(statement)
    except (NotPermitted, ReadError) as error:
        if error.retryable:
            raise
        return None


def read_catalog(fetch: Fetch, schemas: Sequence[str] | None, *, brief: bool = False) -> Catalog:
    """Describe these schemas of the current database, or all of its own; `brief` as in `Connector.describe`."""
    notes: list[str] = []

    def optional(what: str, sql: str) -> list[tuple[Any, ...]]:
        found = where_there(fetch, Statement(sql))
        if found is None:
            notes.append(f"{what} cannot be read here")
        return found or []

    def unless_brief(what: str, sql: str) -> list[tuple[Any, ...]]:
        return [] if brief else optional(what, sql)

    database, version = fetch(Statement("SELECT DB_NAME(), @@VERSION"))[0]
    computed = {(s, o, c): text for s, o, c, text in unless_brief("computed columns", _COMPUTED)}
    defaults = {(s, o, c): text for s, o, c, text in unless_brief("defaults", _DEFAULTS)}
    comments = {
        (object_id, column): text
        for class_, name, object_id, column, text in optional("comments", _COMMENTS)
        if (class_, name) == (_OBJECT_OR_COLUMN, "MS_Description")
    }
    places = _places(fetch)
    types = {id_: (str(name), bool(assembly)) for id_, name, assembly in fetch(Statement(_TYPES))}
    columns: dict[int, list[Column]] = defaultdict(list)
    for row in fetch(Statement(_COLUMNS)):
        (
            object_id,
            position,
            name,
            type_id,
            base_id,
            length,
            precision,
            scale,
            nullable,
            identity,
            collation,
            derived,
        ) = row
        if object_id not in places:
            continue
        schema, relation, _ = places[object_id]
        # A type that this login may not see has no row: its columns are there all the same.
        base = types[base_id][0] if base_id in types else None
        type_, assembly = types.get(type_id, (base or f"nameless type {type_id}", False))
        columns[object_id].append(
            Column(
                name=name,
                type=replace(source_type(type_, base, length, precision, scale, assembly), collation=collation),
                nullable=bool(nullable),
                position=position,
                identity=bool(identity),
                computed=computed.get((schema, relation, name)),
                default=defaults.get((schema, relation, name)),
                collation=collation,
                comment=comments.get((object_id, position)),
                is_computed=bool(derived),
            )
        )
    keys = _keys(fetch, optional)
    foreign = _foreign_keys(unless_brief("foreign keys", _FOREIGN_KEYS))
    checks: dict[Place, list[Check]] = defaultdict(list)
    for schema, table, name, text, disabled, untrusted in unless_brief("checks", _CHECKS):
        checks[schema, table].append(Check(name, text, enforced=not disabled and not untrusted))
    rows = _of_tables(optional("row counts", _ROWS))
    sizes = _of_tables(optional("sizes", _BYTES))
    tracked = {table for (table,) in optional("change tracking", _TRACKED)}
    captured: dict[int, list[str]] = defaultdict(list)
    if fetch(Statement("SELECT 1 FROM sys.schemas WHERE name = 'cdc'")):
        for source, instance in optional("change data capture", _CAPTURED):
            captured[source].append(instance)

    def described(object_id: int) -> Table:
        schema, relation, kind = places[object_id]
        found = sorted(columns[object_id], key=lambda column: column.position)
        names = {column.position: column.name for column in found}
        indexes = [
            (Key(name, tuple(names[position] for position in positions)), primary, unique)
            for name, primary, unique, positions in keys[object_id]
        ]
        of_table = kind == "table"
        return Table(
            name=TableName(schema, relation),
            columns=tuple(found),
            kind=kind,
            primary_key=next((key for key, primary, _ in indexes if primary), None),
            uniques=tuple(key for key, primary, unique in indexes if unique and not primary),
            foreign_keys=tuple(foreign[schema, relation]),
            checks=tuple(checks[schema, relation]),
            rows=rows.get(object_id) if of_table else None,
            bytes=sizes.get(object_id) if of_table else None,
            comment=comments.get((object_id, 0)),
            change_tracking=object_id in tracked,
            cdc=tuple(captured[object_id]),
            indexes=tuple(key for key, primary, unique in indexes if not unique and not primary),
            object_id=object_id if of_table else None,
        )

    wanted = [
        id_ for id_ in sorted(columns, key=lambda id_: places[id_]) if schemas is None or places[id_][0] in schemas
    ]
    tables = [described(object_id) for object_id in wanted]
    options = optional("database options", _OPTIONS)
    snapshot, committed = (options[0][0] == 1, bool(options[0][1])) if options else (False, False)
    return Catalog(
        database=database,
        version=" ".join(str(version).split()),
        tables=tuple(tables),
        snapshot_isolation=snapshot,
        read_committed_snapshot=committed,
        change_tracking=bool(tracked),
        min_active_rowversion=_has_min_active_rowversion(fetch),
        incarnation=_recovery_fork(fetch),
        notes=tuple(notes),
    )


def _places(fetch: Fetch) -> dict[int, tuple[str, str, str]]:
    """Object id -> (schema, name, table or view) of all that are this database's own."""
    schemas = {id_: str(name) for id_, name in fetch(Statement(_SCHEMAS))}
    return {
        object_id: (schemas[schema_id], str(name), kind)
        for kind, sql in (("table", _TABLES), ("view", _VIEWS))
        for object_id, schema_id, name in fetch(Statement(sql))
        if schema_id in schemas
    }


def source_type(
    name: str, base: str | None, length: int, precision: int, scale: int, assembly: bool = False
) -> SourceType:
    """A row of sys.columns and sys.types as a type: an alias resolved to its base, lengths in characters."""
    alias = None
    # hierarchyid, geometry and geography are assembly types of the system's own: they have no base in sys.types.
    if base is not None and base != name and not assembly:
        alias, name = name, base
    name = "rowversion" if name in ("timestamp", "rowversion") else name.lower()
    if name in ("nchar", "nvarchar"):
        return SourceType(name, length=-1 if length == -1 else length // 2, alias=alias)
    if name in ("char", "varchar", "binary", "varbinary"):
        return SourceType(name, length=length, alias=alias)
    if name in ("decimal", "numeric"):
        return SourceType(name, precision=precision, scale=scale, alias=alias)
    if name in ("time", "datetime2", "datetimeoffset"):
        return SourceType(name, scale=scale, alias=alias)
    return SourceType(name, alias=alias)


def _keys(
    fetch: Fetch, optional: Callable[[str, str], list[tuple[Any, ...]]]
) -> dict[int, list[tuple[str, bool, bool, list[int]]]]:
    """Object id -> its indexes as (name, primary, unique, column ids).

    One with a filter, a disabled one, and one that tuning left behind without its rows are no keys of the table.
    """
    *wanted, fewest = (_INDEXES.format(partial=columns) for columns in _PARTIAL)
    found = next((rows for sql in wanted if (rows := where_there(fetch, Statement(sql))) is not None), None)
    if found is None:
        found = optional("keys", fewest)
    columns: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for object_id, index_id, ordinal, column in optional("keys", _INDEX_COLUMNS) if found else []:
        # 0: an included column, that of a partition, or of a columnstore index, which has no order.
        if ordinal > 0:
            columns[object_id, index_id].append((ordinal, column))
    keys: dict[int, list[tuple[str, bool, bool, list[int]]]] = defaultdict(list)
    for object_id, index_id, name, primary, unique, *partial in sorted(found, key=lambda row: (row[0], str(row[2]))):
        of_index = [column for _, column in sorted(columns[object_id, index_id])]
        # 0 is the heap, which has no columns of its own.
        if index_id > 0 and of_index and not any(partial):
            keys[object_id].append((name, bool(primary), bool(unique), of_index))
    return keys


def _of_tables(partitions: list[tuple[Any, ...]]) -> dict[int, int]:
    """Object id -> the sum over the partitions of its rows' own storage, heap (0) or clustered index (1)."""
    found: dict[int, int] = defaultdict(int)
    for object_id, index_id, number in partitions:
        if index_id in (0, 1):
            found[object_id] += int(number)
    return dict(found)


def _foreign_keys(rows: list[tuple[Any, ...]]) -> dict[Place, list[ForeignKey]]:
    parts: dict[tuple[Place, str], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        parts[(row[0], row[1]), row[2]].append(row)
    found: dict[Place, list[ForeignKey]] = defaultdict(list)
    for (place, name), members in parts.items():
        first = members[0]
        found[place].append(
            ForeignKey(
                name=name,
                columns=tuple(member[3] for member in members),
                references=TableName(first[4], first[5]),
                referenced_columns=tuple(member[6] for member in members),
                enforced=not first[7] and not first[8],
            )
        )
    return found


def _recovery_fork(fetch: Fetch) -> str | None:
    """Another one after every restore (Microsoft Learn, "sys.database_recovery_status")."""
    rows = where_there(
        fetch,
        Statement(
            "SELECT CAST(recovery_fork_guid AS NVARCHAR(36)) FROM sys.database_recovery_status "
            "WHERE database_id = DB_ID()"
        ),
    )
    return str(rows[0][0]) if rows and rows[0][0] is not None else None


def _has_min_active_rowversion(fetch: Fetch) -> bool:
    return bool(where_there(fetch, Statement("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS BINARY(8))")))
