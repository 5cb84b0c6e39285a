"""`secrets exec`: start a command that has the secrets of profiles.yml in its environment, as dbt needs them."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from el.cli.arguments import home, job_of, profiles_dir

if TYPE_CHECKING:
    from el.cli.arguments import Commands
    from el.config.profile_secrets import Variable
    from el.config.profiles import Output


def add(parsers: Commands, job: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = parsers.add_parser(
        "exec",
        parents=[job],
        help="start a command with the secrets that the variables of profiles.yml refer to: secrets exec -- dbt build",
        epilog="exit codes: the command's own; 2 configuration, or the command cannot be started; 3 no such secret",
    )
    command.add_argument(
        "--profile", metavar="NAME", help="the secrets of this profile alone (default: of all that el.yml names)"
    )
    command.add_argument("child", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="and its own arguments")
    command.set_defaults(command=_exec)


def _exec(arguments: argparse.Namespace) -> int:
    from el.config.access import access_of
    from el.config.profile_secrets import variables_of
    from el.connectors.sql.audit import Entry
    from el.errors import ConfigError, ElError
    from el.loading.audit import note
    from el.secrets.child import become, values_of

    child = arguments.child[1:] if arguments.child[:1] == ["--"] else arguments.child
    if not child:
        raise ConfigError("no command to start: python -m el secrets exec -- COMMAND")
    path, outputs = _outputs(arguments)
    found = [each for output in outputs for each in variables_of(path, output.profile, output.target)]
    _warn(path, found)
    role, names = str(access_of(outputs[-1])), ", ".join(sorted({str(output) for output in outputs}))

    def noted(result: str) -> None:
        note(home(), Entry("secrets exec", role, names, "", result))

    try:
        values = values_of([(each.name, each.reference) for each in found if each.name and each.reference], path.parent)
        noted("begun")
        return become(child, values)
    except ElError as error:
        noted(f"failed: {type(error).__name__}")
        raise


def _outputs(arguments: argparse.Namespace) -> tuple[Path, list[Output]]:
    """profiles.yml, and the outputs whose secrets are given; the warehouse's stands last."""
    from el.cli.secrets_store import sources_of
    from el.config.access import Operation, access_of, require
    from el.config.profiles import find_profiles, load_output
    from el.connectors.access import allows

    path = find_profiles(profiles_dir(arguments))
    if arguments.profile:
        output = load_output(path, arguments.profile, arguments.target)
        if arguments.profile in sources_of(arguments.config):
            require(Operation.READ_SOURCE, access_of(output), str(output))
        return path, [output]
    job = job_of(arguments)
    # Who may not read the source has no need of its password, and is no recipient of it.
    sources = [each for each in (job.source, *job.files.values()) if allows(Operation.READ_SOURCE, access_of(each))]
    return path, [*sources, job.destination]


def _warn(path: Path, found: list[Variable]) -> None:
    """Of a reference that no variable stands before, dbt would take the text for the value."""
    for each in found:
        if each.name is None and each.reference:
            name = re.sub(r"\W", "_", each.setting).upper()
            print(
                f"warning: {path}: {each.setting}: dbt takes the reference for the value: write "
                f"\"{{{{ env_var('DBT_ENV_SECRET_{name}', '{each.reference}') }}}}\"",
                file=sys.stderr,
            )
