"""`run`: take what is new into raw."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from el.cli.arguments import EXIT_CODES, job_of, positive
from el.cli.files import add_files, listeners_of_files
from el.cli.imports import importing_little
from el.cli.output import as_far_as_read
from el.extraction.memory import take_little_memory

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser("run", parents=[job], help="take what is new into raw", epilog=EXIT_CODES)
    command.add_argument("--full-refresh", action="store_true", help="a new snapshot of every table")
    command.add_argument(
        "--confirm-deletes", nargs="+", metavar="GLOB", help="of these tables any number of rows may be gone"
    )
    command.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    command.add_argument("--workers", type=positive, metavar="N", help="reads at once (default: el.yml's)")
    command.add_argument(
        "--executor", metavar="WHERE", help="threads, processes:N or dask://HOST:PORT (default: el.yml's)"
    )
    command.add_argument("--progress", choices=("auto", "log", "none"), default="auto", help="default: auto")
    command.add_argument("--json", action="store_true", help="print the summary as one JSON object, nothing else")
    add_files(command)
    command.add_argument(
        "--then",
        metavar="dbt-cloud:JOB_ID",
        help="start this job of dbt Cloud where anything was loaded, and wait",
    )
    command.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    take_little_memory()
    with importing_little(with_dlt=True):
        from el.cli.plan import show
        from el.pipeline import run
        from el.plan_job import show_plan
        from el.reporting.progress import reporter
        from el.reporting.summary import print_report

    job = job_of(arguments)
    # Before anything is loaded: what is missing for it is said now.
    follow = _follower(arguments.then, job.home) if arguments.then else None
    if arguments.dry_run:
        return show(show_plan(job))
    listeners = listeners_of_files(arguments, job)
    shown = reporter("none" if arguments.json else arguments.progress)
    try:
        report = run(job, shown, listeners=listeners)
    finally:
        shown.close()
    with as_far_as_read():
        print(report.to_json()) if arguments.json else print_report(report)
    if follow is not None:
        # What el itself failed at is the exit code also where the job succeeds.
        loaded = bool(report.finished) or any(table.load_id is not None for table in report.tables)
        follow(report.run_id, loaded)
    return report.exit_code


def _follower(text: str, home: Path) -> Callable[[str, bool], None]:
    from el.dbt_cloud import Follower, job_of

    return Follower(job_of(text), home, lambda line: print(line, file=sys.stderr)).follow
