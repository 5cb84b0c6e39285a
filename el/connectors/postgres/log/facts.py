"""What logical replication needs of the server, of a publication and of a table, as the catalog has it.

What is wrong is said with the statement that puts it right, for whoever owns the table (PostgreSQL Documentation,
"Logical Replication": "Publication", "Replica Identity", "Configuration Settings").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from el.connectors.catalog import TableName
from el.connectors.postgres.log.lsn import lsn_number
from el.connectors.sql.select import Statement

Fetch = Callable[[Statement], list[tuple[Any, ...]]]

_SERVER = """
SELECT current_setting('wal_level'), pg_is_in_recovery(),
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_flush_lsn()::text END,
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
       COALESCE((SELECT r.rolreplication OR r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = session_user),
                false)
       OR COALESCE((SELECT pg_has_role(session_user, r.oid, 'MEMBER') FROM pg_catalog.pg_roles AS r
                    WHERE r.rolname = 'rds_replication'), false),
       session_user::text,
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_insert_lsn()::text END
"""
_FLUSHED = "SELECT pg_current_wal_flush_lsn()::text"
# How long what was committed may take to come to the disk: with synchronous_commit = off, thrice wal_writer_delay.
_SECONDS = 2.0
# No commit's record is shorter; the next record may begin behind the header of a page.
_LESS_THAN_A_COMMIT = 40


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server as it is for all tables of a plan."""

    wal_level: str
    reads_only: bool
    flushed: str | None  # up to where the log is on disk, and so can be decoded
    timeline: str
    replicates: bool  # this login may use slots
    login: str

    @classmethod
    def of(cls, fetch: Fetch) -> ServerFacts:
        level, standby, flushed, timeline, replicates, login, written = fetch(Statement(_SERVER))[0]
        until = time.monotonic() + _SECONDS
        # What is committed by now is to be in the log that is read.
        while flushed is not None and lsn_number(flushed) < lsn_number(written) - _LESS_THAN_A_COMMIT:
            if time.monotonic() > until:
                break
            time.sleep(0.02)
            flushed = str(fetch(Statement(_FLUSHED))[0][0])
        return cls(str(level), bool(standby), flushed, str(timeline or ""), bool(replicates), str(login))

    def wrong(self) -> str | None:
        if self.reads_only:
            return "this server is a standby, and a slot is made at the primary: `writer_host` in the profile names it"
        if self.wal_level != "logical":
            return (
                f"wal_level is {self.wal_level}: ALTER SYSTEM SET wal_level = 'logical', then restart the server "
                "(RDS and Aurora: rds.logical_replication = 1 in the parameter group)"
            )
        if not self.replicates:
            login = quoted(self.login)
            return (
                f"the login may not use replication slots: ALTER ROLE {login} REPLICATION (RDS and Aurora: GRANT "
                f"rds_replication TO {login})"
            )
        return None


# A mark that is another one when the publication was altered, or the table was taken out and added again: what it
# published in between is not known.
_PUBLICATION = """
SELECT p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, COALESCE((to_jsonb(p) ->> 'pubviaroot')::boolean, false),
       t.tablename IS NOT NULL, to_jsonb(t) ->> 'rowfilter', (to_jsonb(t) -> 'attnames')::text,
       md5(concat_ws(',', p.oid, p.xmin,
           (SELECT string_agg(concat_ws(':', r.oid, r.xmin), ',' ORDER BY r.oid)
            FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid AND (r.prrelid = c.oid
                OR r.prrelid IN (SELECT relid FROM pg_partition_ancestors(c.oid))))))
FROM pg_catalog.pg_publication AS p
JOIN pg_catalog.pg_class AS c ON c.oid = {oid}
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_publication_tables AS t
    ON t.pubname = p.pubname AND t.schemaname = n.nspname AND t.tablename = c.relname
WHERE p.pubname = ?
"""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication has of a table."""

    operations: tuple[str, ...]  # those that it leaves out
    via_root: bool
    listed: bool
    filter: str | None
    columns: str | None  # JSON; None: of a server that knows no lists of columns
    mark: str

    @classmethod
    def of(cls, fetch: Fetch, publication: str, oid: int) -> Published | None:
        rows = fetch(Statement(_PUBLICATION.replace("{oid}", str(int(oid))), (publication,)))
        if not rows:
            return None
        insert, update, delete, truncate, via_root, listed, rows_only, columns, mark = rows[0]
        told = {"insert": insert, "update": update, "delete": delete, "truncate": truncate}
        absent = tuple(name for name, there in told.items() if not there)
        return cls(absent, bool(via_root), bool(listed), rows_only, columns, str(mark)[:12])


def published_wrong(
    found: Published | None, publication: str, table: TableName, partitioned: bool, lacking: Sequence[str]
) -> str | None:
    """Why the publication does not tell all changes of the table. lacking: columns that it does not publish."""
    name, of = quoted(publication), f"{quoted(table.schema)}.{quoted(table.name)}"
    if found is None:
        return (
            f"there is no publication {publication} (`publication` in the profile): CREATE PUBLICATION {name} FOR "
            f"TABLE {of}{' WITH (publish_via_partition_root = true)' if partitioned else ''}"
        )
    if partitioned and not found.via_root:
        return (
            f"publication {publication} tells changes of a partitioned table by its partitions: ALTER PUBLICATION "
            f"{name} SET (publish_via_partition_root = true)"
        )
    if not found.listed:
        return f"publication {publication} has not this table: ALTER PUBLICATION {name} ADD TABLE {of}"
    if found.operations:
        return (
            f"publication {publication} leaves out {', '.join(found.operations)}: ALTER PUBLICATION {name} SET "
            "(publish = 'insert, update, delete, truncate')"
        )
    whole = f"ALTER PUBLICATION {name} DROP TABLE {of}; ALTER PUBLICATION {name} ADD TABLE {of}"
    if found.filter is not None:
        return f"publication {publication} has some rows of this table alone, WHERE {found.filter}: {whole}"
    if lacking:
        left_out = ", ".join(lacking)
        return f"publication {publication} leaves out {left_out}: exclude what is not published, or {whole}"
    return None


_LEAVES = """(SELECT c.oid AS relid WHERE c.relkind = 'r'
              UNION ALL SELECT p.relid FROM pg_partition_tree(c.oid) AS p WHERE c.relkind = 'p' AND p.isleaf)"""
_TABLE = f"""
SELECT c.relkind::text, min(x.relreplident::text), max(x.relreplident::text), bool_or(x.relpersistence <> 'p'),
       bool_or(x.reltoastrelid <> 0), bool_or(x.relkind <> 'r'),
       md5(string_agg(COALESCE(pg_relation_filenode(x.oid), 0)::text, ',' ORDER BY x.oid)),
       c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid),
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_index AS i
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
             WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'i' THEN i.indisreplident
                                          WHEN 'd' THEN i.indisprimary ELSE false END)
FROM pg_catalog.pg_class AS c
LEFT JOIN LATERAL {_LEAVES} AS leaf ON true LEFT JOIN pg_catalog.pg_class AS x ON x.oid = leaf.relid
WHERE c.oid = {{oid}} GROUP BY c.oid
"""
# The type that a domain is made of: of a deleted row there may be no value, which a domain can refuse.
_COLUMNS = """
WITH RECURSIVE made AS (
    SELECT a.attnum, a.attname::text AS name, a.atttypid AS told, a.atttypid AS type, a.atttypmod AS modifier,
           a.attlen = -1 AND a.attstorage <> 'p'
           -- No longer than what would stand in its place.
           AND NOT (a.atttypid = 1700 AND a.atttypmod >= 4 AND (a.atttypmod - 4) >> 16 <= 20) AS large,
           a.atthasdef OR a.atthasmissing AS filled,
           a.attgenerated <> '' AS made_up
    FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT m.attnum, m.name, m.told, t.typbasetype, CASE WHEN m.modifier < 0 THEN t.typtypmod ELSE m.modifier END,
           m.large, m.filled, m.made_up
    FROM made AS m JOIN pg_catalog.pg_type AS t ON t.oid = m.type AND t.typtype = 'd'
)
SELECT m.name, m.told::bigint, format_type(m.type, m.modifier), m.large, m.filled, m.made_up
FROM made AS m JOIN pg_catalog.pg_type AS t ON t.oid = m.type WHERE t.typtype <> 'd' ORDER BY m.attnum
"""


@dataclass(frozen=True, slots=True)
class LoggedColumn:
    """A column as its values are read back: text of the log becomes a value of `declared`."""

    name: str
    type: int  # OID, as the log tells it
    declared: str
    large: bool  # its values may be stored apart from the row
    filled: bool  # rows that were there before it may have a value of it
    generated: bool


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table as it is for the log."""

    oid: int
    partitioned: bool
    identity: str  # REPLICA IDENTITY: d, n, f, i; ? where the partitions differ
    identifies: tuple[str, ...]  # its columns, but for f
    unlogged: bool
    apart: bool  # it stores large values apart
    foreign: bool  # a part of it is elsewhere
    files: str  # another text after a TRUNCATE, or after the table was written anew
    inherited: bool  # other tables inherit from it
    columns: tuple[LoggedColumn, ...]

    @classmethod
    def of(cls, fetch: Fetch, oid: int) -> TableFacts:
        told = fetch(Statement(_TABLE.replace("{oid}", str(int(oid)))))[0]
        kind, least, greatest, unlogged, apart, foreign, files, inherited, identifies = told
        columns = fetch(Statement(_COLUMNS.replace("{oid}", str(int(oid)))))
        return cls(
            oid,
            kind == "p",
            str(least or "f") if least == greatest else "?",
            tuple(str(name) for name in identifies),
            bool(unlogged),
            bool(apart),
            bool(foreign),
            str(files or "")[:12],
            bool(inherited),
            tuple(LoggedColumn(str(c[0]), int(c[1]), str(c[2]), bool(c[3]), bool(c[4]), bool(c[5])) for c in columns),
        )

    @property
    def whole(self) -> bool:
        """Whether an update and a delete bring the whole former row."""
        return self.identity == "f"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
