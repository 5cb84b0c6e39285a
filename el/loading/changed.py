"""`python -m el changed`: the dbt models whose raw tables have loads that they have not taken, for dbt's --select.

dbt's own project says which models there are, and asks the warehouse: one query for each source, no model is built.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from el.errors import ConfigError, ElError

NOTHING_NEW = 5
"""The exit code that lets a script leave dbt alone."""


def changed(project: Path, profiles: Path | None, target: str | None) -> int:
    """Print the selection on one line, and nothing where nothing is new; the exit code."""
    if not (project / "dbt_project.yml").is_file():
        raise ConfigError(f"{project} is no dbt project: it has no dbt_project.yml; name another with --project-dir")
    dbt = Path(sys.executable).parent / "dbt"
    command = [str(dbt) if dbt.exists() else "dbt", "--quiet", "run-operation", "el_changed"]
    command += ["--project-dir", str(project)]
    command += ["--profiles-dir", str(profiles)] if profiles else []
    command += ["--target", target] if target else []
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ElError(f"dbt could not say what is new: {' '.join((done.stdout + done.stderr).split())}")
    found = done.stdout.split()
    if not found:
        return NOTHING_NEW
    print(" ".join(found))
    return 0
