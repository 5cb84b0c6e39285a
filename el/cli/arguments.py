"""The arguments that commands share, and the job that they name.

What a command needs is imported when it runs: a command that only prints its help needs none of it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from el.errors import ConfigError

if TYPE_CHECKING:
    from el.config.executor import Where
    from el.config.job import Job
    from el.config.profiles import Output

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_CODES = "exit codes: 0 done; 1 data or load failed; 2 configuration; 3 connection or rights; 130 interrupted"


def of_every_command() -> argparse.ArgumentParser:
    """What every command takes."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
    return common


def of_a_job(common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """What a command takes that works on the tables of el.yml; `job_of` reads it."""
    job = argparse.ArgumentParser(add_help=False, parents=[common])
    job.add_argument("--config", default="el.yml", metavar="FILE", help="what is taken (default: el.yml)")
    job.add_argument("--profiles-dir", metavar="DIR", help="where profiles.yml is (default: as dbt: here, then ~/.dbt)")
    job.add_argument("--target", metavar="NAME", help="output of both profiles (default: el.yml's, or EL_TARGET)")
    job.add_argument("--select", nargs="+", metavar="GLOB", help='only these tables and dumps: "sales.*", orders')
    return job


def add_project(command: argparse.ArgumentParser) -> None:
    """The dbt project; `project_of` reads it."""
    command.add_argument(
        "--project-dir", metavar="DIR", help="the dbt project (default: here if it is one, dbt_project)"
    )


def project_of(arguments: argparse.Namespace) -> Path:
    """The folder of the dbt project."""
    from el.codegen.project import find_project

    return find_project(arguments.project_dir)


def home() -> Path:
    """The folder for what is under way."""
    return Path(os.environ.get("EL_HOME", ".el"))


def profiles_dir(arguments: argparse.Namespace) -> Path | None:
    """Where profiles.yml was said to be; None: nowhere, and it is looked for."""
    return Path(arguments.profiles_dir) if arguments.profiles_dir else None


def job_of(arguments: argparse.Namespace) -> Job:
    """The job that these arguments name. Raises `ConfigError`."""
    from el.config.job import Job
    from el.config.profiles import find_profiles, has_output, load_output
    from el.config.settings import load_config

    config = load_config(Path(arguments.config))
    profiles = find_profiles(profiles_dir(arguments))
    target = arguments.target or config.target
    # A target that only one of the two profiles knows leaves the other at its own default.
    source_target = target if target and has_output(profiles, config.source, target) else None
    destination_target = target if target and has_output(profiles, config.destination, target) else None
    if target and source_target is None and destination_target is None:
        load_output(profiles, config.destination, target)
    return Job(
        config=config,
        source=load_output(profiles, config.source, source_target),
        destination=load_output(profiles, config.destination, destination_target),
        home=home(),
        files={
            name: _of_files(profiles, name, target) for name in sorted({d.source for d in config.dumps if d.source})
        },
        select=tuple(arguments.select or ()),
        full_refresh=getattr(arguments, "full_refresh", False),
        confirm_deletes=tuple(getattr(arguments, "confirm_deletes", None) or ()),
        workers=getattr(arguments, "workers", None),
        executor=_executor(getattr(arguments, "executor", None)),
    )


def _executor(text: str | None) -> Where | None:
    from el.config.executor import Where

    try:
        return None if text is None else Where.parse(text)
    except ValueError as error:
        raise ConfigError(f"--executor: {error}") from None


def _of_files(profiles: Path, name: str, target: str | None) -> Output:
    """The output of a profile that an entry of `dumps` names."""
    from el.config.files_profile import FILES
    from el.config.profiles import has_output, load_output

    found = load_output(profiles, name, target if target and has_output(profiles, name, target) else None)
    if found.type != FILES:
        raise ConfigError(f"{profiles}: {found} is of type {found.type}, and an entry of `dumps` needs `type: {FILES}`")
    return found


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
