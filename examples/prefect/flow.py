"""el and dbt as a flow of Prefect. Needs prefect 3.

python flow.py          serves it, every quarter of an hour
"""

from __future__ import annotations

import os
import subprocess
import sys

from prefect import flow, task

PROJECT = os.environ.get("EL_PROJECT", ".")


def called(*command: str) -> None:
    """Raise with the command's own last line where it fails."""
    done = subprocess.run(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise RuntimeError(f"exit code {done.returncode}: {lines[-1]}")


@task(retries=2, retry_delay_seconds=300)
def load() -> None:
    """What is new, into raw."""
    called(sys.executable, "-m", "el", "run", "--progress", "log")


@task
def build() -> None:
    """The schema tables."""
    called("dbt", "build", "--project-dir", "dbt_project", "--profiles-dir", ".")


@flow(name="el")
def el() -> None:
    """One run behind the other."""
    load()
    build()


if __name__ == "__main__":
    el.serve(name="every-quarter-of-an-hour", cron="*/15 * * * *", limit=1)
