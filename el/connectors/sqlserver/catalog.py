"""SQL Server's catalog views as a `Catalog`, in a dozen set-based queries whatever the number of tables.

Views are joined here by their ids rather than there by SQL: a server may plan each of these joins anew for every
session, which then costs more than all of the answers.

Every fact that a login may not see, or an older server does not have, is left unknown and noted; only tables and
columns are required. Sources: Microsoft Learn, "Object Catalog Views", "Change Tracking Catalog Views".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from el.connectors.catalog import (
    Catalog,
    Check,
    Column,
    Consistency,
    KeptChanges,
    Key,
    MissingRight,
    SourceType,
    Table,
    TableName,
)
from el.connectors.sql.select import Statement
from el.connectors.sqlserver import catalog_queries as sql
from el.connectors.sqlserver.facts import (
    CAPTURE,
    COLUMN_FACTS,
    FOREIGN_KEYS,
    TABLE_FACTS,
    TRACKING,
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
from el.connectors.sqlserver.indexes import keys_of_tables
from el.connectors.sqlserver.server import Fetch, ServerFacts, database_facts, login_facts, rows_if_supported
from el.connectors.sqlserver.source_type import source_type

UNSTABLE_READ = (
    "read under locking READ COMMITTED: a row whose place in the index changes meanwhile may be missed or come twice"
)

MEMORY_OPTIMIZED = Consistency(statement=True, no_snapshot="a memory-optimised table is not read so")

# sys.extended_properties.class of what a table and its columns are called.
_OBJECT_OR_COLUMN = 1


def read_catalog(
    fetch: Fetch, schemas: Sequence[str] | None, *, brief: bool = False, server: ServerFacts | None = None
) -> Catalog:
    """Describe these schemas of the current database, or all of its own; `brief` as in `Source.describe`."""
    return _Reader(fetch, brief, server or ServerFacts()).read(schemas)


class _Reader:
    """Asks one view after the other, and puts together what they say of each table by its object id."""

    def __init__(self, fetch: Fetch, brief: bool, server: ServerFacts) -> None:
        self.fetch = fetch
        self.brief = brief
        self.server = server
        self.notes: list[str] = []

    def read(self, schemas: Sequence[str] | None) -> Catalog:
        database, version = self.fetch(Statement("SELECT DB_NAME(), @@VERSION"))[0]
        self.login, facts = login_facts(self.fetch, self.server), database_facts(self.fetch, self.server)
        self._read_words()
        self.places, self.within = _places(self.fetch, schemas)
        self._read_columns()
        self._read_constraints()
        self._read_sizes()
        self._read_changes()
        self._read_what_is_elsewhere(str(database))
        self._read_options(str(database))
        wanted = sorted(self.columns, key=lambda id_: self.places[id_][:2])
        return Catalog(
            database=database,
            version=" ".join(str(version).split()),
            tables=tuple(self._table(object_id) for object_id in wanted),
            consistency=self.consistency,
            stable_version=_has_min_active_rowversion(self.fetch),
            incarnation=facts.incarnation,
            identity=facts.identity,
            read_only=facts.read_only,
            engine_edition=self.server.engine_edition,
            major_version=self.server.major_version,
            language=facts.language,
            case_sensitive=facts.case_sensitive,
            user=self.login.user,
            masked=bool(self.masks),
            row_security=tuple(sorted({policy for policies in self.filters.values() for policy in policies})),
            missing=self.login.missing,
            notes=tuple(self.notes),
        )

    def _read_options(self, database: str) -> None:
        options = self._optional("database options", sql.OPTIONS)
        snapshot, committed = (options[0][0] == 1, bool(options[0][1])) if options else (False, False)
        self.consistency = Consistency(
            snapshot=snapshot,
            statement=committed,
            no_snapshot="SNAPSHOT isolation is not allowed",
            better=f"ALTER DATABASE [{database}] SET ALLOW_SNAPSHOT_ISOLATION ON",
            unstable=UNSTABLE_READ,
        )

    def _optional(self, what: str, query: str) -> list[tuple[Any, ...]]:
        found = rows_if_supported(self.fetch, Statement(query))
        if found is None:
            self.notes.append(f"{what} cannot be read here")
        return found or []

    def _unless_brief(self, what: str, query: str) -> list[tuple[Any, ...]]:
        return [] if self.brief else self._optional(what, query)

    def _read_words(self) -> None:
        """Expressions and comments of columns."""
        self.computed = {(s, o, c): text for s, o, c, text in self._unless_brief("computed columns", sql.COMPUTED)}
        self.defaults = {(s, o, c): text for s, o, c, text in self._unless_brief("defaults", sql.DEFAULTS)}
        self.comments = {
            (object_id, column): text
            for class_, name, object_id, column, text in self._optional("comments", sql.COMMENTS)
            if (class_, name) == (_OBJECT_OR_COLUMN, "MS_Description")
        }

    def _read_columns(self) -> None:
        self.masks = masked_columns(self.fetch, self.server, self.login)
        self.types = {id_: (str(name), bool(assembly)) for id_, name, assembly in self.fetch(Statement(sql.TYPES))}
        self.columns: dict[int, list[Column]] = defaultdict(list)
        for row in fullest(self.fetch, sql.COLUMNS.replace("{within}", self.within), COLUMN_FACTS):
            if row[0] in self.places and not internal(row[-1]):
                self.columns[row[0]].append(self._column(row))

    def _column(self, row: tuple[Any, ...]) -> Column:
        """A row of sys.columns, whose last one told that it is a column of its own."""
        object_id, column_id, name, type_id, base_id, length, precision, scale, nullable, collation = row[:10]
        is_computed, hidden, generated, encryption, _ = row[10:]
        schema, relation, *_ = self.places[object_id]
        # A type that this login may not see has no row: its columns are there all the same.
        base = self.types[base_id][0] if base_id in self.types else None
        type_, assembly = self.types.get(type_id, (base or f"nameless type {type_id}", False))
        declared = replace(source_type(type_, base, length, precision, scale, assembly), collation=collation)
        return Column(
            name=name,
            # Under Always Encrypted, what arrives is the ciphertext.
            type=SourceType("varbinary", length=-1) if encryption is not None else declared,
            nullable=bool(nullable),
            column_id=column_id,
            computed=self.computed.get((schema, relation, name)),
            default=self.defaults.get((schema, relation, name)),
            collation=collation,
            comment=self.comments.get((object_id, column_id)),
            is_computed=bool(is_computed),
            masked=(object_id, column_id) in self.masks,
            hidden=bool(hidden),
            encrypted=encryption is not None,
            generated=bool(generated),
        )

    def _read_constraints(self) -> None:
        self.keys = keys_of_tables(self.fetch, self._optional, self.within)
        self.foreign = foreign_keys(self._unless_brief("foreign keys", FOREIGN_KEYS))
        self.checks: dict[Place, list[Check]] = defaultdict(list)
        for schema, table, name, text, disabled, untrusted in self._unless_brief("checks", sql.CHECKS):
            # Without VIEW DEFINITION a check is seen, and what it checks is not.
            if text is not None:
                self.checks[schema, table].append(Check(name, text, enforced=not disabled and not untrusted))

    def _read_sizes(self) -> None:
        partitions = self._optional("row counts", sql.ROWS.replace("{within}", self.within))
        self.rows, self.marks = sums_of_tables([row[:3] for row in partitions]), partition_marks(partitions)
        self.sizes = sums_of_tables(self._optional("sizes", sql.BYTES.replace("{within}", self.within)))

    def _read_changes(self) -> None:
        """Which tables the server tracks or captures changes of, and the rights on them that are missing."""
        self.tracked = dict(self._optional("change tracking", sql.TRACKED))
        self.captured, self.gates = captured_tables(self.fetch, self.places, self.login)

    def _read_what_is_elsewhere(self, database: str) -> None:
        """What hides rows of a table, and what a view reads of other databases."""
        self.filters = row_filters(self.fetch)
        views = {(schema, name): id_ for id_, (schema, name, kind, _) in self.places.items() if kind == "view"}
        self.elsewhere = views_elsewhere(self.fetch, database, views) if views else {}

    def _consistency(self, object_id: int, kind: Kind) -> Consistency:
        """A memory-optimised table refuses SNAPSHOT (41332), and a statement sees one moment of it anyway.

        "Transactions with Memory-Optimized Tables".
        """
        if kind.memory_optimized:
            return replace(MEMORY_OPTIMIZED, unstable=self.consistency.unstable)
        return reads_elsewhere(self.consistency, self.elsewhere.get(object_id, frozenset()))

    def _feeds(self, object_id: int, columns: Sequence[Column]) -> tuple[KeptChanges, ...]:
        found = [KeptChanges(TRACKING)] if object_id in self.tracked else []
        if object_id in self.captured:
            found.append(KeptChanges(CAPTURE, without=_computed(columns)))
        return tuple(found)

    def _table(self, object_id: int) -> Table:
        schema, relation, kind, more = self.places[object_id]
        found = sorted(self.columns[object_id], key=lambda column: column.column_id)
        names = {column.column_id: column.name for column in found}
        indexes = [
            (Key(name, tuple(names[position] for position in positions)), primary, unique)
            for name, primary, unique, positions in self.keys[object_id]
            if all(position in names for position in positions)
        ]
        of_table = kind == "table"
        missing = list(self.gates.get(object_id, ()))
        if self.tracked.get(object_id) == 0:
            place = f"[{schema.replace(']', ']]')}].[{relation.replace(']', ']]')}]"
            missing.append(MissingRight(TRACKING, f"GRANT VIEW CHANGE TRACKING ON {place} TO {self.login.user}"))
        return Table(
            name=TableName(schema, relation),
            columns=tuple(found),
            kind=kind,
            primary_key=next((key for key, primary, _ in indexes if primary), None),
            uniques=tuple(key for key, primary, unique in indexes if unique and not primary),
            foreign_keys=tuple(self.foreign[schema, relation]),
            checks=tuple(self.checks[schema, relation]),
            rows=self.rows.get(object_id) if of_table else None,
            bytes=self.sizes.get(object_id) if of_table else None,
            comment=self.comments.get((object_id, 0)),
            feeds=self._feeds(object_id, found),
            indexes=tuple(key for key, primary, unique in indexes if not unique and not primary),
            consistency=self._consistency(object_id, more),
            object_id=object_id if of_table else None,
            temporal=more.temporal,
            ledger=more.ledger,
            graph=more.graph,
            external=more.external,
            row_security=self.filters.get(object_id, ()),
            partitions=self.marks.get(object_id),
            missing=tuple(missing),
        )


def reads_elsewhere(consistency: Consistency, places: frozenset[str]) -> Consistency:
    """Another database may not allow SNAPSHOT (3952), and no linked server is read under it ("Snapshot Isolation in SQL
    Server").
    """
    return replace(consistency, doubt=f"it reads {', '.join(sorted(places))}") if places else consistency


def _computed(columns: Sequence[Column]) -> tuple[str, ...]:
    """A capture table has NULL in place of a computed column, persisted or not ("Computed Columns")."""
    return tuple(column.name for column in columns if column.is_computed or column.computed is not None)


def _places(fetch: Fetch, schemas: Sequence[str] | None) -> tuple[dict[int, tuple[str, str, str, Kind]], str]:
    """Object id -> (schema, name, table or view, what it is besides) of all that are this database's own.

    And the condition that holds a query over objects to these schemas, where not all are wanted.
    """
    wanted = None if schemas is None else {schema.lower() for schema in schemas}
    ids = {
        id_: str(name) for id_, name in fetch(Statement(sql.SCHEMAS)) if wanted is None or str(name).lower() in wanted
    }
    inside, within = "", ""
    if wanted is not None:
        inside = f" AND schema_id IN ({', '.join(map(str, sorted(ids))) or '-1'})"
        within = f" WHERE object_id IN (SELECT object_id FROM sys.objects WHERE {inside.removeprefix(' AND ')})"
    found: dict[int, tuple[str, str, str, Kind]] = {}
    for object_id, schema_id, name, *more in fullest(fetch, sql.TABLES.replace("{within}", inside), TABLE_FACTS):
        if schema_id in ids:
            found[object_id] = (ids[schema_id], str(name), "table", kind_of_table(*more))
    for object_id, schema_id, name, *more in fullest(fetch, sql.VIEWS.replace("{within}", inside), VIEW_FACTS):
        if schema_id in ids:
            found[object_id] = (ids[schema_id], str(name), "view", kind_of_view(*more))
    return found, within


def _has_min_active_rowversion(fetch: Fetch) -> bool:
    return bool(rows_if_supported(fetch, Statement("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS BINARY(8))")))
