"""`init`: make a repository ready: connections, el.yml, a dbt project; then look at both ends, and plan."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from el.cli.arguments import add_project, home, job_of, profiles_dir
from el.cli.findings import show_findings
from el.errors import ElError, PlanError
from el.secrets.hidden import hidden

if TYPE_CHECKING:
    from el.cli.arguments import Commands

_GOES_ON = "mend {}, and run `python -m el init` again: it goes on from here"


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """The command and its arguments. Those of the two connections depend on their types: `flags_of` reads them."""
    command = commands.add_parser(
        "init",
        parents=[common],
        allow_abbrev=False,
        help="ask, and write el.yml, profiles.yml and a dbt project where there are none; then check and plan",
        epilog="Settings of the source are flags too, as its type calls them (--host, --port, --database, --user, "
        "--encrypt ...), and those of the destination behind --to- (--to-path, --to-account ...). What is missing is "
        "asked. Passwords are typed, or come from the environment or a reference; never from the command line. "
        "exit codes: 0 done; 2 an answer is missing or wrong; 3 connection or rights",
    )
    command.add_argument("--source", metavar="TYPE", help="what is read, such as sqlserver, mariadb, postgres")
    command.add_argument("--to", metavar="TYPE", help="where it is brought to: duckdb, snowflake")
    command.add_argument("--name", metavar="NAME", help="the source's profile, with which raw schemas begin")
    command.add_argument("--tables", nargs="+", metavar="GLOB", default=(), help='which are taken (default: "*.*")')
    command.add_argument("--target", default="prod", metavar="NAME", help="the profiles' output (default: prod)")
    command.add_argument("--config", default="el.yml", metavar="FILE", help="default: el.yml")
    command.add_argument(
        "--profiles-dir", metavar="DIR", help="where profiles.yml is, or is made (default: as dbt, here)"
    )
    add_project(command)
    command.set_defaults(command=_init, settings=(), select=None)


def _init(arguments: argparse.Namespace) -> int:
    from el.setup.answers import flags_of
    from el.setup.init import Setup, Wanted

    wanted = Wanted(
        Path(arguments.config),
        home(),
        arguments.target,
        profiles_dir(arguments),
        arguments.project_dir,
        arguments.source,
        arguments.to,
        arguments.name,
        tuple(arguments.tables),
        flags_of(arguments.settings),
    )
    setup = Setup(wanted)
    setup.write()
    problem: ElError | None = None
    try:
        setup.complete()
    except ElError as error:
        problem = error
    arguments.target = None
    return _look(arguments, problem, setup.profiles)


def _look(arguments: argparse.Namespace, problem: ElError | None, profiles: Path) -> int:
    """`check`, and where nothing is in the way `plan`."""
    from el.checking.check import EXIT_CODE, check
    from el.cli.plan import show
    from el.config.access import access_of
    from el.plan_job import show_plan

    job = job_of(arguments)
    well = show_findings(check(job, access_of(job.destination)), as_json=False)
    if problem is not None:
        # What a pattern of tables means is el.yml's matter.
        place = arguments.config if isinstance(problem, PlanError) else profiles
        print(hidden(f"error: {problem}; {_GOES_ON.format(place)}"), file=sys.stderr)
        return problem.exit_code
    if not well:
        print(f"what is an error above is in the way; {_GOES_ON.format(f'it, or {profiles}')}")
        return EXIT_CODE
    return show(show_plan(job))
