"""The files that a command can write of a run, besides what it prints: a page, and metrics."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from el.config.job import Job
    from el.reporting.record import Listener, RunRecord


def add_files(command: argparse.ArgumentParser) -> None:
    """The arguments that name them."""
    command.add_argument("--html", type=Path, metavar="FILE", help="write what was done as a page, which can be sent")
    command.add_argument(
        "--metrics", type=Path, metavar="FILE.prom", help="write metrics for the textfile collector of Prometheus"
    )


def listeners_of_files(arguments: argparse.Namespace, job: Job) -> list[Listener]:
    """What writes them. Raises `ConfigError` for a file that cannot be written."""
    found: list[Listener] = []
    if arguments.html:
        from el.cli.runs import history
        from el.reporting.page import LAST_RUNS, PageFile

        # A warehouse that nothing was asked of is not woken for it.
        def before(record: RunRecord) -> list[RunRecord]:
            return history(job, LAST_RUNS, local=not (record.loaded or record.verified))

        found.append(PageFile(arguments.html, before))
    if arguments.metrics:
        from el.reporting.metrics import MetricsFile

        found.append(MetricsFile(arguments.metrics, whole=not job.select))
    return found
