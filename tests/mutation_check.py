"""Shows that the tests notice: defects put into the SQL Server connector on purpose, each caught by a named test.

Guarantees: the project's own files are not touched, each defect is made in a copy; the named tests pass on the copy
before any defect is made; a defect whose text is no longer in the code is an error and not a success.

Run: python -m tests.mutation_check. Exit code 1 names the defects that no test noticed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFORMANCE = "tests/conformance"


@dataclass(frozen=True)
class Defect:
    """`old` of a file becomes `new`; `test` is who notices."""

    name: str
    path: str
    old: str
    new: str
    test: str


DEFECTS = (
    Defect(
        "a dropped NULL: pyodbc's NULL becomes an empty text",
        "el/connectors/sqlserver/pyodbc.py",
        "pa.array(column, field.type) for column",
        'pa.array(["" if v is None and field.type == pa.string() else v for v in column], field.type) for column',
        f"{CONFORMANCE}/test_values.py::test_edge_values_of_every_type_come_back[sqlserver-pyodbc-NVARCHAR(MAX)]",
    ),
    Defect(
        "a dropped NULL: rows without a value in the cursor are passed over",
        "el/connectors/sql/select.py",
        "if condition.or_null:",
        "if False:",
        "tests/planning/strategies/test_cursor.py::test_rows_without_a_value_come_with_the_next_delta_and_once_only",
    ),
    Defect(
        "a swapped byte order: a rowversion is bound with its last byte first",
        "el/connectors/sqlserver/dialect.py",
        'bytes.fromhex(value.text.removeprefix("0x"))',
        'bytes.fromhex(value.text.removeprefix("0x"))[::-1]',
        "tests/planning/strategies/test_rowversion.py::"
        "test_a_row_written_before_and_committed_after_a_run_is_taken_by_the_next_one",
    ),
    Defect(
        "an off-by-one window: its lower end does not belong to it",
        "el/connectors/sql/select.py",
        "Op.GE: exp.GTE,",
        "Op.GE: exp.GT,",
        f"{CONFORMANCE}/test_reading.py::test_two_windows_that_meet_have_every_row_once[sqlserver-mssql-python]",
    ),
    Defect(
        "an unquoted identifier: the columns that a write stages",
        "el/connectors/sql/write.py",
        'return ", ".join(self.quote(name) for name in names)',
        'return ", ".join(names)',
        f"{CONFORMANCE}/test_names.py::"
        "test_a_name_is_written_read_filtered_merged_and_described[sqlserver-mssql-python-with blanks]",
    ),
    Defect(
        "a missing rollback: turning autocommit on commits what a failed write had begun",
        "el/connectors/sqlserver/session.py",
        "        self.driver.connection.rollback()\n        self.driver.autocommit(True)\n",
        "        self.driver.autocommit(True)\n",
        f"{CONFORMANCE}/test_writing.py::"
        "test_a_failure_at_any_statement_leaves_the_table_as_it_was[sqlserver-mssql-python-replace]",
    ),
    Defect(
        "a run that is not recorded",
        "el/connectors/sql/write.py",
        "            self.ledger.record(self.job.run_id, str(self.job.mode), spool.rows)\n",
        "",
        f"{CONFORMANCE}/test_writing.py::test_the_same_run_twice_changes_nothing[sqlserver-mssql-python-append]",
    ),
    Defect(
        "a missing proof that all rows arrived",
        "el/connectors/sqlserver/driver.py",
        'sent = self.fetch(Statement("SELECT ROWCOUNT_BIG()"))[0][0]',
        "sent = read",
        "tests/connectors/sqlserver/test_cut.py::test_a_cut_between_two_rows_is_an_error_and_not_the_end",
    ),
)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="el-mutants-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=_not_needed)
        # A test that is named wrongly, or fails as it is, would notice everything.
        passed, said = run(copy, *[defect.test for defect in DEFECTS])
        if not passed:
            print(f"without any defect these tests do not pass:\n{said}")
            return 1
        survived = [defect for defect in DEFECTS if not caught(copy, defect)]
    for defect in survived:
        print(f"NOT NOTICED: {defect.name}, by {defect.test}")
    print(f"{len(DEFECTS) - len(survived)} of {len(DEFECTS)} defects were noticed")
    return 1 if survived else 0


def caught(copy: Path, defect: Defect) -> bool:
    """Whether the named test fails with this defect, as a test and not for want of a server."""
    path = copy / defect.path
    text = path.read_text(encoding="utf-8")
    if text.count(defect.old) != 1:
        raise SystemExit(f"{defect.path} has {text.count(defect.old)} places for: {defect.name}")
    path.write_text(text.replace(defect.old, defect.new), encoding="utf-8")
    try:
        passed, said = run(copy, defect.test)
    finally:
        path.write_text(text, encoding="utf-8")
    # "1 failed", and neither "1 error" nor "no tests ran".
    noticed = not passed and re.search(r"^\d+ failed\b(?!.*\berrors?\b)", said.splitlines()[-1]) is not None
    print(f"{'noticed' if noticed else 'NOT NOTICED'}: {defect.name}", flush=True)
    return noticed


def run(copy: Path, *tests: str) -> tuple[bool, str]:
    """Whether these tests pass in the copy, and the end of what pytest says."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    return done.returncode == 0, "\n".join((done.stdout or done.stderr).strip().splitlines()[-15:])


def _not_needed(folder: str, names: list[str]) -> set[str]:
    top = {"el", "tests", "dbt_project", "pyproject.toml", "el.yml", "profiles.example.yml"}
    if Path(folder) == ROOT:
        return set(names) - top
    return {name for name in names if name in ("__pycache__", "target", "logs")}


if __name__ == "__main__":
    sys.exit(main())
