"""SQL Server's catalog views as a `Catalog`, in a dozen set-based queries whatever the number of tables.

Every fact that a login may not see, or an older server does not have, is left unknown and noted; only tables and
columns are required. Sources: Microsoft Learn, "Object Catalog Views", "Change Tracking Catalog Views".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from el.connectors.catalog import Catalog, Check, Column, ForeignKey, Key, SourceType, Table, TableName
from el.connectors.query import Statement
from el.errors import NotPermitted, ReadError

Fetch = Callable[[Statement], list[tuple[Any, ...]]]

# A type that this login may not see has no row in sys.types: its columns are there all the same.
_COLUMNS = """
SELECT s.name, o.name, RTRIM(o.type), c.name, c.column_id,
       COALESCE(t.name, b.name, 'nameless type ' + CAST(c.user_type_id AS VARCHAR(20))), b.name,
       c.max_length, c.precision, c.scale, c.is_nullable, c.is_identity, c.collation_name, t.is_assembly_type,
       o.object_id
FROM sys.columns AS c
JOIN sys.objects AS o ON o.object_id = c.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
LEFT JOIN sys.types AS t ON t.user_type_id = c.user_type_id
LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND s.name NOT IN ('sys', 'information_schema_tsql', 'cdc')
ORDER BY s.name, o.name, c.column_id
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

_KEYS = """
SELECT s.name, o.name, i.name, i.is_primary_key, i.is_unique, c.name
FROM sys.indexes AS i
JOIN sys.objects AS o ON o.object_id = i.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = x.object_id AND c.column_id = x.column_id
WHERE o.type = 'U' AND o.is_ms_shipped = 0 AND i.index_id > 0 AND x.is_included_column = 0 {filtered}
ORDER BY s.name, o.name, i.name, x.key_ordinal
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
SELECT s.name, o.name, SUM(p.rows)
FROM sys.partitions AS p
JOIN sys.objects AS o ON o.object_id = p.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type = 'U' AND o.is_ms_shipped = 0 AND p.index_id IN (0, 1)
GROUP BY s.name, o.name
"""

_BYTES = """
SELECT s.name, o.name, SUM(p.used_page_count) * 8192
FROM sys.dm_db_partition_stats AS p
JOIN sys.objects AS o ON o.object_id = p.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type = 'U' AND o.is_ms_shipped = 0 AND p.index_id IN (0, 1)
GROUP BY s.name, o.name
"""

_COMMENTS = """
SELECT s.name, o.name, c.name, CAST(e.value AS NVARCHAR(4000))
FROM sys.extended_properties AS e
JOIN sys.objects AS o ON o.object_id = e.major_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
LEFT JOIN sys.columns AS c ON c.object_id = e.major_id AND c.column_id = e.minor_id AND e.minor_id > 0
WHERE e.class = 1 AND e.name = 'MS_Description'
"""

_TRACKED = """
SELECT s.name, o.name
FROM sys.change_tracking_tables AS t
JOIN sys.objects AS o ON o.object_id = t.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
"""

_CAPTURED = """
SELECT s.name, o.name, t.capture_instance
FROM cdc.change_tables AS t
JOIN sys.objects AS o ON o.object_id = t.source_object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
ORDER BY t.start_lsn
"""

_OPTIONS = """
SELECT snapshot_isolation_state, is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()
"""

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
    comments = {(s, o, c): text for s, o, c, text in optional("comments", _COMMENTS)}
    columns: dict[Place, list[Column]] = defaultdict(list)
    kinds: dict[Place, str] = {}
    object_ids: dict[Place, int] = {}
    for row in fetch(Statement(_COLUMNS)):
        schema, table, kind, name, position, type_, base, length, precision, scale, *flags = row
        nullable, identity, collation, assembly, object_id = flags
        place = (schema, table)
        if kind == "U":
            object_ids[place] = object_id
        kinds[place] = "table" if kind == "U" else "view"
        columns[place].append(
            Column(
                name=name,
                type=source_type(type_, base, length, precision, scale, bool(assembly)),
                nullable=bool(nullable),
                position=position,
                identity=bool(identity),
                computed=computed.get((schema, table, name)),
                default=defaults.get((schema, table, name)),
                collation=collation,
                comment=comments.get((schema, table, name)),
            )
        )
    keys = _keys(fetch, optional)
    foreign = _foreign_keys(unless_brief("foreign keys", _FOREIGN_KEYS))
    checks: dict[Place, list[Check]] = defaultdict(list)
    for schema, table, name, text, disabled, untrusted in unless_brief("checks", _CHECKS):
        checks[schema, table].append(Check(name, text, enforced=not disabled and not untrusted))
    rows = {(s, o): int(n) for s, o, n in optional("row counts", _ROWS)}
    sizes = {(s, o): int(n) for s, o, n in optional("sizes", _BYTES)}
    tracked = {(s, o) for s, o in optional("change tracking", _TRACKED)}
    captured: dict[Place, list[str]] = defaultdict(list)
    if fetch(Statement("SELECT 1 FROM sys.schemas WHERE name = 'cdc'")):
        for schema, table, instance in optional("change data capture", _CAPTURED):
            captured[schema, table].append(instance)
    tables = [
        Table(
            name=TableName(*place),
            columns=tuple(found),
            kind=kinds[place],
            primary_key=next((key for key, primary, _ in keys[place] if primary), None),
            uniques=tuple(key for key, primary, unique in keys[place] if unique and not primary),
            foreign_keys=tuple(foreign[place]),
            checks=tuple(checks[place]),
            rows=rows.get(place),
            bytes=sizes.get(place),
            comment=comments.get((*place, None)),
            change_tracking=place in tracked,
            cdc=tuple(captured[place]),
            indexes=tuple(key for key, primary, unique in keys[place] if not unique and not primary),
            object_id=object_ids.get(place),
        )
        for place, found in columns.items()
        if schemas is None or place[0] in schemas
    ]
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


def _keys(fetch: Fetch, optional: Callable[[str, str], list[tuple[Any, ...]]]) -> Any:
    """Place -> [(key, primary, unique)]; a filtered unique index is no key of the table."""
    found = where_there(fetch, Statement(_KEYS.format(filtered="AND (i.has_filter = 0 OR i.has_filter IS NULL)")))
    if found is None:
        found = optional("keys", _KEYS.format(filtered=""))
    parts: dict[tuple[Place, str, bool, bool], list[str]] = defaultdict(list)
    for schema, table, name, primary, unique, column in found:
        parts[(schema, table), name, bool(primary), bool(unique)].append(column)
    keys: dict[Place, list[tuple[Key, bool, bool]]] = defaultdict(list)
    for (place, name, primary, unique), names in parts.items():
        keys[place].append((Key(name, tuple(names)), primary, unique))
    return keys


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
