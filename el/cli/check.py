"""`check`: look at what a run depends on, before it does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from el.cli.arguments import job_of
from el.cli.findings import show_findings
from el.cli.grants import ROLES

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "check",
        parents=[job],
        help="connect both ends, and say what is there and what is missing",
        epilog="exit codes: 0 no error; 3 an error; 2 configuration",
    )
    command.add_argument("--role", choices=ROLES, help="whose rights (default: the connection's role)")
    command.add_argument("--json", action="store_true", help="what was found as one JSON object, nothing else")
    command.set_defaults(command=_check)


def _check(arguments: argparse.Namespace) -> int:
    from el.checking.check import EXIT_CODE, check
    from el.config.access import Access, access_of

    job = job_of(arguments)
    role = Access(arguments.role) if arguments.role else access_of(job.destination)
    return 0 if show_findings(check(job, role), as_json=arguments.json) else EXIT_CODE
