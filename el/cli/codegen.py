"""`codegen`: write the dbt project out of the source's catalog."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from el.cli.arguments import add_project, job_of, project_of

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "codegen", parents=[job], help="write the dbt project's sources, models and tests from the source's catalog"
    )
    command.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file would change")
    add_project(command)
    command.add_argument(
        "--package", action="store_true", help="only the macros and generic tests that el brings; asks no database"
    )
    command.set_defaults(command=_codegen)


def _codegen(arguments: argparse.Namespace) -> int:
    from el.codegen import codegen, codegen_package

    if arguments.package:
        return codegen_package(project_of(arguments), check=arguments.check)
    return codegen(job_of(arguments), project_of(arguments), check=arguments.check)
