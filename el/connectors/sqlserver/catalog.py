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

from el.connectors.catalog import Catalog, Check, Column, Key, MissingRight, SourceType, Table, TableName
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.facts import (
    COLUMN_FACTS,
    FOREIGN_KEYS,
    TABLE_FACTS,
    VIEW_FACTS,
    Kind,
    Place,
    captured_tables,
    foreign_keys,
    fullest,
    internal,
    kind_of_table,
    kind_of_view,
    masked_columns,
    partition_marks,
    row_filters,
    sums_of_tables,
    views_elsewhere,
)
from el.connectors.sqlserver.server import Fetch, ServerFacts, database_facts, login_facts, where_there

_SCHEMAS = """
SELECT schema_id, name FROM sys.schemas WHERE name NOT IN ('sys', 'information_schema_tsql', 'cdc')
"""

_TABLES = """
SELECT object_id, schema_id, name, {more} FROM sys.tables WHERE is_ms_shipped = 0{within}
"""

_VIEWS = """
SELECT object_id, schema_id, name, {more} FROM sys.views WHERE is_ms_shipped = 0{within}
"""

_COLUMNS = """
SELECT object_id, column_id, name, user_type_id, system_type_id, max_length, precision, scale, is_nullable,
       is_identity, collation_name, {more}
FROM sys.columns{within}
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
SELECT object_id, index_id, name, is_primary_key, is_unique, {partial} FROM sys.indexes{within}
"""

# What keeps an index from holding for every row; a server that lacks one of the columns is asked for fewer.
_PARTIAL = ("has_filter, is_disabled, is_hypothetical", "has_filter, 0, 0", "0, 0, 0")

_INDEX_COLUMNS = """
SELECT object_id, index_id, key_ordinal, column_id FROM sys.index_columns{within}
"""

_CHECKS = """
SELECT s.name, o.name, k.name, k.definition, k.is_disabled, k.is_not_trusted
FROM sys.check_constraints AS k
JOIN sys.objects AS o ON o.object_id = k.parent_object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
ORDER BY s.name, o.name, k.name
"""

_ROWS = """
SELECT object_id, index_id, rows, partition_number, partition_id FROM sys.partitions{within}
"""

_BYTES = """
SELECT object_id, index_id, used_page_count * 8192 FROM sys.dm_db_partition_stats{within}
"""

_COMMENTS = """
SELECT class, name, major_id, minor_id, CAST(value AS NVARCHAR(4000)) FROM sys.extended_properties
"""

_TRACKED = """
SELECT object_id, HAS_PERMS_BY_NAME(
    QUOTENAME(OBJECT_SCHEMA_NAME(object_id)) + '.' + QUOTENAME(OBJECT_NAME(object_id)), 'OBJECT',
    'VIEW CHANGE TRACKING')
FROM sys.change_tracking_tables
"""

_OPTIONS = """
SELECT snapshot_isolation_state, is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()
"""

# sys.extended_properties.class of what a table and its columns are called.
_OBJECT_OR_COLUMN = 1


def read_catalog(
    fetch: Fetch, schemas: Sequence[str] | None, *, brief: bool = False, server: ServerFacts | None = None
) -> Catalog:
    """Describe these schemas of the current database, or all of its own; `brief` as in `Connector.describe`."""
    server = server or ServerFacts()
    notes: list[str] = []

    def optional(what: str, sql: str) -> list[tuple[Any, ...]]:
        found = where_there(fetch, Statement(sql))
        if found is None:
            notes.append(f"{what} cannot be read here")
        return found or []

    def unless_brief(what: str, sql: str) -> list[tuple[Any, ...]]:
        return [] if brief else optional(what, sql)

    database, version = fetch(Statement("SELECT DB_NAME(), @@VERSION"))[0]
    login, facts = login_facts(fetch, server), database_facts(fetch, server)
    computed = {(s, o, c): text for s, o, c, text in unless_brief("computed columns", _COMPUTED)}
    defaults = {(s, o, c): text for s, o, c, text in unless_brief("defaults", _DEFAULTS)}
    comments = {
        (object_id, column): text
        for class_, name, object_id, column, text in optional("comments", _COMMENTS)
        if (class_, name) == (_OBJECT_OR_COLUMN, "MS_Description")
    }
    places, within = _places(fetch, schemas)
    masks = masked_columns(fetch, server, login)
    types = {id_: (str(name), bool(assembly)) for id_, name, assembly in fetch(Statement(_TYPES))}
    columns: dict[int, list[Column]] = defaultdict(list)
    for row in fullest(fetch, _COLUMNS.replace("{within}", within), COLUMN_FACTS):
        object_id, position, name, type_id, base_id, length, precision, scale, nullable, identity, collation = row[:11]
        is_computed, hidden, generated, encryption, graph = row[11:]
        if object_id not in places or internal(graph):
            continue
        schema, relation, *_ = places[object_id]
        # A type that this login may not see has no row: its columns are there all the same.
        base = types[base_id][0] if base_id in types else None
        type_, assembly = types.get(type_id, (base or f"nameless type {type_id}", False))
        declared = replace(source_type(type_, base, length, precision, scale, assembly), collation=collation)
        columns[object_id].append(
            Column(
                name=name,
                # Under Always Encrypted, what arrives is the ciphertext.
                type=SourceType("varbinary", length=-1) if encryption is not None else declared,
                nullable=bool(nullable),
                position=position,
                identity=bool(identity),
                computed=computed.get((schema, relation, name)),
                default=defaults.get((schema, relation, name)),
                collation=collation,
                comment=comments.get((object_id, position)),
                is_computed=bool(is_computed),
                masked=(object_id, position) in masks,
                hidden=bool(hidden),
                encrypted=encryption is not None,
                generated=bool(generated),
            )
        )
    keys = _keys(fetch, optional, within)
    foreign = foreign_keys(unless_brief("foreign keys", FOREIGN_KEYS))
    checks: dict[Place, list[Check]] = defaultdict(list)
    for schema, table, name, text, disabled, untrusted in unless_brief("checks", _CHECKS):
        # Without VIEW DEFINITION a check is seen, and what it checks is not.
        if text is not None:
            checks[schema, table].append(Check(name, text, enforced=not disabled and not untrusted))
    partitions = optional("row counts", _ROWS.replace("{within}", within))
    rows, marks = sums_of_tables([row[:3] for row in partitions]), partition_marks(partitions)
    sizes = sums_of_tables(optional("sizes", _BYTES.replace("{within}", within)))
    tracked = dict(optional("change tracking", _TRACKED))
    captured, gates = captured_tables(fetch, places, login)
    filters = row_filters(fetch)
    views = {(schema, name): id_ for id_, (schema, name, kind, _) in places.items() if kind == "view"}
    elsewhere = views_elsewhere(fetch, str(database), views) if views else {}

    def described(object_id: int) -> Table:
        schema, relation, kind, more = places[object_id]
        found = sorted(columns[object_id], key=lambda column: column.position)
        names = {column.position: column.name for column in found}
        indexes = [
            (Key(name, tuple(names[position] for position in positions)), primary, unique)
            for name, primary, unique, positions in keys[object_id]
            if all(position in names for position in positions)
        ]
        of_table = kind == "table"
        missing = list(gates.get(object_id, ()))
        if tracked.get(object_id) == 0:
            place = f"[{schema.replace(']', ']]')}].[{relation.replace(']', ']]')}]"
            missing.append(MissingRight("change_tracking", f"GRANT VIEW CHANGE TRACKING ON {place} TO {login.user}"))
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
            cdc=tuple(captured.get(object_id, ())),
            indexes=tuple(key for key, primary, unique in indexes if not unique and not primary),
            object_id=object_id if of_table else None,
            memory_optimized=more.memory_optimized,
            temporal=more.temporal,
            ledger=more.ledger,
            graph=more.graph,
            external=more.external,
            row_security=filters.get(object_id, ()),
            partitions=marks.get(object_id),
            elsewhere=elsewhere.get(object_id, frozenset()),
            missing=tuple(missing),
        )

    wanted = sorted(columns, key=lambda id_: places[id_][:2])
    options = optional("database options", _OPTIONS)
    snapshot, committed = (options[0][0] == 1, bool(options[0][1])) if options else (False, False)
    return Catalog(
        database=database,
        version=" ".join(str(version).split()),
        tables=tuple(described(object_id) for object_id in wanted),
        snapshot_isolation=snapshot,
        read_committed_snapshot=committed,
        change_tracking=bool(tracked),
        min_active_rowversion=_has_min_active_rowversion(fetch),
        incarnation=facts.incarnation,
        identity=facts.identity,
        read_only=facts.read_only,
        engine_edition=server.engine_edition,
        major_version=server.major_version,
        language=facts.language,
        case_sensitive=facts.case_sensitive,
        user=login.user,
        masked=bool(masks),
        row_security=tuple(sorted({policy for policies in filters.values() for policy in policies})),
        missing=login.missing,
        notes=tuple(notes),
    )


def _places(fetch: Fetch, schemas: Sequence[str] | None) -> tuple[dict[int, tuple[str, str, str, Kind]], str]:
    """Object id -> (schema, name, table or view, what it is besides) of all that are this database's own.

    And the condition that holds a query over objects to these schemas, where not all are wanted.
    """
    wanted = None if schemas is None else {schema.lower() for schema in schemas}
    ids = {id_: str(name) for id_, name in fetch(Statement(_SCHEMAS)) if wanted is None or str(name).lower() in wanted}
    inside, within = "", ""
    if wanted is not None:
        inside = f" AND schema_id IN ({', '.join(map(str, sorted(ids))) or '-1'})"
        within = f" WHERE object_id IN (SELECT object_id FROM sys.objects WHERE {inside.removeprefix(' AND ')})"
    found: dict[int, tuple[str, str, str, Kind]] = {}
    for object_id, schema_id, name, *more in fullest(fetch, _TABLES.replace("{within}", inside), TABLE_FACTS):
        if schema_id in ids:
            found[object_id] = (ids[schema_id], str(name), "table", kind_of_table(*more))
    for object_id, schema_id, name, *more in fullest(fetch, _VIEWS.replace("{within}", inside), VIEW_FACTS):
        if schema_id in ids:
            found[object_id] = (ids[schema_id], str(name), "view", kind_of_view(*more))
    return found, within


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
    fetch: Fetch, optional: Callable[[str, str], list[tuple[Any, ...]]], within: str = ""
) -> dict[int, list[tuple[str, bool, bool, list[int]]]]:
    """Object id -> its indexes as (name, primary, unique, column ids).

    One with a filter, a disabled one, and one that tuning left behind without its rows are no keys of the table.
    """
    *wanted, fewest = (_INDEXES.format(partial=columns, within=within) for columns in _PARTIAL)
    found = next((rows for sql in wanted if (rows := where_there(fetch, Statement(sql))) is not None), None)
    if found is None:
        found = optional("keys", fewest)
    columns: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for object_id, index_id, ordinal, column in optional("keys", _INDEX_COLUMNS.format(within=within)) if found else []:
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


def _has_min_active_rowversion(fetch: Fetch) -> bool:
    return bool(where_there(fetch, Statement("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS BINARY(8))")))
