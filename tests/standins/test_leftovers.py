"""The suite leaves nothing behind in the temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
