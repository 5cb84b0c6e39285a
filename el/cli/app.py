"""Every command: its arguments, and one call. `python -m el --help`.

Exit codes: 0 done; 1 data or load failed; 2 configuration; 3 connection or rights; 4 differences; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from el import __version__
from el.config.profiles import find_profiles, has_output, load_output
from el.config.settings import load_config
from el.errors import ConfigError, ElError, PlanError
from el.pipeline import Job, run, show_plan
from el.planning.plan import Plan
from el.reporting.report import print_plan, print_report, reporter

EXIT_CODES = "exit codes: 0 done; 1 data or load failed; 2 configuration; 3 connection or rights; 130 interrupted"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. An error is one line on standard error, the traceback only with --traceback."""
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        return command(parsed)
    except KeyboardInterrupt:
        print("interrupted: what was loaded stays valid, and the next run goes on", file=sys.stderr)
        return 130
    except ElError as error:
        if parsed.traceback:
            traceback.print_exc()
        print(f"{'interrupted' if error.exit_code == 130 else 'error'}: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if parsed.traceback:
            traceback.print_exc()
        # The text of an exception that nobody foresaw may hold anything, a password too.
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if "el" in Path(frame.filename).parts]
        place = f" in {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""
        print(
            f"error: a defect of el: {type(error).__name__}{place}; --traceback shows all of it, and is worth a report",
            file=sys.stderr,
        )
        return 1


def leave(code: int) -> NoReturn:
    """End the process at once; to take down some thousand modules first costs a third of a second and gives nothing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run(arguments: argparse.Namespace) -> int:
    job = _job(arguments)
    if arguments.dry_run:
        return _show(show_plan(job))
    shown = reporter("none" if arguments.json else arguments.progress)
    try:
        report = run(job, shown)
    finally:
        shown.close()
    print(report.to_json()) if arguments.json else print_report(report)
    return report.exit_code


def _plan(arguments: argparse.Namespace) -> int:
    plan = show_plan(_job(arguments))
    if arguments.sql:
        from el.connectors.registry import open_connector
        from el.connectors.sql.connector import SqlConnector

        source = open_connector(_job(arguments).source.settings)
        for table in plan.tables:
            for request in table.reads:
                if isinstance(source, SqlConnector):
                    print(f"-- {table.name}\n{source.statement(request)};\n")
        return 0
    return _show(plan)


def _show(plan: Plan) -> int:
    print_plan(plan)
    return PlanError.exit_code if plan.stopped else 0


def _codegen(arguments: argparse.Namespace) -> int:
    from el.codegen import codegen

    return codegen(_job(arguments), Path(arguments.project_dir), check=arguments.check)


def _changed(arguments: argparse.Namespace) -> int:
    from el.loading.changed import changed

    profiles = Path(arguments.profiles_dir) if arguments.profiles_dir else None
    target = arguments.target or os.environ.get("EL_TARGET")
    return changed(Path(arguments.project_dir), find_profiles(profiles).parent, target)


def _state(arguments: argparse.Namespace) -> int:
    from el.loading.state import ask, change_state, print_state

    job = _job(arguments)
    if arguments.action == "show":
        print_state(show_plan(job))
        return 0
    if arguments.table is None or (arguments.action == "set") != (arguments.value is not None):
        raise ConfigError(f"state {arguments.action} TABLE{' VALUE' if arguments.action == 'set' else ''}")
    confirm = (lambda what: True) if arguments.yes else ask
    print(change_state(job, arguments.action, arguments.table, arguments.value, confirm))
    return 0


def _purge(arguments: argparse.Namespace) -> int:
    from el.loading.purge import purge
    from el.loading.state import ask

    removed = purge(_job(arguments), (lambda what: True) if arguments.yes else ask, print)
    print(f"{sum(removal.rows for removal in removed):,} rows removed" if removed else "nothing was removed")
    return 0


def _local(arguments: argparse.Namespace) -> int:
    from el.sample import demo
    from el.sample import shop as sample

    path = Path(arguments.path)
    if arguments.action == "demo":
        demo.demo()
    elif arguments.action == "create":
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.create(path)
    else:
        sample.business_day(path, arguments.day)
    return 0


def _job(arguments: argparse.Namespace) -> Job:
    config = load_config(Path(arguments.config))
    profiles = find_profiles(Path(arguments.profiles_dir) if arguments.profiles_dir else None)
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
        home=Path(os.environ.get("EL_HOME", ".el")),
        select=tuple(arguments.select or ()),
        full_refresh=getattr(arguments, "full_refresh", False),
        confirm_deletes=tuple(getattr(arguments, "confirm_deletes", None) or ()),
        workers=getattr(arguments, "workers", None),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m el", description="SQL Server into Snowflake raw schemas, and proof.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"el {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
    job = argparse.ArgumentParser(add_help=False, parents=[common])
    job.add_argument("--config", default="el.yml", metavar="FILE", help="what is taken (default: el.yml)")
    job.add_argument("--profiles-dir", metavar="DIR", help="where profiles.yml is (default: as dbt: here, then ~/.dbt)")
    job.add_argument("--target", metavar="NAME", help="output of both profiles (default: el.yml's, or EL_TARGET)")
    job.add_argument("--select", nargs="+", metavar="GLOB", help='only these tables: "sales.*", orders')

    command = commands.add_parser("run", parents=[job], help="take what is new into raw", epilog=EXIT_CODES)
    command.add_argument("--full-refresh", action="store_true", help="a new snapshot of every table")
    command.add_argument(
        "--confirm-deletes", nargs="+", metavar="GLOB", help="of these tables any number of rows may be gone"
    )
    command.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    command.add_argument("--workers", type=_positive, metavar="N", help="reads at once (default: el.yml's)")
    command.add_argument("--progress", choices=("auto", "log", "none"), default="auto", help="default: auto")
    command.add_argument("--json", action="store_true", help="print the summary as one JSON object, nothing else")
    command.set_defaults(command=_run)

    command = commands.add_parser("plan", parents=[job], help="what a run would do, and why")
    command.add_argument("--sql", action="store_true", help="print the queries instead, with their parameters")
    command.set_defaults(command=_plan)

    command = commands.add_parser(
        "codegen", parents=[job], help="write the dbt project's sources, models and tests from the source's catalog"
    )
    command.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file would change")
    command.add_argument("--project-dir", default="dbt_project", metavar="DIR", help="default: dbt_project")
    command.set_defaults(command=_codegen)

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
    command.add_argument("--project-dir", default="dbt_project", metavar="DIR", help="default: dbt_project")
    command.set_defaults(command=_changed)

    command = commands.add_parser(
        "state", parents=[job], help="what raw holds of each table; begin one elsewhere (reset, set)"
    )
    command.add_argument("action", nargs="?", choices=("show", "reset", "set"), default="show", help="default: show")
    command.add_argument("table", nargs="?", metavar="TABLE", help="reset: the next run takes a new snapshot of it")
    command.add_argument("value", nargs="?", metavar="VALUE", help="set: the next run begins behind this bound")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(command=_state)

    command = commands.add_parser(
        "purge", parents=[job], help="show what raw no longer needs, and remove it (raw: {keep: 30d})"
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(command=_purge)

    command = commands.add_parser(
        "local", parents=[common], help="the sample shop: the whole demo, or make it, or let a day pass"
    )
    command.add_argument("action", choices=("demo", "create", "day"))
    command.add_argument("--path", default="local/shop.duckdb", metavar="FILE", help="default: local/shop.duckdb")
    command.add_argument("--day", type=_positive, default=1, metavar="N", help="which day (default: 1)")
    command.set_defaults(command=_local)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
