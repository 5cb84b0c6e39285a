"""What a raw table is made of: which table of which database, by which settings of el.yml.

Guarantees: where table, database, query, filters, key or a column's own settings are others than at the last load, that
is said in words, for a delta over it would leave raw half one and half the other. What the source changes is no part of
it: see `el.planning.drift`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from el.config.tables import TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Catalog, Table, TableName
from el.connectors.request import ReadRequest
from el.errors import ConfigError, PlanError, SecretUnavailable
from el.planning.columns import ColumnPlan
from el.planning.held import HeldTable
from el.planning.keys import KeyRule
from el.planning.ledger import LedgerEntry

_SHORTER = "lossy or trimmed"


# What says in a connection which database it is, where the database itself does not; who signs in, and how, may change.
_WHERE = ("host", "account", "port", "dsn", "path")


def database_of(source: Source, catalog: Catalog) -> str:
    """Which database this is, as text without secrets: "sqlserver db01 1433 shop {5e0f...}", the last as it says."""
    parts = [
        str(part)
        for name in (*_WHERE, *source.config.names_database)
        if (part := getattr(source.config, name, None)) is not None
    ]
    identity = [f"{{{catalog.identity}}}"] if catalog.identity is not None else []
    return " ".join([source.scheme, *parts, catalog.database, *identity])


def same_database(before: str, now: str) -> bool:
    """Whether two are one database. Where both know who they are, the way there does not count."""
    (old, _, was), (new, _, is_) = (database.partition(" {") for database in (before, now))
    if was and is_:
        # Copies of one database on one server are of one family.
        return was == is_ and old.split()[0] == new.split()[0] and _name(old) == _name(new)
    return old == new


def _name(database: str) -> str:
    return database.rpartition(" ")[2]


def why_no_bound(last: LedgerEntry, table: TableName, database: str) -> str | None:
    """Why the last load's bound is none for this table: it was of another one, or raw's table is gone; in words."""
    if last.gone:
        return f"{last.table_name} is no longer in raw"
    if last.source_table != str(table):
        return f"the last load was of {last.source_table}"
    if last.source is not None and not same_database(last.source, database):
        return f"the last load was from {last.source}, and this is {database}"
    return None


def definition(
    table: Table,
    settings: TableSettings,
    request: ReadRequest,
    columns: Sequence[ColumnPlan],
    key: Sequence[str],
    equal: KeyRule | None = None,
) -> str:
    """The settings as text, as the ledger keeps it. Columns are named as in raw: at the source they may be renamed.

    equal: how the key compares.
    """
    query = hashlib.sha256(request.query.strip().encode()).hexdigest()[:16] if request.query else None
    filters = sorted([each.column, str(each.op), each.value.text if each.value else ""] for each in request.where)
    own = {found.name: chosen for name, chosen in settings.columns.items() if (found := table.column(name))}
    kept = {}
    for column in columns:
        chosen = own.get(column.source.name)
        if column.source.path is not None:
            kept[column.name] = f"field {column.source.path}"
        elif chosen is not None and chosen.cast is not None:
            kept[column.name] = f"cast {chosen.cast}"
        elif chosen is not None and chosen.mask is not None:
            kept[column.name] = str(column.mapping.loses).replace("masked: ", "mask ") + _which_key(table, column)
        elif column.mapping.loses:
            kept[column.name] = _SHORTER
    made = {"query": query, "filters": filters, "key": list(key), "own_key": settings.key is not None, "columns": kept}
    if equal is not None:
        made["equal"] = equal.description()
    return json.dumps(made, ensure_ascii=False, sort_keys=True)


def _which_key(table: Table, column: ColumnPlan) -> str:
    """With another key each value has another mask."""
    if column.mask_key is None:
        return ""
    try:
        return f", key {column.mask_key.fingerprint()}"
    except (ConfigError, SecretUnavailable) as error:
        raise PlanError(f"{table.name}.{column.source.name}: {error}") from None


def keys_changed(before: str | None, now: str) -> bool:
    """Whether keys compare otherwise than at the last load, so that raw's rows hold another `_el_key`, or none."""
    old = json.loads(before).get("equal") if before is not None else None
    return bool(old != json.loads(now).get("equal"))


def what_changed(
    before: str | None, now: str, table: Table, columns: Sequence[ColumnPlan], held: HeldTable | None
) -> str | None:
    """The settings that differ, in words; None if none does, or where the former ones are not known."""
    if before is None:
        return None
    old, new = json.loads(before), json.loads(now)
    found = [name for name in ("query", "filters") if old[name] != new[name]]
    # A key that el.yml names neither before nor now is the source's own, and may change there.
    if old["key"] != new["key"] and (old["own_key"] or new["own_key"]):
        found.append("key")
    for column in columns:
        known = (held.columns.get(column.name) or held.former.get(column.name)) if held else None
        if held is not None and known is None:
            continue
        how = [each["columns"].get(column.name, "") for each in (old, new)]
        # Whether there is a shorter way at all may change with the type.
        by_type = known is not None and known.source_type != str(column.source.type) and set(how) <= {"", _SHORTER}
        if how[0] != how[1] and not by_type:
            found.append(f"{column.source.name}: {how[0] or 'as it is'}, now {how[1] or 'as it is'}")
        elif known is not None and known.source != column.source.name and _has(table, known.source):
            found.append(f"{column.name}: {known.source}, now {column.source.name}")
    return "; ".join(found) or None


def _has(table: Table, name: str) -> bool:
    return any(column.name == name for column in table.columns)
