"""`plan`: what a run would do, and why."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from el.cli.arguments import job_of
from el.cli.output import as_far_as_read
from el.errors import PlanError

if TYPE_CHECKING:
    from el.cli.arguments import Commands
    from el.dumps.plan import JobPlan


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser("plan", parents=[job], help="what a run would do, and why")
    command.add_argument("--why", action="store_true", help="of each table, why it is taken so, its key, all notes")
    command.add_argument("--sql", action="store_true", help="print the queries instead, with their parameters")
    command.add_argument("--json", action="store_true", help="print the plan as one JSON object, nothing else")
    command.set_defaults(command=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from el.plan_job import show_plan

    job = job_of(arguments)
    plan = show_plan(job)
    if arguments.json:
        from el.dumps.report import plan_as_json

        with as_far_as_read():
            print(plan_as_json(plan))
        return PlanError.exit_code if plan.stopped else 0
    if not arguments.sql:
        return show(plan, why=arguments.why)
    from el.connectors.registry import open_source

    if not plan.tables:
        return 0
    source = open_source(job.source.settings)
    for table in plan.tables:
        for request in table.reads:
            print(f"-- {table.name}\n{source.describe_read(request)}\n")
    return 0


def show(plan: JobPlan, *, why: bool = False) -> int:
    """Print the plan; the exit code that goes with it."""
    from el.dumps.report import print_dumps
    from el.reporting.plan import print_plan

    with as_far_as_read():
        if plan.tables or plan.refused or not plan.dumps:
            print_plan(plan, why=why)
        else:
            for note in plan.notes:
                print(note)
        print_dumps(plan.dumps, why=why)
    return PlanError.exit_code if plan.stopped else 0
