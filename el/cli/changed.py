"""`changed`: print what dbt has to build."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from el.cli.arguments import add_project, profiles_dir, project_of

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "changed",
        parents=[common],
        help="print what dbt has to build: models=$(python -m el changed) && dbt build --select $models",
        epilog="exit codes: 0 something is new; 5 nothing is; 2 configuration; 1 dbt could not say",
    )
    command.add_argument(
        "--profiles-dir", metavar="DIR", help="where profiles.yml is (default: as dbt: here, then ~/.dbt)"
    )
    command.add_argument("--target", metavar="NAME", help="dbt's target (default: the profile's own, or EL_TARGET)")
    add_project(command)
    command.set_defaults(command=_changed)


def _changed(arguments: argparse.Namespace) -> int:
    from el.config.profiles import find_profiles
    from el.loading.changed import changed

    target = arguments.target or os.environ.get("EL_TARGET")
    return changed(project_of(arguments), find_profiles(profiles_dir(arguments)).parent, target)
