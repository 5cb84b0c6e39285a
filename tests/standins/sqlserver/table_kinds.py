"""Tables that are more than rows: memory-optimised, temporal, ledger, graph and external ones; columns that are hidden,
masked, encrypted or generated.

Of most only the catalog is kept: no history is written and nothing is encrypted. Microsoft Learn, "CREATE TABLE
(Transact-SQL)", "Temporal tables", "Ledger overview", "SQL Graph Architecture", "Transactions with Memory-Optimized
Tables".
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from . import partitions, storage
from .catalog import ColumnDef, TableDef, new_object_id
from .errors import SqlError
from .scan import Scanner, unquote
from .sqltypes import BIGINT, INT, SqlType

if TYPE_CHECKING:
    from .session import Session

HISTORY, VERSIONED = 1, 2
LEDGER_HISTORY, UPDATABLE, APPEND_ONLY = 1, 2, 3
NODE, EDGE = 1, 2
# sys.columns.graph_type: the columns that no query may name.
INTERNAL = (1, 3, 4, 6, 7)


def column_word(column: ColumnDef, s: Scanner) -> bool:
    """One of the words that follow a column's type; False where it is none of these."""
    if s.accept("MASKED"):
        s.expect("WITH")
        column.masking = unquote(s.parenthesised().partition("=")[2].strip())
    elif s.accept("ENCRYPTED"):
        s.expect("WITH")
        column.encryption = 1 if "DETERMINISTIC" in s.parenthesised().upper() else 2
    elif s.accept("HIDDEN"):
        column.hidden = True
    elif s.accept("GENERATED"):
        s.expect("ALWAYS", "AS", "ROW")
        column.generated = 1 if s.next().text == "START" else 2
        column.default = "(SYSUTCDATETIME())" if column.generated == 1 else "('9999-12-31 23:59:59.9999999')"
        column.nullable = False
    else:
        return False
    return True


def options(session: Session, table: TableDef, s: Scanner) -> None:
    """What follows the columns: AS NODE, ON scheme(column), WITH (...)."""
    while not s.done:
        if s.accept("AS"):
            table.graph = {"NODE": NODE, "EDGE": EDGE}[s.next().text]
            _graph_columns(table)
        elif s.accept("ON"):
            scheme = s.name()
            if s.sees("("):
                partitions.place(session, table, scheme, Scanner(s.parenthesised()).name())
        elif s.accept("TEXTIMAGE_ON"):
            s.name()
        elif s.accept("WITH"):
            for text in Scanner(s.parenthesised()).list_of():
                _option(table, Scanner(text))
        else:
            raise SqlError(102, f"Incorrect syntax near '{s.source(s.peek())}'.", 15)


def _option(table: TableDef, s: Scanner) -> None:
    if s.accept("MEMORY_OPTIMIZED", "=", "ON"):
        table.memory_optimized = True
    elif s.accept("SYSTEM_VERSIONING", "=", "ON"):
        table.temporal = VERSIONED
        if s.sees("("):
            named = Scanner(s.parenthesised())
            named.accept("HISTORY_TABLE", "=")
            table.history_name = named.names()  # type: ignore[attr-defined]
    elif s.accept("LEDGER", "=", "ON"):
        append = s.sees("(") and "APPEND_ONLY" in s.parenthesised().upper()
        table.ledger = APPEND_ONLY if append else UPDATABLE
        for name, kind in (("transaction_id", 7), ("sequence_number", 9)):
            _generated(table, f"ledger_start_{name}", kind)
            if not append:
                _generated(table, f"ledger_end_{name}", kind + 1)


def _generated(table: TableDef, name: str, kind: int) -> None:
    table.columns.append(
        ColumnDef(table.next_column_id(), name, BIGINT, nullable=True, default="((0))", hidden=True, generated=kind)
    )


def _graph_columns(table: TableDef) -> None:
    """Of a node its id; of an edge its id and both ends: each once inside, where no query reaches it, once as JSON."""

    def add(name: str, type_: SqlType, graph: int, hidden: bool) -> None:
        mark = uuid.uuid4().hex.upper()
        column = ColumnDef(table.next_column_id(), f"{name}_{mark}", type_, hidden=hidden, graph=graph)
        table.columns.append(column)

    text = SqlType("nvarchar", 1000)
    add("graph_id", BIGINT, 1, True)
    add("$node_id" if table.graph == NODE else "$edge_id", text, 2, False)
    if table.graph == EDGE:
        for end, first in (("from", 3), ("to", 6)):
            add(f"{end}_obj_id", INT, first + 1, True)
            add(f"{end}_id", BIGINT, first, True)
            add(f"${end}_id", text, first + 2, False)


def create_history(session: Session, table: TableDef) -> None:
    """The table that keeps the past of a temporal or an updatable ledger table; of the latter a view besides."""
    named: list[str] | None = getattr(table, "history_name", None)
    if table.temporal != VERSIONED and table.ledger != UPDATABLE:
        return
    prefix = "MSSQL_TemporalHistoryFor_" if table.temporal else "MSSQL_LedgerHistoryFor_"
    name = named[-1] if named else f"{prefix}{table.object_id}"
    schema = named[-2] if named and len(named) > 1 else table.schema
    columns = [
        ColumnDef(c.column_id, c.name, c.type, c.nullable, hidden=c.hidden, masking=c.masking) for c in table.columns
    ]
    history = TableDef(new_object_id(), schema, name, columns=columns, database=table.database)
    history.temporal = HISTORY if table.temporal else 0
    history.ledger = LEDGER_HISTORY if table.ledger else 0
    storage.create(session, history)
    table.history = history.object_id
    storage.save(session, table)
    if table.ledger:
        listed = ", ".join(f"[{c.name}]" for c in table.columns if not c.hidden)
        text = f"SELECT {listed}, N'INSERT' AS ledger_operation_type_desc FROM [{table.schema}].[{table.name}]"
        view_columns = [
            ColumnDef(i, c.name, c.type) for i, c in enumerate((c for c in table.columns if not c.hidden), 1)
        ]
        view_columns.append(ColumnDef(len(view_columns) + 1, "ledger_operation_type_desc", SqlType("nvarchar", 60)))
        view = TableDef(
            new_object_id(), table.schema, f"{table.name}_Ledger", "V", view_columns, database=table.database
        )
        view.definition, view.body, view.ledger = f"CREATE VIEW x AS {text}", text, 1
        storage.save(session, view)


def check_access(session: Session, table: TableDef, hints: frozenset[str]) -> None:
    """Raise where a memory-optimised table is read in a way that SQL Server refuses (41332, 41368)."""
    if not table.memory_optimized:
        return
    if session.isolation == 5:
        raise SqlError(
            41332,
            "Memory optimized tables and natively compiled modules cannot be accessed or created when the session "
            "TRANSACTION ISOLATION LEVEL is set to SNAPSHOT.",
        )
    if session.depth and session.isolation <= 2 and not hints & {"SNAPSHOT", "REPEATABLEREAD", "SERIALIZABLE"}:
        raise SqlError(
            41368,
            "Accessing memory optimized tables using the READ COMMITTED isolation level is supported only for "
            "autocommit transactions. It is not supported for explicit or implicit transactions. Provide a supported "
            "isolation level for the memory optimized table using a table hint, such as WITH (SNAPSHOT).",
        )
