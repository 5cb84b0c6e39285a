"""Whether a snapshot has two rows whose keys el takes for one: then the table stops, before a row of it is loaded.

Two keys of the source must never become one, for the later row would hide the other one for good. A snapshot shows it:
it has each key once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from el.errors import LoadError
from el.extraction.landing import LandedFile
from el.loading.deletes import quoted
from el.loading.spill import spilling
from el.planning.keys import KEY_COLUMN
from el.planning.plan import TablePlan
from el.planning.strategies.window import Kind


def refuse_equal_keys(table: TablePlan, files: Sequence[LandedFile], directory: Path) -> None:
    """Raises `LoadError` with both keys where text of a snapshot's keys differs and `_el_key` does not."""
    texts = [part.name for part in table.equal.parts if part.text is not None] if table.equal else []
    if not texts or not files or not _is_snapshot(table):
        return
    differs = " OR ".join(f"min({name}) <> max({name})" for name in map(quoted, texts))
    shown = ", ".join(f"{side}({name})" for side in ("min", "max") for name in map(quoted, texts))
    sql = f"SELECT {shown} FROM read_parquet(?) GROUP BY {KEY_COLUMN} HAVING {differs} LIMIT 1"
    found = _first_row(sql, files, directory)
    if found is None:
        return
    one, other = found[: len(texts)], found[len(texts) :]
    raise LoadError(
        f"{table.name}: the keys {_text(one)} and {_text(other)} ({', '.join(texts)}) are one key by what el knows of "
        "the column's collation, and two rows: nothing was loaded. If the table was changed while it was read, run "
        "again; if the source takes them for two keys, set `accept: keys_by_bytes`; else give it a `key` that is one"
    )


def doubled_keys(table: TablePlan, files: Sequence[LandedFile], directory: Path) -> str | None:
    """What is to be said of a snapshot in which keys that nobody but el.yml vouches for come more than once."""
    if not table.key_unproven or not files or not _is_snapshot(table):
        return None
    told_by = ", ".join(map(quoted, [KEY_COLUMN] if table.equal else table.key))
    sql = f"SELECT count(*), sum(n) FROM (SELECT count(*) AS n FROM read_parquet(?) GROUP BY {told_by} HAVING n > 1)"
    found = _first_row(sql, files, directory)
    if found is None or not found[0]:
        return None
    return (
        f"{found[0]:,} keys ({', '.join(table.key)}) come more than once, in {found[1]:,} rows: of each, the schema "
        "table keeps one row. Give the table a `key` that tells its rows apart"
    )


def _is_snapshot(table: TablePlan) -> bool:
    return table.window is not None and table.window.kind is Kind.SNAPSHOT


def _first_row(sql: str, files: Sequence[LandedFile], directory: Path) -> tuple[object, ...] | None:
    """The first row of a query over landed files, whose groups spill to disk and not into memory."""
    with spilling(directory / "keys.tmp") as connection:
        found: tuple[object, ...] | None = connection.execute(sql, [[str(file.path) for file in files]]).fetchone()
    return found


def _text(values: Sequence[object]) -> str:
    return ", ".join(repr(value) for value in values)
