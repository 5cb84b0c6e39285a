"""A run in a process of its own that fails at one of its steps, and is watched for secrets while it lasts.

At each step of it, the first time that it comes: the files of the working folder, and the command lines of it and its
children. At its end: what it said, with the log of every library at its finest, and the pickles of all that an executor
would be sent.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import pickle
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from tests.forked import begin, context
from tests.steps import step_name

TIMEOUT = 120


class Failure(Exception):
    """What nobody foresaw, at a step of a run."""


@cache
def forms(secret: str) -> dict[str, bytes]:
    """How a secret may stand somewhere, by what it is called."""
    plain = secret.encode()
    found = {
        "plain": plain,
        "utf-16": secret.encode("utf-16-le"),
        "url": quote(secret, safe="").encode(),
        "url with +": quote_plus(secret).encode(),
        "url with /": quote(secret).encode(),
        "html": escape(secret).encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "repr": repr(secret)[1:-1].encode(),
        "ascii": ascii(secret)[1:-1].encode(),
        "bytes": repr(plain)[2:-1].encode(),
        "odbc": secret.replace("}", "}}").encode(),
        "hex": plain.hex().encode(),
    }
    for before in range(3):
        # What of it does not depend on what stands around it.
        coded = base64.b64encode(b"\0" * before + plain)
        found[f"base64 at {before}"] = coded[4 if before else 0 : -4]
    return found


def leaks(data: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Which of these secrets stand in the data, and in which form; packed data is looked into."""
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            data += unpack(data)
        except (OSError, EOFError, zlib.error):
            continue
    # JSON in JSON in a repr has as many backslashes more.
    data += b"\0" + data.replace(b"\\", b"")
    return [
        f"{name}, {how}"
        for name, text in secrets.items()
        for how, form in forms(text).items()
        if form in data or form.replace(b"\\", b"") in data
    ]


def leaks_of_folder(folder: Path, secrets: Mapping[str, str], but: Sequence[str] = ()) -> list[str]:
    """The same of every file below a folder, and of the files' names."""
    found = []
    for path in folder.rglob("*"):
        found += [f"the name {path}: {each}" for each in leaks(str(path).encode(), secrets)]
        if path.is_file() and path.name not in but:
            try:
                found += [f"{path.relative_to(folder)}: {each}" for each in leaks(path.read_bytes(), secrets)]
            except FileNotFoundError:
                continue
    return found


def watched(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str], secrets: Mapping[str, str], fail_at: Any
) -> tuple[int, list[str]]:
    """`python -m el ARGUMENTS`; its exit code, and the steps that it came to.

    fail_at: the name of a step and which time it comes, or the number of one among all; None: it does not fail.
    """
    given = (str(folder), list(arguments), dict(environment), dict(secrets), fail_at)
    process = context().Process(target=_child, args=given)
    process.start()
    process.join(TIMEOUT)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"it did not end within {TIMEOUT} seconds")
    return process.exitcode, (folder / "steps.log").read_text().splitlines()


def _child(
    folder: str, arguments: list[str], environment: dict[str, str], secrets: dict[str, str], fail_at: Any
) -> None:
    begin()
    os.chdir(folder)
    os.environ.update(environment)
    for number in (1, 2):
        os.dup2(os.open("output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: SIM115
    _log_everything()
    _pickle_what_travels(Path(folder))
    names: list[str] = []
    found = open("found.log", "a", buffering=1)  # noqa: SIM115
    steps = open("steps.log", "w", buffering=1)  # noqa: SIM115

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if (name := step_name(event, args)) is None or steps.closed:
            return
        names.append(name)
        steps.write(f"{name}\n")
        if names.count(name) == 1:
            for each in [*leaks_of_folder(Path(folder, ".el"), secrets), *leaks(_command_lines(), secrets)]:
                found.write(f"at {name}: {each}\n")
        if fail_at in (len(names), (name, names.count(name))):
            raise Failure(f"at {name}")

    sys.addaudithook(hook)
    from el.cli.app import main

    code = main([*arguments, "--traceback"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _log_everything() -> None:
    logging.basicConfig(filename="every.log", level=logging.DEBUG, force=True)
    for name in ("dlt", "snowflake.connector", "botocore", "boto3", "urllib3", "mssql_python"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(logging.getLogger().handlers[0])


def _pickle_what_travels(folder: Path) -> None:
    """Slices and plans, as an executor would send them to another machine."""
    import el.plan_job as plan_job
    from el.dumps.slice import DumpSlice
    from el.extraction.slice import Slice

    for kind in (Slice, DumpSlice):

        def run(self: Any, *given: Any, original: Any = kind.run, **more: Any) -> Any:
            (folder / f"slice-{id(self)}.pickle").write_bytes(pickle.dumps(self))
            (folder / f"slice-{id(self)}.txt").write_text(repr(self))
            return original(self, *given, **more)

        kind.run = run  # type: ignore[method-assign]
    make_plan = plan_job.make_plan

    def planned(*given: Any, **more: Any) -> Any:
        plan = make_plan(*given, **more)
        (folder / "plan.pickle").write_bytes(pickle.dumps(plan))
        (folder / "plan.txt").write_text(repr(plan) + repr(given))
        return plan

    plan_job.make_plan = planned


def _command_lines() -> bytes:
    """Of this process and of those that it began, and those did."""
    parents = dict(_processes())
    mine = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    texts = []
    for pid in mine:
        try:
            texts.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
        except OSError:
            continue
    return b"\n".join(texts)


def _processes() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
