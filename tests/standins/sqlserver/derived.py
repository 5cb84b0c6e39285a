"""What SQL Server refuses in a derived table and in a common table expression.

Microsoft Learn, "FROM clause plus JOIN, APPLY, PIVOT" and "ORDER BY clause": each column needs a name of its own (8155,
8156), ORDER BY needs TOP, OFFSET or FOR XML (1033); "OPTION clause": it stands once, at the end of a statement (156).
"""

from __future__ import annotations

from sqlglot import exp

from .errors import SqlError
from .scope import OutColumn


def check_derived(query: exp.Expression, columns: list[OutColumn], alias: exp.Expression | None, name: str) -> None:
    """Raise the error that SQL Server gives for `query` as a table of this name."""
    if query.args.get("options"):
        raise SqlError(156, "Incorrect syntax near the keyword 'OPTION'.", 15)
    if query.args.get("order") and not query.args.get("limit") and not query.args.get("offset"):
        raise SqlError(
            1033,
            "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table "
            "expressions, unless TOP, OFFSET or FOR XML is also specified.",
            15,
        )
    listed = [column.name for column in alias.args.get("columns") or []] if alias else []
    names = listed or [column.name for column in columns]
    seen: set[str] = set()
    for number, column in enumerate(names, 1):
        if not column:
            raise SqlError(8155, f"No column name was specified for column {number} of '{name}'.")
        if column.lower() in seen:
            raise SqlError(8156, f"The column '{column}' was specified multiple times for '{name}'.")
        seen.add(column.lower())
