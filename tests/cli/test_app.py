"""The commands as a person meets them: help at once, and an end without noise when nobody reads on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.shop import Workspace


def test_help_imports_nothing_that_only_a_run_needs() -> None:
    code = (
        "import sys\nfrom el.cli.app import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--full-refresh" in done.stdout
    assert not {"dlt", "duckdb", "pyarrow", "pydantic", "rich", "yaml"} & set(done.stderr.split())


def without_reader(shop: Workspace, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "el", *arguments]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=shop.path, check=False)
    finally:
        os.close(writing)
    return done.returncode, done.stderr


def test_a_reader_that_has_gone_is_no_defect_and_what_was_done_stays_done(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).create()
    assert without_reader(shop, "plan", "--sql") == (0, "")
    assert without_reader(shop, "run", "--progress", "none") == (0, "")
    assert shop.complete("orders", "count(*)") == [(3000,)]
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.missing}\n")
    assert without_reader(shop, "plan") == (2, ""), "the exit code is that of the plan"
    assert without_reader(shop, "run", "--progress", "none") == (1, "")


def test_no_output_and_one_that_lacks_letters_are_no_defects(tmp_path: Path) -> None:
    place = tmp_path / "ü"
    place.mkdir()
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONIOENCODING": "ascii:strict"}
    command = f'"{sys.executable}" -m el secrets init --profiles-dir "{place}"'
    told = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, env=environment, check=True)
    assert (r"\xfc/secrets.yml: made" in told.stdout, told.stderr) == (True, "")
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        done = subprocess.run(f"{command} {closed}", shell=True, capture_output=True, timeout=60, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
