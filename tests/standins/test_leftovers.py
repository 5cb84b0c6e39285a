"""The suite leaves nothing behind in the temporary folder; what a killed run left is removed by the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import scratch

ROOT = Path(__file__).parents[2]
ONE = (
    "tests/standins/test_snowflake_stages.py::"
    "test_the_catalog_tells_types_comments_transience_views_and_exact_row_counts"
)


def test_tests_on_the_snowflake_stand_in_leave_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    kept = ("PYTEST_XDIST_WORKER", "PYTEST_DEBUG_TEMPROOT", "PYTEST_CURRENT_TEST")
    environment = {name: value for name, value in os.environ.items() if name not in kept}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ONE]
    done = subprocess.run(
        command, cwd=ROOT, env={**environment, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("pytest-of-")] == []


def test_what_a_killed_run_left_is_removed_and_the_folder_of_one_that_goes_on_stays(tmp_path: Path) -> None:
    for name in ("el-tests-killed", "el-tests-running", "another"):
        (tmp_path / name).mkdir()
    assert scratch.lock(tmp_path / "el-tests-running")
    scratch.remove_left(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"el-tests-running", "another"}


def test_the_folder_of_a_failed_test_is_kept(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "rows").write_text("1")
    assert (scratch.keep(tmp_path / "found", tmp_path / "kept") / "rows").read_text() == "1"
