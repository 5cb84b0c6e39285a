"""Commands as a user gives them, each in a process of its own that is forked from one which has imported everything.

To import dbt, dlt and the drivers takes two seconds of processor time, most of what a small command costs. What a fork
cannot show, that a command starts from nothing, is shown by tests/cli/test_app.py and tests/guests.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

TIMEOUT = 300


def context() -> ForkServerContext:
    """Processes of this context are forked from one that has imported tests/warm.py."""
    # The server begins in the folder of the test: it finds the tests by this alone, and what it does not find it
    # passes over in silence.
    root = str(Path(__file__).parents[1])
    if root not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["tests.warm"])
    return found


def call(
    program: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`python -m el ARGUMENTS`, or `dbt` or `pytest`, in this folder and with this environment alone."""
    with tempfile.TemporaryDirectory() as said:
        texts = [Path(said) / "out", Path(said) / "err"]
        given = (program, list(arguments), str(folder), dict(environment), [str(text) for text in texts])
        process = context().Process(target=_command, args=given)
        process.start()
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            process.join()
        out, err = (text.read_text(encoding="utf-8") if text.exists() else "" for text in texts)
    assert process.exitcode is not None, f"{program} did not end within {TIMEOUT} seconds\n{out}{err}"
    return subprocess.CompletedProcess([program, *arguments], process.exitcode, out, err)


def begin() -> None:
    """What a forked process does first."""
    # An import that failed, the server passed over in silence.
    assert "tests.warm" in sys.modules, "tests/warm.py cannot be imported"
    # A forked server ignores Ctrl-C; a command does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _command(program: str, arguments: list[str], folder: str, environment: dict[str, str], texts: list[str]) -> None:
    begin()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, text in enumerate(texts, 1):
        os.dup2(os.open(text, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: SIM115
    sys.argv = [program, *arguments]
    code = 1
    try:
        code = _run(program, arguments)
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(program: str, arguments: list[str]) -> int:
    from dbt.cli.main import cli

    from el.cli.app import main

    if program == "pytest":
        return int(pytest.main(arguments))
    try:
        return main(arguments) if program == "el" else cli() or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
