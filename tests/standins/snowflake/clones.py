"""CREATE TABLE ... CLONE ... COPY GRANTS, as dbt writes it (Snowflake documentation, "CREATE <object> CLONE").

sqlglot does not read COPY GRANTS behind CLONE. LIMITS: a clone is a copy of the rows; NOT NULL is not cloned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlglot
from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

if TYPE_CHECKING:
    from .engine import Session

_CLONE = re.compile(r"\s*(or\s+replace\s+)?(transient\s+)?table\s.+\sclone\s.+?(\s+copy\s+grants)\s*$", re.I | re.S)


def clones_with_grants(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """A clone that keeps the grants of the table whose place it takes."""
    if not isinstance(statement, exp.Command) or str(statement.this).upper() != "CREATE":
        return statement
    found = _CLONE.match(str(statement.expression))
    if found is None:
        return statement
    made = sqlglot.parse_one(f"CREATE {str(statement.expression)[: found.start(3)]}", read="snowflake")
    properties = made.args.get("properties") or exp.Properties(expressions=[])
    properties.append("expressions", exp.CopyGrantsProperty())
    made.set("properties", properties)
    return made
