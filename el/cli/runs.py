"""`runs`: what ran, how it ended, and what of it failed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from el.cli.arguments import EXIT_CODES, job_of, positive
from el.errors import ConfigError, ElError

if TYPE_CHECKING:
    from el.cli.arguments import Commands
    from el.config.job import Job
    from el.reporting.record import RunRecord

LIMIT = 20


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "runs", parents=[job], help="what ran, how it ended, and what of it failed (list, show)", epilog=EXIT_CODES
    )
    command.add_argument("action", nargs="?", choices=("list", "show"), default="list", help="default: list")
    command.add_argument("run", nargs="?", metavar="ID", help="show: the run, or how its id begins (default: the last)")
    command.add_argument("--limit", type=positive, default=LIMIT, metavar="N", help=f"list: so many (default: {LIMIT})")
    command.add_argument("--local", action="store_true", help="what the working folder knows; no warehouse is asked")
    command.add_argument("--json", action="store_true", help="print JSON, nothing else")
    command.add_argument("--html", type=Path, metavar="FILE", help="show: write it as a page, which can be sent")
    command.set_defaults(command=_runs)


def _runs(arguments: argparse.Namespace) -> int:
    from el.reporting.page import LAST_RUNS, write_page
    from el.reporting.runs import find_run, print_run, print_runs

    if arguments.action == "list" and (arguments.run or arguments.html):
        raise ConfigError("runs show ID" + (" --html FILE" if arguments.html else ""))
    limit = max(arguments.limit, LAST_RUNS) if arguments.html else arguments.limit
    found = history(job_of(arguments), limit, local=arguments.local, exactly=arguments.run)
    if arguments.action == "list":
        found = found[-arguments.limit :]
        if arguments.json:
            print(f"[{', '.join(record.to_json() for record in reversed(found))}]")
        else:
            print_runs(found)
        return 0
    record = find_run(found, arguments.run)
    if arguments.html:
        write_page(arguments.html, record, found)
    if arguments.json:
        print(json.dumps(json.loads(record.to_json()), ensure_ascii=False))
    else:
        print_run(record)
    return 0


def history(job: Job, limit: int, *, local: bool = False, exactly: str | None = None) -> list[RunRecord]:
    """The last runs, the oldest first, as warehouse and working folder know them.

    exactly: how the id of a run begins that is wanted, however old it is. Where the warehouse does not answer, that is
    said, and the working folder alone is asked.
    """
    from el.loading.open import open_warehouse
    from el.loading.runs import kept_runs, local_runs, merged

    here = local_runs(job)
    if local:
        return here
    try:
        kept = kept_runs(open_warehouse(job.destination, job.config.raw.naming), str(job.source), limit, exactly)
    except ElError as error:
        print(f"the warehouse was not asked, and these are of this machine alone: {error}", file=sys.stderr)
        kept = []
    return merged(here, kept)
