"""`state`: what raw holds of each table; begin one elsewhere."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from el.cli.arguments import job_of
from el.errors import ConfigError

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "state", parents=[job], help="what raw holds of each table; begin one elsewhere (reset, set)"
    )
    command.add_argument("action", nargs="?", choices=("show", "reset", "set"), default="show", help="default: show")
    command.add_argument("table", nargs="?", metavar="TABLE", help="reset: the next run takes a new snapshot of it")
    command.add_argument("value", nargs="?", metavar="VALUE", help="set: the next run begins behind this bound")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(command=_state)


def _state(arguments: argparse.Namespace) -> int:
    from el.dumps.report import print_dump_state
    from el.loading.state import ask, change_state, print_state
    from el.plan_job import show_plan

    job = job_of(arguments)
    if arguments.action == "show":
        plan = show_plan(job)
        print_state(plan)
        print_dump_state(plan.dumps)
        return 0
    if arguments.table is None or (arguments.action == "set") != (arguments.value is not None):
        raise ConfigError(f"state {arguments.action} TABLE{' VALUE' if arguments.action == 'set' else ''}")
    confirm = (lambda what: True) if arguments.yes else ask
    print(change_state(job, arguments.action, arguments.table, arguments.value, confirm))
    return 0
