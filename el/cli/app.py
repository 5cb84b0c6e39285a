"""The commands, put together: `python -m el --help`. What each does is in the file of its name.

Exit codes: 0 done; 1 data or load failed; 2 configuration; 3 connection or rights; 4 differences; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from el import __version__
from el.cli import changed, check, codegen, grants, init, local, plan, purge, run, runs, secrets, state, verify, write
from el.cli.arguments import EXIT_CODES, of_a_job, of_every_command
from el.cli.output import any_output, as_far_as_read
from el.errors import ElError
from el.secrets.hidden import hidden


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. An error is one line on standard error, the traceback only with --traceback."""
    any_output()
    parsed = _parser().parse_args(arguments)
    if parsed.traceback:
        # Of dlt's own log; before it is imported.
        os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    command: Callable[[argparse.Namespace], int] = parsed.command
    code = 0
    try:
        with as_far_as_read():
            code = command(parsed)
    except KeyboardInterrupt:
        print("interrupted: what was loaded stays valid, and the next run goes on", file=sys.stderr)
        return 130
    except ElError as error:
        if parsed.traceback:
            _show_traceback()
        print(f"{'interrupted' if error.exit_code == 130 else 'error'}: {hidden(str(error))}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if parsed.traceback:
            _show_traceback()
        # The text of an exception that nobody foresaw may hold anything, a password too.
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if "el" in Path(frame.filename).parts]
        place = f" in {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""
        print(
            f"error: a defect of el: {type(error).__name__}{place}; --traceback shows all of it, and is worth a report",
            file=sys.stderr,
        )
        return 1
    return code


def _show_traceback() -> None:
    """Drivers and libraries may say a secret in an exception of theirs: none that el has looked up is shown."""
    print(hidden(traceback.format_exc()), end="", file=sys.stderr)


def leave(code: int) -> NoReturn:
    """End the process at once; to take down some thousand modules first costs a third of a second and gives nothing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Parser(argparse.ArgumentParser):
    """What is not known is an error, but for a command whose further flags depend on those that are: its `settings`."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        parsed, further = self.parse_known_args(args, namespace)
        if further and not hasattr(parsed, "settings"):
            self.error(f"unrecognized arguments: {' '.join(further)}")
        parsed.settings = further
        return parsed


@cache
def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m el", description="Databases into Snowflake raw schemas, and proof.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"el {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser)
    common = of_every_command()
    init.add(commands, common)
    job = of_a_job(common)
    for command in (run, plan, codegen):
        command.add(commands, job)
    changed.add(commands, common)
    for command in (verify, runs, state, purge, check, grants):
        command.add(commands, job)
    write.add(commands, common)
    secrets.add(commands, common, job)
    local.add(commands, common)
    return parser
