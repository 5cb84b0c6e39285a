"""External stages: LIST, and COPY of Parquet and of delimited text out of them. Rules for `rewrites.py`.

Snowflake documentation, "CREATE STAGE", "LIST", "COPY INTO <table>" and "Querying metadata for staged files". A file
is named in FILES below the stage's url, at most 1,000 a statement; one that is not there ends a COPY that aborts.
Columns of a file without a column of the table are left out, columns of the table without one in the file are NULL, and
a value that is not of the column's type becomes NULL ("COPY does not validate type conversions for Parquet files").

A file that the table has loaded in this version is passed over, unless FORCE is said ("COPY INTO <table>", FORCE).

LIMITS: the url is a folder of this machine, file:///folder/; Parquet by the names of its columns, text by a SELECT;
FILES has to be said; which files a table has loaded is known for as long as the server runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection
from fakesnow.transforms import stage
from sqlglot import Expr, exp

from .errors import compilation_error, remote_file_not_found
from .external_text import evaluated, fields_of, options_of, places, selected, table_of_fields
from .keys import name_of, table_of
from .patches import MOST_FILES
from .stages import duckdb_statement, literal, plain_stage
from .tables import stored

if TYPE_CHECKING:
    from .engine import Session, TableLocks

_METADATA: dict[str, Callable[[Path, str, int], pa.Array]] = {
    "METADATA$FILENAME": lambda _, name, rows: pa.repeat(pa.scalar(name), rows),
    "METADATA$FILE_ROW_NUMBER": lambda _, __, rows: pa.array(range(1, rows + 1), pa.int64()),
    "METADATA$FILE_CONTENT_KEY": lambda path, _, rows: pa.repeat(pa.scalar(_md5(path)), rows),
    "METADATA$FILE_LAST_MODIFIED": lambda path, _, rows: pa.repeat(
        pa.scalar(_modified(path).replace(tzinfo=None)), rows
    ),
}


def external_url(reference: str, session: Session) -> str | None:
    """The url of an external stage; None for any other one. reference: with its @, and a path or without."""
    name = plain_stage(reference)[1:].partition("/")[0]
    if not name or name.startswith(("%", "~")):
        return None
    parts = stage.parts_from_var(name, session.database, session.schema)
    found = session._duck_conn.execute(
        "SELECT url FROM _fs_global._fs_information_schema._fs_stages "
        "WHERE (database_name, schema_name, name) = (?, ?, ?)",
        list(parts),
    ).fetchone()
    return str(found[0]) if found and found[0] else None


def references(statement: Expr) -> Iterator[str]:
    """The stages that a COPY reads, also through a SELECT."""
    for source in statement.args.get("files") or []:
        for table in source.find_all(exp.Table):
            if plain_stage(table.this.name).startswith("@"):
                yield table.this.name


def external_stages(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """LIST and COPY of an external stage."""
    if isinstance(statement, exp.ListStage) and (url := external_url(statement.this.name, session)):
        return _list(url, _path(statement.this.name))
    if isinstance(statement, exp.Copy):
        for reference in references(statement):
            if url := external_url(reference, session):
                return _copy(statement, session, duck, _folder(url) / _path(reference))
    return statement


def _path(reference: str) -> str:
    """What stands behind the stage; in quotes it is written as in any text."""
    path = plain_stage(reference).partition("/")[2]
    return re.sub(r"\\(.)|''", lambda found: found[1] or "'", path) if reference.startswith("'") else path


def _folder(url: str) -> Path:
    if not url.startswith("file://"):
        raise NotImplementedError(f"an external stage over {url}: only file:// is there")
    return Path(url.removeprefix("file://"))


def _list(url: str, prefix: str) -> Expr:
    root, base = _folder(url), url.rstrip("/")
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    rows = [
        f"({literal(f'{base}/{name}')}, {(root / name).stat().st_size}, {literal(_md5(root / name))}, "
        f"{literal(format_datetime(_modified(root / name), usegmt=True))})"
        for name in names
        if name.startswith(prefix)
    ]
    values = ", ".join(rows) or "(NULL::VARCHAR, NULL::BIGINT, NULL::VARCHAR, NULL::VARCHAR)"
    limit = "" if rows else " LIMIT 0"
    return duckdb_statement(f'SELECT * FROM (VALUES {values}) AS f("name", "size", "md5", "last_modified"){limit}')


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _copy(statement: exp.Copy, session: Session, duck: DuckDBPyConnection, folder: Path) -> Expr:
    options = {option.this.name.upper(): option for option in statement.args.get("params") or []}
    _refuse(statement, options)
    names = _names(options["FILES"], folder)
    target, types = _target(statement, session, duck)
    forced = "FORCE" in options and options["FORCE"].expression.this is True
    names = [name for name in names if forced or not _is_loaded(target, folder / name, session, duck)]
    if not names:
        return duckdb_statement("SELECT 'Copy executed with 0 files processed.' AS \"status\"")
    if any(isinstance(source, exp.Subquery) for source in statement.args.get("files") or []):
        parts, counts = _read_text(statement, options, session, duck, folder, names)
    else:
        parts, counts = _read_parquet(options, types, folder, names)
    place = ".".join(f'"{part}"' for part in target)
    for tables in parts.values():
        _insert(duck, place, types, pa.concat_tables(tables))
    for name in names:
        _loaded(target, folder / name, session, duck)
    head = ("file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error")
    head += ("first_error_line", "first_error_character", "first_error_column_name")
    named = ", ".join(f'"{name}"' for name in head)
    rows = ", ".join(
        f"({literal(str(folder / name))}, 'LOADED', {rows}, {rows}, 1, 0, NULL, NULL, NULL, NULL)"
        for name, rows in zip(names, counts, strict=True)
    )
    return duckdb_statement(f"SELECT * FROM (VALUES {rows}) AS c({named})")


def _names(option: Expr, folder: Path) -> list[str]:
    names = [name.name for name in option.expression.find_all(exp.Literal)]
    if len(names) > MOST_FILES:
        text = f"Too many files in the FILES list: {len(names)}, at most {MOST_FILES}"
        raise compilation_error(text, 1003, "42000")
    for name in names:
        if not (folder / name).is_file():
            raise remote_file_not_found(folder / name)
    return names


def _target(
    statement: exp.Copy, session: Session, duck: DuckDBPyConnection
) -> tuple[tuple[str, str, str], dict[str, str]]:
    """The table and its columns."""
    name = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
    target = stored(table_of(name, session), session)
    rows = duck.execute(
        "SELECT column_name, data_type FROM duckdb_columns() "
        "WHERE (database_name, schema_name, table_name) = (?, ?, ?)",
        list(target),
    ).fetchall()
    return target, dict(rows)


# The versions of files that each table has loaded. A table that is made anew has another number.
_history: dict[TableLocks, set[tuple[object, ...]]] = {}


def _version(target: tuple[str, str, str], path: Path, duck: DuckDBPyConnection) -> tuple[object, ...]:
    ((number,),) = duck.execute(
        "SELECT table_oid FROM duckdb_tables() WHERE (database_name, schema_name, table_name) = (?, ?, ?)", list(target)
    ).fetchall()
    return (*target, number, str(path), _md5(path))


def _is_loaded(target: tuple[str, str, str], path: Path, session: Session, duck: DuckDBPyConnection) -> bool:
    return _version(target, path, duck) in _history.get(session.locks, ())


def _loaded(target: tuple[str, str, str], path: Path, session: Session, duck: DuckDBPyConnection) -> None:
    _history.setdefault(session.locks, set()).add(_version(target, path, duck))


_Parts = dict[pa.Schema, list[pa.Table]]


def _read_text(
    statement: exp.Copy,
    options: dict[str, Any],
    session: Session,
    duck: DuckDBPyConnection,
    folder: Path,
    names: list[str],
) -> tuple[_Parts, list[int]]:
    """The rows of texts, under the names of the columns that the COPY names, and how many each file has."""
    select, form = selected(statement), options_of(options["FILE_FORMAT"].expressions)
    if not isinstance(statement.this, exp.Schema):
        raise NotImplementedError("COPY through a SELECT without the names of columns")
    columns = [name_of(column) for column in statement.this.expressions]
    tables = []
    for name in names:
        path = folder / name
        table = table_of_fields(fields_of(path, form, session), places(select))
        for what, value in _METADATA.items():
            table = table.append_column(what, value(path, str(path).lstrip("/"), len(table)))
        tables.append(table)
    found = pa.table(dict(zip(columns, evaluated(select, pa.concat_tables(tables), duck), strict=True)))
    return {found.schema: [found]}, [len(table) for table in tables]


def _read_parquet(
    options: dict[str, Any], types: dict[str, str], folder: Path, names: list[str]
) -> tuple[_Parts, list[int]]:
    told = options.get("INCLUDE_METADATA")
    pairs = list(told.expression.find_all(exp.EQ)) if told is not None else []
    metadata = {pair.this.name: pair.expression.name.upper() for pair in pairs}
    if unknown := sorted(set(metadata) - set(types)):
        raise compilation_error(f"invalid identifier '{unknown[0]}'", 904, "42000")
    parts: _Parts = {}
    counts = []
    for name in names:
        path = folder / name
        table = pq.read_table(path)
        kept = {c: table.column(c) for c in table.column_names if c in types and c not in metadata}
        kept |= {c: _METADATA[what](path, str(path).lstrip("/"), table.num_rows) for c, what in metadata.items()}
        part = pa.table(kept)
        parts.setdefault(part.schema, []).append(part)
        counts.append(table.num_rows)
    return parts, counts


def _refuse(statement: exp.Copy, options: dict[str, Any]) -> None:
    matches = options.get("MATCH_BY_COLUMN_NAME")
    by_name = matches is not None and matches.expression.name.upper() != "NONE"
    transforms = any(isinstance(source, exp.Subquery) for source in statement.args.get("files") or [])
    if "INCLUDE_METADATA" in options and not by_name:
        raise compilation_error("INCLUDE_METADATA can only be used with MATCH_BY_COLUMN_NAME", 2, "42000")
    if transforms and "VALIDATION_MODE" in options:
        raise compilation_error("VALIDATION_MODE does not support COPY that transforms data", 2, "42000")
    if transforms and by_name:
        raise compilation_error("match_by_column_name is not supported with copy transform", 2, "42000")
    told = {p.name.upper(): p.args["value"].name.upper() for p in options["FILE_FORMAT"].expressions}
    exact = by_name and matches.expression.name.upper() == "CASE_SENSITIVE"
    known = transforms if told.get("TYPE") == "CSV" else told.get("TYPE") == "PARQUET" and exact and not transforms
    if not known or "FILES" not in options:
        raise NotImplementedError(f"of an external stage: {statement.sql('snowflake')}")


def _insert(duck: DuckDBPyConnection, place: str, types: dict[str, str], table: pa.Table) -> None:
    names = table.column_names or list(types)[:1]
    # Where nothing matches there are rows of NULLs.
    values = [f'TRY_CAST("{n}" AS {types[n]})' if n in table.column_names else "NULL" for n in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    duck.register("standin_copied", table)
    try:
        duck.execute(f"INSERT INTO {place} ({quoted}) SELECT {', '.join(values)} FROM standin_copied")
    finally:
        duck.unregister("standin_copied")
