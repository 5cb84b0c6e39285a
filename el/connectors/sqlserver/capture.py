"""Change data capture: which change tables a table has, and how far they go, in log sequence numbers (LSN).

Whether the server still has all of a range is asked of `sys.fn_cdc_get_min_lsn`, which also keeps to the gating role.
All LSNs have one width: their texts are in the order of the log.
"""

from __future__ import annotations

from dataclasses import dataclass

from el.connectors.catalog import SourceType, TableName
from el.connectors.request import Value
from el.connectors.sql.connector import canonical
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.session import SqlServerSession
from el.errors import NotPermitted, PositionLost

LSN = SourceType("binary", length=10)

# By the day on which an instance was made: cleanup moves the start of all of them to one mark.
_INSTANCES = """
SELECT c.capture_instance, c.start_lsn, sys.fn_cdc_get_min_lsn(c.capture_instance), c.role_name,
       CASE WHEN c.partition_switch = 1 AND EXISTS (SELECT 1 FROM sys.partitions AS p
            WHERE p.object_id = c.source_object_id AND p.partition_number > 1) THEN 1 ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 FROM sys.columns AS x WHERE x.object_id = c.object_id AND x.name = N'__$command_id')
            THEN 1 ELSE 0 END,
       k.column_name
FROM cdc.change_tables AS c
JOIN cdc.captured_columns AS k ON k.object_id = c.object_id
WHERE c.source_object_id = OBJECT_ID(?)
ORDER BY c.create_date, c.object_id, k.column_ordinal
"""

_CAPTURED_AT = """
SELECT sys.fn_cdc_map_time_to_lsn(N'largest less than or equal', DATEADD(MILLISECOND, ?, GETDATE())),
       sys.fn_cdc_map_time_to_lsn(N'smallest greater than', DATEADD(MILLISECOND, ?, GETDATE()))
"""


@dataclass(frozen=True, slots=True)
class CaptureInstance:
    """A capture table of one table."""

    name: str
    least: str | None  # the LSN since which it has all changes; None: not yet established
    columns: tuple[str, ...]  # those that it captures, in its order
    in_order: bool = True  # it tells the order of changes within a transaction
    partition_switch: bool = False  # rows may be switched in and out, which it does not capture


def capture_instances(source: SqlServerSession, table: TableName) -> tuple[CaptureInstance, ...]:
    """Raises `NotPermitted` where the login may not read an instance's changes."""
    columns: dict[str, list[str]] = {}
    about: dict[str, tuple[object, ...]] = {}
    for name, *facts, column in source.fetch(Statement(_INSTANCES, (source.dialect.quote_table(table),))):
        about[str(name)] = tuple(facts)
        columns.setdefault(str(name), []).append(str(column))
    found = []
    for name, (start, least, role, switch, commands) in about.items():
        if start is not None and (least is None or not int(canonical(least), 16)):
            raise NotPermitted(_refused(source, table, name, role))
        low = None if start is None else max(canonical(start), canonical(least))
        found.append(
            CaptureInstance(
                name=name,
                least=low,
                columns=tuple(columns[name]),
                in_order=bool(commands),
                partition_switch=bool(switch),
            )
        )
    return tuple(found)


def _refused(source: SqlServerSession, table: TableName, instance: str, role: object) -> str:
    quote = source.dialect.quote
    user = quote(str(source.fetch(Statement("SELECT USER_NAME()"))[0][0]))
    help_ = f"GRANT SELECT ON {source.dialect.quote_table(table)} TO {user}"
    if role is not None:
        help_ += f", and ALTER ROLE {quote(str(role))} ADD MEMBER {user}, the gating role"
    return f"{table}: the login may not read the changes of capture instance {instance}: {help_}"


def max_lsn(source: SqlServerSession) -> str | None:
    """The greatest LSN that was captured; None if the capture has not begun."""
    found = source.fetch(Statement("SELECT sys.fn_cdc_get_max_lsn()"))[0][0]
    return None if found is None else canonical(found)


def captured_at(source: SqlServerSession, milliseconds: int) -> tuple[str | None, bool]:
    """The greatest LSN of so long ago, None if not known; and whether capture has passed that moment."""
    ago = -min(max(milliseconds, 0), 2**31 - 1)
    last, following = source.fetch(Statement(_CAPTURED_AT, (ago, ago)))[0]
    return None if last is None else canonical(last), following is not None


def has_changes(source: SqlServerSession, instance: str, first: str, last: str) -> bool:
    """Whether this instance has a change from one LSN to another, both inclusive."""
    sql = (
        f"SELECT TOP (1) 1 FROM {change_table(source, instance)} AS c "
        "WHERE c.[__$start_lsn] >= ? AND c.[__$start_lsn] <= ?"
    )
    return bool(source.fetch(Statement(sql, (lsn_parameter(source, first), lsn_parameter(source, last)))))


def lsn_parameter(source: SqlServerSession, lsn: str) -> object:
    return source.dialect.parameter(Value(lsn, LSN))


def next_lsn(lsn: str) -> str:
    """The least LSN behind this one (sys.fn_cdc_increment_lsn: they count in their last byte)."""
    return f"0x{int(lsn, 16) + 1:020X}"


def previous_lsn(lsn: str) -> str:
    """The greatest LSN before this one (sys.fn_cdc_decrement_lsn)."""
    return f"0x{int(lsn, 16) - 1:020X}"


def require(source: SqlServerSession, table: TableName, instance: str, first: str) -> None:
    """Raise unless the instance has all changes from this LSN on, and this login may see them."""
    found = source.fetch(Statement("SELECT sys.fn_cdc_get_min_lsn(?)", (instance,)))[0][0]
    if found is not None and int(canonical(found), 16) and canonical(found) <= first:
        return
    if found is not None and not int(canonical(found), 16):
        named = "SELECT role_name FROM cdc.change_tables WHERE capture_instance = ?"
        if rows := source.fetch(Statement(named, (instance,))):
            raise NotPermitted(_refused(source, table, instance, rows[0][0]))
    raise PositionLost(
        f"{table}: capture instance {instance} no longer has the changes since {first}; "
        f"run --full-refresh --select {table} begins anew"
    )


def change_table(source: SqlServerSession, instance: str) -> str:
    return f"{source.dialect.quote('cdc')}.{source.dialect.quote(f'{instance}_CT')}"
