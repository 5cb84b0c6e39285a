"""The file of the encrypted store as a whole: it is read, and replaced in one moment.

Guarantees: a kill at any step leaves the old file or the new one, never a part of it; of two writers at the same time
one waits for the other; comments and order of the file stay as they are.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from el.errors import ConfigError

VERSION = 1
_EMPTY = f"""# Secrets, encrypted: made to be committed. `python -m el secrets --help` reads and changes it.
version: {VERSION}
connections: {{}}
"""
# How long a writer waits for another one.
WAIT_SECONDS = 30.0


@dataclass
class Document:
    """What the file says. content: as ruamel.yaml has it, with its comments."""

    path: Path
    content: Any
    text: bytes

    @property
    def sections(self) -> dict[str, Any]:
        """Connection, such as shop.prod -> its part."""
        found: dict[str, Any] = self.content["connections"]
        return found


def read_document(path: Path) -> Document:
    """The store. Raises `ConfigError` where it cannot be read or is none."""
    try:
        text = path.read_bytes()
        content = _yaml().load(text)
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{line}: this cannot be read ({type(error).__name__})") from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ConfigError(f"{path}: this is no store of version {VERSION}")
    if content.get("connections") is None:
        content["connections"] = {}
    if not isinstance(content["connections"], dict):
        raise ConfigError(f"{path}: `connections` has to be a mapping")
    return Document(path, content, text)


def create_document(path: Path) -> None:
    """An empty store. Raises `ConfigError` where there is something."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_EMPTY)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError(f"{path}: there is one already") from None
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be made: {error.strerror}") from None


@contextmanager
def changed(path: Path) -> Iterator[Document]:
    """The store, to be changed inside; then it takes the file's place. An error inside leaves the file as it is."""
    path = path.resolve()
    with _alone(path):
        document = read_document(path)
        yield document
        sys.audit("el.step", "secrets made")
        new = io.BytesIO()
        _yaml().dump(document.content, new)
        _replace(document, new.getvalue())


def _replace(document: Document, new: bytes) -> None:
    path = document.path
    # One name, so that what a kill leaves is written over by the next writer. It holds nothing that the store does not.
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(stat.S_IMODE(path.stat().st_mode))
        sys.audit("el.step", "secrets written beside")
        if path.read_bytes() != document.text:
            raise ConfigError(f"{path}: someone else changed it at the same time; nothing was done: do it again")
        beside.replace(path)
        sys.audit("el.step", "secrets in place")
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be written: {error.strerror}; it is as it was") from None


def _sync_folder(folder: Path) -> None:
    """So that the new name outlives a loss of power. Windows cannot open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Be its one writer. The operating system ends the lock with the process, so a kill leaves none behind."""
    if sys.platform == "win32":
        # The comparison before the replacement is all that there is here.
        yield
        return
    import fcntl

    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Who waited may hold the file that was replaced meanwhile.
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    yield
                    return
        except BlockingIOError:
            if time.monotonic() > until:
                raise ConfigError(f"{path}: another process has been changing it for {WAIT_SECONDS:.0f} s") from None
            time.sleep(0.05)
        except FileNotFoundError:
            raise ConfigError(f"{path}: there is none: python -m el secrets init") from None


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 1_000_000  # a ciphertext stays on its line
    yaml.preserve_quotes = True
    return yaml
