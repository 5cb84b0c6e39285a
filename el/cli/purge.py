"""`purge`: show what raw no longer needs, and remove it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from el.cli.arguments import job_of

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "purge", parents=[job], help="show what raw no longer needs, and remove it (raw: {keep: 30d})"
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(command=_purge)


def _purge(arguments: argparse.Namespace) -> int:
    from el.loading.purge import purge
    from el.loading.state import ask

    removed = purge(job_of(arguments), (lambda what: True) if arguments.yes else ask, print)
    print(f"{sum(removal.rows for removal in removed):,} rows removed" if removed else "nothing was removed")
    return 0
