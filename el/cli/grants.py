"""`grants`: print the statements that give a role what it needs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from el.cli.arguments import job_of
from el.cli.output import as_far_as_read
from el.connectors.access import Access

if TYPE_CHECKING:
    from el.cli.arguments import Commands

ROLES = tuple(map(str, Access))


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "grants", parents=[job], help="print the SQL that gives a role what it needs at both ends, and no more"
    )
    command.add_argument("--role", choices=ROLES, required=True, help="whose rights")
    command.add_argument(
        "--for",
        dest="ends",
        choices=("source", "warehouse"),
        help="of this end alone; else of both, one behind the other",
    )
    command.add_argument("--write", nargs="+", metavar="SCHEMA", help="schemas there that write_buffer writes into")
    command.add_argument("--user", metavar="NAME", help="the login that gets it (default: the profile's)")
    command.set_defaults(command=_grants)


def _grants(arguments: argparse.Namespace) -> int:
    from el.checking.grants import SOURCE, WAREHOUSE, Wanted, grants

    job = job_of(arguments)
    ends = (arguments.ends,) if arguments.ends else (SOURCE, WAREHOUSE)
    wanted = Wanted(Access(arguments.role), ends, tuple(arguments.write or ()), arguments.user)
    with as_far_as_read():
        for script in grants(job, wanted):
            print(script)
    return 0
