"""A command that is given secrets, in its environment, and nobody else: not this process, no file, no command line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from el.errors import ConfigError
from el.secrets.references import beside, resolve

WINDOWS = os.name == "nt"
# Python ignores these for itself, and what is ignored stays so in the command that takes the process over.
_PYTHONS_OWN = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")


def values_of(wanted: Iterable[tuple[str, str]], folder: Path) -> dict[str, str]:
    """The values of variables, each told with its reference, that the environment does not have.

    folder: of the profiles.yml in which they stand; the encrypted store is looked for there first.
    Raises `ConfigError` where one variable has two references, `SecretUnavailable` where a value cannot be had.
    """
    references: dict[str, str] = {}
    for name, reference in wanted:
        if name in os.environ:
            continue
        if references.setdefault(name, reference) != reference:
            raise ConfigError(f"{name}: has two references, {references[name]} and {reference}: give each a variable")
    return {name: resolve(beside(reference, folder)) for name, reference in references.items()}


def become(command: Sequence[str], values: Mapping[str, str]) -> int:
    """Go on as this command, with these values in its environment: it has this process's number, and its exit code is
    the command's. Where a process cannot become another one (Windows), it is waited for, and its exit code returned.

    Raises `ConfigError` where it cannot be started.
    """
    environment = {**os.environ, **values}
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    try:
        if WINDOWS:
            return _wait(command, environment)
        with _signals_of_a_command():
            os.execvpe(command[0], list(command), environment)
    except OSError as error:
        raise ConfigError(f"{command[0]}: cannot be started: {error.strerror or type(error).__name__}") from None
    except ValueError:
        # Its text may have a value in it.
        raise ConfigError(
            f"{command[0]}: cannot be started: a name, a value or an argument is none that an environment can hold"
        ) from None


@contextmanager
def _signals_of_a_command() -> Iterator[None]:
    """The signals as a command expects them; where it does not come to that, as they were: a line that is cut would
    end this process otherwise.
    """
    numbers = [number for name in _PYTHONS_OWN if (number := getattr(signal, name, None))]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(command: Sequence[str], environment: Mapping[str, str]) -> int:
    program = shutil.which(command[0]) or command[0]
    with subprocess.Popen([program, *command[1:]], env=environment) as process:
        while True:
            # Ctrl-C is the command's too: it says when it has ended.
            with suppress(KeyboardInterrupt):
                return process.wait()
