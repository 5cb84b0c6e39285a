"""PostgreSQL's own catalog as a `Catalog`. A partitioned table is one table, and its partitions are none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from el.connectors.catalog import (
    ONE_MOMENT,
    Catalog,
    Check,
    Column,
    Consistency,
    ForeignKey,
    Key,
    SourceType,
    Table,
    TableName,
)
from el.connectors.postgres import catalog_queries as ask
from el.connectors.postgres.check_text import plain_check
from el.connectors.postgres.xmin import XMIN
from el.connectors.sql.cluster import READER_NOTE
from el.connectors.sql.select import Statement
from el.errors import ElError

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
_KINDS = {"r": "table", "p": "table", "f": "table", "v": "view", "m": "view"}
_ELSEWHERE = Consistency(no_snapshot="the rows of a foreign table are of another server")
_NAMES = {
    "bool": "boolean",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bpchar": "char",
    "char": '"char"',
}
_OF_KIND = {"e": "enum", "c": "composite", "r": "range", "m": "multirange"}


def read_catalog(fetch: Fetch, schemas: Sequence[str] | None, *, brief: bool) -> Catalog:
    within = ask.SCHEMAS
    if schemas is not None:
        within += f" AND n.nspname IN ({', '.join('?' * len(schemas)) or 'NULL'})"

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return fetch(Statement(sql.replace("{within}", within), tuple(schemas or ())))

    database, version, user, in_recovery, oid, ctype = fetch(Statement(ask.DATABASE))[0]
    columns = _columns(fetch, rows(ask.COLUMNS), str(ctype))
    keys, policies = _by_table(rows(ask.KEYS)), _by_table(rows(ask.POLICIES))
    foreign = {} if brief else _by_table(rows(ask.FOREIGN))
    checks = {} if brief else _by_table(rows(ask.CHECKS))
    tables = []
    for id_, schema, name, kind, count, size, comment, hides, parts in rows(ask.TABLES):
        found = [(Key(key, tuple(names)), primary, unique) for key, primary, unique, names in keys.get(id_, ())]
        tables.append(
            Table(
                name=TableName(schema, name),
                columns=tuple(columns.get(id_, ())),
                kind=_KINDS[kind],
                primary_key=next((key for key, primary, _ in found if primary), None),
                uniques=tuple(key for key, primary, unique in found if unique and not primary),
                foreign_keys=tuple(
                    ForeignKey(key, tuple(own), TableName(to_schema, to), tuple(theirs), bool(enforced))
                    for key, own, to_schema, to, theirs, enforced in foreign.get(id_, ())
                ),
                checks=tuple(
                    Check(check, plain_check(said, _texts(columns.get(id_, ()))), bool(enforced))
                    for check, said, enforced in checks.get(id_, ())
                ),
                rows=count,
                bytes=size,
                comment=comment,
                indexes=tuple(key for key, _, unique in found if not unique),
                consistency=_ELSEWHERE if kind == "f" else ONE_MOMENT,
                object_id=id_ if kind in "rp" else None,
                external=kind == "f",
                row_security=tuple(policy for (policy,) in policies.get(id_, [("without a policy",)])) if hides else (),
                partitions=parts,
                version=XMIN if kind in "rp" else None,
            )
        )
    identity = None
    # A service may keep it to itself.
    with suppress(ElError):
        identity = f"{fetch(Statement(ask.IDENTITY))[0][0]}/{oid}"
    return Catalog(
        str(database),
        f"PostgreSQL {version}",
        tuple(tables),
        consistency=ONE_MOMENT,
        stable_version=True,
        identity=identity,
        read_only=bool(in_recovery),
        case_sensitive=True,
        user=str(user),
        notes=(READER_NOTE,) if in_recovery else (),
    )


def _texts(columns: Iterable[Column]) -> set[str]:
    return {column.name for column in columns if column.type.name in ("text", "varchar")}


def _by_table(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for id_, *rest in rows:
        found[id_].append(tuple(rest))
    return found


def _columns(fetch: Fetch, rows: list[tuple[Any, ...]], ctype: str) -> dict[int, list[Column]]:
    types = Types(fetch, {row[4] for row in rows})
    found: dict[int, list[Column]] = defaultdict(list)
    for id_, name, number, nullable, oid, modifier, default, generated, comment, collation, exact, locale in rows:
        type_ = types.of(oid, modifier)
        if type_.name == "citext":
            # It is compared by the small letters of the database's own locale.
            said = f"citext {ctype}"
        else:
            said = collation if exact in (None, True) else f"{collation} nondeterministic {locale}"
        found[id_].append(
            Column(
                name=name,
                type=type_,
                nullable=nullable,
                column_id=number,
                computed=default if generated else None,
                default=None if generated else default,
                collation=said,
                comment=comment,
                is_computed=generated,
            )
        )
    return found


class Types:
    """Types by their oids; a domain is what it is made of."""

    def __init__(self, fetch: Fetch, oids: Iterable[int]) -> None:
        self._known: dict[int, tuple[Any, ...]] = {}
        wanted = set(oids)
        while wanted:
            listed = ", ".join(str(int(oid)) for oid in sorted(wanted))
            for oid, *said in fetch(Statement(ask.TYPES.replace("{oids}", listed))):
                self._known[oid] = tuple(said)
            bases = {base for _, kind, _, base, _ in self._known.values() if kind == "d"}
            wanted = bases - set(self._known)

    def of(self, oid: int, modifier: int = -1) -> SourceType:
        name, kind, category, base, own = self._known[oid]
        if kind == "d":
            return self.of(base, own if modifier < 0 else modifier)
        if kind in _OF_KIND:
            return SourceType(_OF_KIND[kind])
        if category == "A" and name.startswith("_"):
            return SourceType("array")
        return _with_digits(_NAMES.get(name, name), modifier)


def _with_digits(name: str, modifier: int) -> SourceType:
    if name in ("timestamp", "timestamptz", "time", "timetz"):
        return SourceType(name, scale=6 if modifier < 0 else modifier)
    if modifier < 0:
        return SourceType(name)
    if name == "numeric":
        precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
        # Eleven bits with a sign: numeric(3,-2) is of whole hundreds, numeric(2,4) of ten-thousandths.
        scale -= 0x800 if scale >= 0x400 else 0
        whole = max(precision - scale, 0)
        return SourceType(name, precision=whole + max(scale, 0), scale=max(scale, 0))
    if name in ("varchar", "char"):
        return SourceType(name, length=modifier - 4)
    return SourceType(name, length=modifier) if name in ("bit", "varbit") else SourceType(name)


def types_of(fetch: Fetch, query: str, names: Sequence[str], digits: Mapping[int, int]) -> list[SourceType]:
    """The types of a query's columns. digits: by a column's place, the modifier of its type where it is known."""
    aliases = [f"c{number}" for number in range(len(names))]
    told = ", ".join(f"pg_typeof(q.{alias})::oid::bigint" for alias in aliases)
    rows = fetch(
        Statement(f"SELECT {told} FROM (SELECT 1) AS one LEFT JOIN (\n{query}\n) AS q ({', '.join(aliases)}) ON false")
    )
    oids = [int(str(oid)) for oid in rows[0]]
    types = Types(fetch, oids)
    return [types.of(oid, digits.get(number, -1)) for number, oid in enumerate(oids)]
