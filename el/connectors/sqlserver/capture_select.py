"""The SELECT that reads the changes of one capture instance.

A change table (`cdc.<capture_instance>_CT`) is read itself, and not through its function: only the table has
`__$command_id`, by which changes of one transaction are in order (Microsoft Learn, "cdc.<capture_instance>_CT":
`__$seqval` "should not be used for ordering").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from el.connectors.catalog import SourceType, TableName
from el.connectors.request import OP_READ, POSITION_READ, ColumnRead, FeedRead, ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.capture import change_table, lsn_parameter
from el.connectors.sqlserver.session import SqlServerSession

# Types whose values are told apart by their bytes: `=` takes some different texts, and times of other zones, for equal.
_BY_BYTES = ("char", "varchar", "nchar", "nvarchar", "datetimeoffset", "binary", "varbinary")
# Types of before 2005 cannot stand in a subquery; these hold the same.
_NEWER = {"text": "VARCHAR(MAX)", "ntext": "NVARCHAR(MAX)", "image": "VARBINARY(MAX)"}


@dataclass(frozen=True, slots=True)
class CapturedChanges(FeedRead):
    """Every change from one LSN to another, both inclusive, of one capture instance."""

    instance: str
    first: str
    last: str
    missing: tuple[tuple[str, SourceType], ...] = ()  # columns that it does not capture: they come as NULL
    before_images: bool = False  # an update brings the row as it was too
    # Its columns with their types; where an update changes it, the former row comes as deleted.
    key: tuple[tuple[str, SourceType], ...] = ()
    in_order: bool = True  # the instance tells the order of changes within a transaction
    # Columns of which an update that leaves them alone may hold no value, with their place in the instance.
    large: tuple[tuple[str, int, SourceType], ...] = ()
    only_last_counts: bool = False  # of each key, all changes but the last one come as former images ("B")


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
        name = change_table(self.source, changes.instance)
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
        bounds = tuple(lsn_parameter(self.source, lsn) for lsn in (changes.first, changes.last))
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
