"""`verify`: whether raw holds what the source has."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from el.cli.arguments import add_project, job_of, project_of
from el.cli.files import add_files, listeners_of_files
from el.cli.imports import importing_little
from el.cli.output import as_far_as_read
from el.extraction.memory import take_little_memory

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "verify",
        parents=[job],
        help="compare the source with raw, value by value, up to the last load",
        epilog="exit codes: 0 equal; 1 something could not be compared; 2, 3 as of run; 4 something differs",
    )
    command.add_argument("--show-values", action="store_true", help="print the values that differ, and not only keys")
    command.add_argument(
        "--in-warehouse",
        action=argparse.BooleanOptionalAction,
        help="sum raw's rows up in the warehouse, and read those alone that differ (default: of large tables)",
    )
    command.add_argument(
        "--whole", action="store_true", help="compare all rows now, also where el.yml's `verify` asks for a share"
    )
    command.add_argument("--repair", action="store_true", help="load what differs once more, as the source has it")
    command.add_argument("--models", action="store_true", help="compare the schema tables that dbt made of raw, too")
    add_project(command)
    command.add_argument("--json", action="store_true", help="print what was found as one JSON object, nothing else")
    add_files(command)
    command.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    take_little_memory()
    with importing_little(with_dlt=True):
        from el.loading.audit import audited
        from el.pipeline import listeners_of
        from el.verification.verify import Options, verify

    job = job_of(arguments)
    say = (lambda line: None) if arguments.json else (lambda line: print(line, file=sys.stderr))
    listeners = (*listeners_of(job, moves=False), *listeners_of_files(arguments, job))
    models = project_of(arguments) if arguments.models else None
    options = Options(arguments.show_values, arguments.in_warehouse, arguments.repair, models, arguments.whole)
    with audited(job, "verify"):
        report = verify(job, say, options, listeners)
    with as_far_as_read():
        print(report.to_json() if arguments.json else "\n".join(report.lines()))
    return report.exit_code
