"""The table `_el_audit`: who did what, a row each. el adds rows, and never changes or removes one.

No row has a secret or a value of the data: names of tables, and the kind of an error, is all that it tells of them.
"""

from __future__ import annotations

import getpass
import os
import uuid
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields

import pyarrow as pa

from el.connectors.catalog import TableName
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.notes import NoteTable, append_notes
from el.types.present import utc_now

AUDIT_TABLE = "_el_audit"


def os_user() -> str:
    """Who runs this process, as the system has it: not what the environment says, where that can be told apart."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        pass
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. The database's user is added by the database."""

    command: str
    el_role: str
    table_names: str
    run_id: str
    result: str
    entry_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    noted_at: str = field(default_factory=lambda: utc_now().strftime("%Y-%m-%dT%H:%M:%S.%f"))
    os_user: str = field(default_factory=os_user)


def append(session: SqlConnector, types: ColumnTypes, table: TableName, entries: Sequence[Entry]) -> None:
    """Add these, but those that are there; make the table where it is missing. Raises an `ElError`."""
    columns = {each.name: pa.timestamp("us") if each.name == "noted_at" else pa.string() for each in fields(Entry)}
    append_notes(session, types, NoteTable(table, columns, "entry_id"), [astuple(entry) for entry in entries])
