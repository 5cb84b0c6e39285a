"""What SQL Server says of tables that are more than their rows: what kind they are, what hides rows or values of them.

Every server is asked for what it may know, and an older one for less. Sources: Microsoft Learn, "sys.tables",
"sys.columns", "Dynamic Data Masking", "sys.security_predicates", "sys.partitions", "sys.sql_expression_dependencies".
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from el.connectors.catalog import ForeignKey, MissingRight, TableName
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.server import Fetch, Login, ServerFacts, rows_if_supported

Place = tuple[str, str]

# Of a graph table: what is inside, which no query may name (sys.columns.graph_type).
_INTERNAL = (1, 3, 4, 6, 7)


def fullest(fetch: Fetch, sql: str, choices: Sequence[str]) -> list[tuple[Any, ...]]:
    """The rows of `sql` with the first `{more}` of `choices` that this server has; the last is raised about."""
    for more in choices[:-1]:
        found = rows_if_supported(fetch, Statement(sql.replace("{more}", more)))
        if found is not None:
            return found
    return fetch(Statement(sql.replace("{more}", choices[-1])))


_UNMASKED = """
SELECT object_id, column_id, {more} FROM sys.columns WHERE is_masked = 1
"""
_MAY_UNMASK = (
    "HAS_PERMS_BY_NAME(QUOTENAME(OBJECT_SCHEMA_NAME(object_id)) + '.' + QUOTENAME(OBJECT_NAME(object_id)), 'OBJECT', "
    "'UNMASK', name, 'COLUMN')"
)


def masked_columns(fetch: Fetch, server: ServerFacts, login: Login) -> set[tuple[int, int]]:
    """(object id, column id) of what this login gets masked. Of views and queries the server does not tell."""
    if login.unmask:
        return set()
    more = (_MAY_UNMASK, "0") if server.granular_unmask else ("0",)
    asked = [rows_if_supported(fetch, Statement(_UNMASKED.replace("{more}", each))) for each in more]
    found = next((rows for rows in asked if rows is not None), [])
    return {(table, column) for table, column, may in found if may != 1}


# --- tables


@dataclass(frozen=True, slots=True)
class Kind:
    """What a row of sys.tables or sys.views says besides its name."""

    memory_optimized: bool = False
    external: bool = False
    temporal: str | None = None
    graph: str | None = None
    ledger: str | None = None
    captured: bool = False


# Newest first: ledger came with 2022, graph with 2017, temporal and external tables with 2016.
TABLE_FACTS = (
    "is_tracked_by_cdc, is_memory_optimized, is_external, temporal_type, is_node, is_edge, ledger_type",
    "is_tracked_by_cdc, is_memory_optimized, is_external, temporal_type, is_node, is_edge, 0",
    "is_tracked_by_cdc, is_memory_optimized, is_external, temporal_type, 0, 0, 0",
    "0, 0, 0, 0, 0, 0, 0",
)
VIEW_FACTS = ("ledger_view_type", "0")
COLUMN_FACTS = (
    "is_computed, is_hidden, generated_always_type, encryption_type, graph_type",
    "is_computed, is_hidden, generated_always_type, encryption_type, NULL",
    "is_computed, 0, 0, NULL, NULL",
)


def kind_of_table(captured: int, memory: int, external: int, temporal: int, node: int, edge: int, ledger: int) -> Kind:
    return Kind(
        memory_optimized=bool(memory),
        external=bool(external),
        temporal={1: "history", 2: "system_versioned"}.get(temporal or 0),
        graph="node" if node else "edge" if edge else None,
        ledger={1: "history", 2: "updatable", 3: "append_only"}.get(ledger or 0),
        captured=bool(captured),
    )


def kind_of_view(ledger: int) -> Kind:
    return Kind(ledger="view" if ledger else None)


def internal(graph_type: int | None) -> bool:
    """Whether the column is one of a graph table's own that no query may name (error 13908)."""
    return graph_type in _INTERNAL


_FILTERS = """
SELECT p.target_object_id, s.name + '.' + o.name
FROM sys.security_predicates AS p
JOIN sys.security_policies AS o ON o.object_id = p.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE p.predicate_type = 0 AND o.is_enabled = 1
"""


def row_filters(fetch: Fetch) -> dict[int, tuple[str, ...]]:
    """Object id -> the enabled security policies that may hide rows of it; as far as they are seen."""
    found: dict[int, list[str]] = defaultdict(list)
    for table, policy in rows_if_supported(fetch, Statement(_FILTERS)) or []:
        found[table].append(str(policy))
    return {table: tuple(sorted(policies)) for table, policies in found.items()}


def partition_marks(partitions: Iterable[tuple[Any, ...]]) -> dict[int, str]:
    """Object id of each partitioned table -> a mark of which partitions it has. A partition's id goes with its rows."""
    ids: dict[int, list[str]] = defaultdict(list)
    for object_id, index_id, _, number, partition_id in partitions:
        if index_id in (0, 1):
            ids[object_id].append(f"{number:08d}:{partition_id}")
    return {
        table: hashlib.sha256(" ".join(sorted(found)).encode()).hexdigest()[:16]
        for table, found in ids.items()
        if len(found) > 1
    }


_ELSEWHERE = """
SELECT referencing_id, referenced_server_name, referenced_database_name, referenced_schema_name, referenced_entity_name
FROM sys.sql_expression_dependencies
WHERE referencing_id IN (SELECT object_id FROM sys.views)
"""


def views_elsewhere(fetch: Fetch, database: str, views: dict[tuple[str, str], int]) -> dict[int, frozenset[str]]:
    """Object id of each view that reads other databases or servers -> their names, through other views too.

    views: (schema, name) -> object id.
    """
    reads: dict[int, set[str]] = defaultdict(set)
    under: dict[int, set[int]] = defaultdict(set)
    for view, server, other, schema, name in rows_if_supported(fetch, Statement(_ELSEWHERE)) or []:
        if server is not None:
            reads[view].add(f"{server} (a linked server)")
        elif other is not None and str(other).lower() != database.lower():
            reads[view].add(str(other))
        elif (below := views.get((str(schema or "dbo"), str(name)))) is not None:
            under[view].add(below)
    grown = True
    while grown:
        grown = False
        for view, those in under.items():
            more = {place for each in those for place in reads.get(each, ())} - reads[view]
            reads[view] |= more
            grown = grown or bool(more)
    return {view: frozenset(places) for view, places in reads.items() if places}


# The feeds, as the ledger and el.yml name them.
TRACKING, CAPTURE = "change_tracking", "cdc"

_CAPTURED = """
SELECT source_object_id, capture_instance, role_name FROM cdc.change_tables ORDER BY create_date, capture_instance
"""


def captured_tables(
    fetch: Fetch, places: Mapping[int, tuple[str, str, str, Kind]], login: Login
) -> tuple[dict[int, list[str]], dict[int, list[MissingRight]]]:
    """Object id -> the names of its capture instances; and what the login lacks to read them."""
    instances: dict[int, list[str]] = defaultdict(list)
    missing: dict[int, list[MissingRight]] = defaultdict(list)
    if not fetch(Statement("SELECT 1 FROM sys.schemas WHERE name = 'cdc'")):
        return instances, missing
    found = rows_if_supported(fetch, Statement(_CAPTURED))
    if found is None:
        right = MissingRight(CAPTURE, f"GRANT SELECT ON SCHEMA::cdc TO {login.user}")
        return instances, {id_: [right] for id_, (*_, kind) in places.items() if kind.captured}
    member: dict[str, bool] = {}
    for source, instance, role in found:
        instances[source].append(instance)
        if role is None or login.owner:
            continue
        if role not in member:
            member[role] = fetch(Statement("SELECT IS_MEMBER(?)", (role,)))[0][0] == 1
        if not member[role]:
            missing[source].append(MissingRight(CAPTURE, f"ALTER ROLE [{role}] ADD MEMBER {login.user}"))
    return instances, missing


def sums_of_tables(partitions: list[tuple[Any, ...]]) -> dict[int, int]:
    """Object id -> the sum over the partitions of its rows' own storage, heap (0) or clustered index (1)."""
    found: dict[int, int] = defaultdict(int)
    for object_id, index_id, number in partitions:
        if index_id in (0, 1):
            found[object_id] += int(number)
    return dict(found)


FOREIGN_KEYS = """
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


def foreign_keys(rows: list[tuple[Any, ...]]) -> dict[Place, list[ForeignKey]]:
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
