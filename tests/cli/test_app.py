"""The commands as a person meets them: help at once, and an end without noise when nobody reads on."""

from __future__ import annotations

import subprocess
import sys


def test_help_imports_nothing_that_only_a_run_needs() -> None:
    code = (
        "import sys\nfrom el.cli.app import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--full-refresh" in done.stdout
    assert not {"dlt", "duckdb", "pyarrow", "pydantic", "rich", "yaml"} & set(done.stderr.split())
