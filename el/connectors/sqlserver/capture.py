"""Change data capture: which change tables a table has, how far they go, and the SELECT that reads their changes.

A change table (`cdc.<capture_instance>_CT`) is read itself, and not through its function: only the table has
`__$command_id`, by which changes of one transaction are in order (Microsoft Learn, "cdc.<capture_instance>_CT":
`__$seqval` "should not be used for ordering"). Whether the server still has all of a range is asked of
`sys.fn_cdc_get_min_lsn`, which also keeps to the gating role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from el.connectors.base import CaptureInstance
from el.connectors.catalog import SourceType, TableName
from el.connectors.request import OP_READ, POSITION_READ, CapturedChanges, ColumnRead, ReadRequest, Value
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

# Types whose values are told apart by their bytes: `=` takes some different texts, and times of other zones, for equal.
_BY_BYTES = ("char", "varchar", "nchar", "nvarchar", "datetimeoffset", "binary", "varbinary")
# Types of before 2005 cannot stand in a subquery; these hold the same.
_NEWER = {"text": "VARCHAR(MAX)", "ntext": "NVARCHAR(MAX)", "image": "VARBINARY(MAX)"}


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
                least=None if low is None else Value(low, LSN),
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


def max_lsn(source: SqlServerSession) -> Value | None:
    found = source.fetch(Statement("SELECT sys.fn_cdc_get_max_lsn()"))[0][0]
    return None if found is None else Value(canonical(found), LSN)


def captured_at(source: SqlServerSession, milliseconds: int) -> tuple[Value | None, bool]:
    ago = -min(max(milliseconds, 0), 2**31 - 1)
    last, following = source.fetch(Statement(_CAPTURED_AT, (ago, ago)))[0]
    return None if last is None else Value(canonical(last), LSN), following is not None


def has_changes(source: SqlServerSession, instance: str, first: Value, last: Value) -> bool:
    sql = (
        f"SELECT TOP (1) 1 FROM {_change_table(source, instance)} AS c "
        "WHERE c.[__$start_lsn] >= ? AND c.[__$start_lsn] <= ?"
    )
    return bool(source.fetch(Statement(sql, tuple(source.dialect.parameter(lsn) for lsn in (first, last)))))


def next_lsn(lsn: Value) -> Value:
    """The least LSN behind this one (sys.fn_cdc_increment_lsn: they count in their last byte)."""
    return Value(f"0x{int(lsn.text, 16) + 1:020X}", LSN)


def previous_lsn(lsn: Value) -> Value:
    """The greatest LSN before this one (sys.fn_cdc_decrement_lsn)."""
    return Value(f"0x{int(lsn.text, 16) - 1:020X}", LSN)


def require(source: SqlServerSession, table: TableName, changes: CapturedChanges) -> None:
    """Raise unless the server has all changes of the range, and this login may see them."""
    found = source.fetch(Statement("SELECT sys.fn_cdc_get_min_lsn(?)", (changes.instance,)))[0][0]
    if found is not None and int(canonical(found), 16) and canonical(found) <= changes.first.text:
        return
    if found is not None and not int(canonical(found), 16):
        named = "SELECT role_name FROM cdc.change_tables WHERE capture_instance = ?"
        if rows := source.fetch(Statement(named, (changes.instance,))):
            raise NotPermitted(_refused(source, table, changes.instance, rows[0][0]))
    raise PositionLost(
        f"{table}: capture instance {changes.instance} no longer has the changes since {changes.first}; "
        f"run --full-refresh --select {table} begins anew"
    )


def _change_table(source: SqlServerSession, instance: str) -> str:
    return f"{source.dialect.quote('cdc')}.{source.dialect.quote(f'{instance}_CT')}"


def captured(source: SqlServerSession, request: ReadRequest, changes: CapturedChanges) -> Statement:
    """The SELECT of the changes: `c` is a row of the change table, `n` the new image that follows an old one."""
    assert request.table is not None
    return _Captured(source, request.table, request.columns, changes).statement()


@dataclass
class _Captured:
    source: SqlServerSession
    table: TableName
    columns: Sequence[ColumnRead]
    changes: CapturedChanges
    operation: str = field(default="c.[__$operation]", init=False)

    def statement(self) -> Statement:
        quote, changes = self.source.dialect.quote, self.changes
        moved = self._moved()
        kind = f"CASE WHEN {self._is_delete(moved)} THEN 'D' WHEN {self.operation} = 3 THEN 'B' ELSE 'U' END"
        position = self._position(moved)
        columns = [f"{self._read(column)} AS {quote(column.name)}" for column in self.columns]
        name = _change_table(self.source, changes.instance)
        tail = f"FROM {name} AS c"
        if moved or changes.before_images:
            # An old image and its new one are of one log record.
            tail += (
                f" LEFT JOIN {name} AS n ON {self.operation} = 3 AND n.[__$operation] = 4 "
                "AND n.[__$start_lsn] = c.[__$start_lsn] AND n.[__$seqval] = c.[__$seqval]"
            )
        tail += " WHERE c.[__$start_lsn] >= ? AND c.[__$start_lsn] <= ?"
        if not changes.before_images:
            tail += f" AND ({self.operation} <> 3{f' OR {moved}' if moved else ''})"
        bounds = tuple(self.source.dialect.parameter(value) for value in (changes.first, changes.last))
        columns += [f"{kind} AS {quote(OP_READ)}", f"{position} AS {quote(POSITION_READ)}"]
        if not changes.only_last_counts:
            return Statement(f"SELECT {', '.join(columns)} {tail}", bounds)
        number = quote("_el_number_source")
        key = ", ".join(_by_bytes(f"c.{quote(column)}", type_) for column, type_ in changes.key)
        columns.append(f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {position} DESC) AS {number}")
        outer = [f"q.{quote(column.name)}" for column in self.columns]
        outer.append(f"CASE WHEN q.{number} = 1 THEN q.{quote(OP_READ)} ELSE 'B' END AS {quote(OP_READ)}")
        outer.append(f"q.{quote(POSITION_READ)}")
        return Statement(f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(columns)} {tail}) AS q", bounds)

    def _moved(self) -> str:
        """Whether an old image has another key than the new one; empty where there is no key."""
        quote, differ = self.source.dialect.quote, []
        for column, type_ in self.changes.key:
            old, new = (_by_bytes(f"{side}.{quote(column)}", type_) for side in "cn")
            differ.append(
                f"{old} <> {new} OR ({old} IS NULL AND {new} IS NOT NULL) OR ({old} IS NOT NULL AND {new} IS NULL)"
            )
        return f"n.[__$operation] = 4 AND ({' OR '.join(differ)})" if differ else ""

    def _is_delete(self, moved: str) -> str:
        return f"{self.operation} = 1{f' OR ({self.operation} = 3 AND {moved})' if moved else ''}"

    def _position(self, moved: str) -> str:
        """The order of commits, of what was done in one, and there a delete before what takes the place of its row.

        An insert can stand before the delete that it follows (KB3030352), which is why `__$command_id` came. Where it
        is missing there is nothing better than `__$seqval`.
        """
        operation = self.operation
        command, deleted = "CAST(0 AS BINARY(4))", "CAST(1 AS BINARY(1))"
        if self.changes.in_order:
            command = "CAST(c.[__$command_id] AS BINARY(4))"
            deleted = f"CAST(CASE WHEN {self._is_delete(moved)} THEN 0 ELSE 1 END AS BINARY(1))"
        return (
            f"CAST(c.[__$start_lsn] AS BINARY(10)) + {command} + {deleted} + CAST(c.[__$seqval] AS BINARY(10)) + "
            f"CAST({operation} AS BINARY(1))"
        )

    def _read(self, column: ColumnRead) -> str:
        return (column.read_as or "{column}").replace("{column}", self._value(column.source))

    def _value(self, name: str) -> str:
        """A column of a change; a large value that an update left alone may not be there, which is no NULL.

        Documented for old images ("cdc.<capture_instance>_CT", "Large Object Data Types"); new ones are held to be no
        better. It is the new image's, else that of the row as it is now.
        """
        quote = self.source.dialect.quote
        if (absent := dict(self.changes.missing).get(name)) is not None:
            return f"CAST(NULL AS {_declared(absent)})"
        plain = f"c.{quote(name)}"
        large = next((found for found in self.changes.large if found[0] == name), None)
        if large is None:
            return plain
        _, ordinal, type_ = large
        newer = _NEWER.get(type_.name)

        def as_newer(value: str) -> str:
            return f"CAST({value} AS {newer})" if newer else value

        known = []
        if self.changes.before_images or self.changes.key:
            known.append(as_newer(f"n.{quote(name)}"))
        if self.changes.key:
            same = " AND ".join(f"t.{quote(key)} = c.{quote(key)}" for key, _ in self.changes.key)
            table = self.source.dialect.quote_table(self.table)
            known.append(f"(SELECT TOP (1) {as_newer(f't.{quote(name)}')} FROM {table} AS t WHERE {same})")
        if not known:
            return plain
        other = known[0] if len(known) == 1 else f"COALESCE({', '.join(known)})"
        return (
            f"CASE WHEN {plain} IS NULL AND {self.operation} IN (3, 4) "
            f"AND sys.fn_cdc_is_bit_set({ordinal}, c.[__$update_mask]) = 0 THEN {other} ELSE {as_newer(plain)} END"
        )


def _by_bytes(value: str, type_: SourceType) -> str:
    return f"CAST({value} AS VARBINARY(MAX))" if type_.name in _BY_BYTES else value


def _declared(type_: SourceType) -> str:
    return "BINARY(8)" if type_.name == "rowversion" else str(type_).upper()
