"""A run in a process of its own, forked from one that has imported everything, and ended at one of its steps.

Steps are found by listening, and not by sleeping: what el says of itself, every change that dlt makes in the working
folder, and every statement that changes the warehouse. A signal comes before the step is done.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from el.extraction.slice import STEP
from tests.forked import begin, context

Step = tuple[str, int]
"""The name of a step, and which time it is that it comes."""

# Event of Python's own ("Audit events table") -> what it is called, and where in its arguments path and folder are.
_FILES = {
    "os.rename": ("file moved to", 1, 3),
    "os.link": ("file linked to", 1, 3),
    "os.mkdir": ("folder made in", 0, 2),
    "os.remove": ("file removed from", 0, 1),
}
_PLACES = ("new_jobs", "started_jobs", "completed_jobs", "loaded", "extracted", "normalized", "pending")
TIMEOUT = 120


def run_in_process(
    folder: Path, arguments: Sequence[str], stop_at: Step | int | None = None, by: signal.Signals = signal.SIGKILL
) -> int:
    """`python -m el run`, sent the signal `by` at the nth time of a step, or at its nth step of all; its exit code."""
    return _run(folder, arguments, stop_at, by, None)


def steps_of_run(folder: Path, arguments: Sequence[str]) -> tuple[int, list[Step]]:
    """The exit code of a run that nothing disturbs, and every step of it."""
    log = folder / "steps.log"
    code = _run(folder, arguments, None, signal.SIGKILL, log)
    seen: dict[str, int] = {}
    found = []
    for name in log.read_text().splitlines():
        seen[name] = seen.get(name, 0) + 1
        found.append((name, seen[name]))
    return code, found


def once_at(step: str, act: Callable[[], object]) -> list[bool]:
    """Do this once, when a run of this process has come to a step of its own; the list holds True from then on."""
    done: list[bool] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == STEP and arguments[0] == step and not done:
            done.append(True)
            act()

    sys.addaudithook(hook)
    return done


def _run(
    folder: Path, arguments: Sequence[str], stop_at: Step | int | None, by: signal.Signals, log: Path | None
) -> int:
    process = context().Process(target=_child, args=(str(folder), tuple(arguments), stop_at, by, log and str(log)))
    process.start()
    process.join(timeout=TIMEOUT)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"the run did not end within {TIMEOUT} seconds")
    return process.exitcode


def _child(
    folder: str, arguments: Sequence[str], stop_at: Step | int | None, by: signal.Signals, log: str | None
) -> None:
    begin()
    os.chdir(folder)
    os.environ.pop("EL_TARGET", None)
    seen: dict[str, int] = {}
    lines = open(log, "w", buffering=1) if log else None  # noqa: SIM115

    def hook(event: str, args: tuple[Any, ...]) -> None:
        name = step_name(event, args)
        if name is None:
            return
        if lines is not None and not lines.closed:
            lines.write(name + "\n")
        seen[name] = seen.get(name, 0) + 1
        if stop_at in ((name, seen[name]), sum(seen.values())):
            output.write(f"signal {by.name} at {name}, {seen[name]}\n")
            output.flush()
            os.kill(os.getpid(), by)

    with open("output.log", "a") as output:
        sys.addaudithook(hook)
        from el.cli.app import main

        sys.stdout = sys.stderr = output
        code = main(["run", "--progress", "log", *arguments])
    os._exit(code)


def step_name(event: str, args: tuple[Any, ...]) -> str | None:
    """The name of a step; None for what is none, and for what only prepares one."""
    if event == "el.step":
        return str(args[0])
    if event not in _FILES:
        return None
    does, path, folder = _FILES[event]
    target = Path(_folder(args[folder])) / str(args[path])
    if ".el" not in target.parts or "pipelines" not in target.parts:
        return None
    place = next((part for part in reversed(target.parts) if part in _PLACES), target.parent.name)
    # What is named after its load, by chance, or after where source and warehouse are, is named otherwise elsewhere.
    place = "package" if re.fullmatch(r"\d+\.\d+|[0-9a-f]{16}", place) else re.sub(r"-[0-9a-f]{8}$", "", place)
    return f"{does} {place}"


def _folder(descriptor: object) -> str:
    """The folder that a path is relative to, where an open one is given."""
    if not isinstance(descriptor, int) or descriptor < 0:
        return ""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""
