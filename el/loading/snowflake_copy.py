"""The files of a load into Snowflake: all of them put by one statement, and those of a table loaded by one COPY.

The driver sends the files of a PUT beside each other, and no warehouse runs meanwhile: it is awake for the COPYs alone.

dlt has a job for each file. That of a table's first file loads all of them, and those of the others do nothing: so the
state of the first alone says whether the table is loaded, and what of a run was killed is found out as ever, from its
place in the package (`package.py`). No two jobs of a table run at once, so that its files lie still meanwhile.

A COPY commits by itself, so no transaction of a run that was killed stays open and holds its table. FORCE: which files
a table has is known from the package, and not from Snowflake's own memory, which skips a file that was put again and
looks the same. COPY tells how many rows it loaded of each file, and they must be those of the file.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from dlt.common.data_writers.escape import escape_snowflake_literal
from dlt.common.destination.client import RunnableLoadJob
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.impl.snowflake.utils import gen_copy_sql

# Snowflake documentation, "COPY INTO <table>": as many names as FILES takes.
NAMED = 1000
# Files that are sent at once, unless they are so large that the driver, which has one of up to 64 MB in memory as a
# whole and larger ones in parts of 8 MB, would have more than this of them.
_AT_ONCE, _IN_MEMORY, _WHOLE, _PART = 16, 256 * 1024 * 1024, 64 * 1024 * 1024, 8 * 1024 * 1024


def puts(package: Path, stage: str) -> Iterator[str]:
    """The statements that put the files of a package which are still to be loaded: one, and where a run was cut short
    more. What is put is removed once the package is complete: see `package.py`.

    A file that is there is not sent again, so that a run that was killed while it sent them goes on: a name is never
    given twice. Where a COPY failed, of which dlt counts the tries, all are.
    """
    waiting = list((package / "new_jobs").glob("*.parquet"))
    tables = {_table(path) for path in waiting}
    done = [path for path in (package / "completed_jobs").glob("*.parquet") if _table(path) in tables]
    if not waiting:
        return
    largest = max(path.stat().st_size for path in (*waiting, *done))
    threads = max(1, min(_AT_ONCE, _IN_MEMORY // max(1, largest if largest <= _WHOLE else _PART)))
    again = any(path.name.split(".")[2] != "0" for path in waiting)
    options = f"OVERWRITE = {str(again).upper()}, AUTO_COMPRESS = FALSE, PARALLEL = {threads}"
    # The driver takes what PUT names for a pattern.
    patterns = [glob.escape(f"{package / 'new_jobs'}/") + "*.parquet"]
    # No name of a table has a point in it.
    patterns += [
        glob.escape(f"{package / 'completed_jobs' / table}.") + "*.parquet" for table in sorted(map(_table, set(done)))
    ]
    for pattern in dict.fromkeys(patterns):
        source = escape_snowflake_literal("file://" + pattern.replace("\\", "/"))
        target = escape_snowflake_literal(_folder(stage, package.name))
        yield f"PUT {source} {target} {options}"


class CopyJob(RunnableLoadJob):
    """The job of one file, and if it is the first of its table, of all of them."""

    def __init__(self, file_path: str, stage: str) -> None:
        super().__init__(file_path)
        self._stage = stage

    def run(self) -> None:
        files = files_of(Path(self._file_path))
        if files[0] != Path(self._file_path):
            return
        client: Any = self._job_client.sql_client  # type: ignore[attr-defined]
        for start in range(0, len(files), NAMED):
            self._copy(client, files[start : start + NAMED])

    def _copy(self, client: Any, files: Sequence[Path]) -> None:
        copy = gen_copy_sql(
            file_url=self._file_path,
            qualified_table_name=client.make_qualified_table_name(self.load_table_name),
            loader_file_format="parquet",
            is_case_sensitive=client.capabilities.generates_case_sensitive_identifiers(),
            stage_name=self._stage,
            local_stage_file_path=f"{_folder(self._stage, self._load_id)}/",
            use_vectorized_scanner=True,
        )
        names = ", ".join(escape_snowflake_literal(file.name) for file in files)
        answer = client.execute_sql(f"{copy.rstrip()}\n        FILES = ({names})\n        FORCE = TRUE")
        # file, status, rows_parsed, rows_loaded, ...; one text where there was no file.
        loaded = {str(row[0]).rsplit("/", 1)[-1]: int(row[3]) for row in answer or () if len(row) > 3}
        for file in files:
            rows, found = pq.read_metadata(file).num_rows, loaded.get(file.name, 0)
            if found != rows:
                raise DatabaseTransientException(
                    ValueError(f"{self.load_table_name}: COPY loaded {found:,} of the {rows:,} rows of {file.name}")
                )


def files_of(path: Path) -> list[Path]:
    """All files of the table of this one in its package, whatever became of their jobs: always in the same order."""
    found = [
        each
        for state in path.parent.parent.glob("*_jobs")
        for each in state.iterdir()
        if _table(each) == _table(path) and each.suffix == ".parquet"
    ]
    # <table>.<id>.<tries>.parquet
    return sorted(found, key=lambda each: each.name.split(".")[1])


def _table(path: Path) -> str:
    return path.name.split(".")[0]


def _folder(stage: str, load_id: str) -> str:
    return f'@{stage}/"{load_id}"'
