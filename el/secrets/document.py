"""The file of the encrypted store as a whole: it is read, and replaced in one moment.

Guarantees: a kill at any step leaves the old file or the new one, never a part of it; of two writers at the same time
one waits for the other; comments and order of the file stay as they are; a file that somebody wrote to do harm costs
one line: it is read as plain YAML alone, without anchors, tags and directives, and up to a size.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, DocumentStartEvent

from el.errors import ConfigError
from el.secrets.references import is_reference

VERSION = 1
_EMPTY = f"""# Secrets, encrypted: made to be committed. `python -m el secrets --help` reads and changes it.
version: {VERSION}
connections: {{}}
"""
# How long a writer waits for another one.
WAIT_SECONDS = 30.0
# What is larger would take longer to read than anybody waits for a password.
MOST_BYTES = 4 * 1024 * 1024
# connections, shop.prod, values, password, set: and some more.
_DEEPEST = 8


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
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        _refuse_more_than_el_writes(path, text)
        content = _yaml().load(text)
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be read: {error.strerror}") from None
    except (YAMLError, ValueError) as error:
        # Such as a day that is none. Its text may be a ciphertext.
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(_unreadable(path, text, mark.line + 1 if mark is not None else None)) from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ConfigError(f"{path}: this is no store of version {VERSION}")
    if content.get("connections") is None:
        content["connections"] = {}
    if not isinstance(content["connections"], dict):
        raise ConfigError(f"{path}: `connections` has to be a mapping")
    for name in content["connections"]:
        if not is_connection(name):
            raise ConfigError(f"{path}: {name!a}: a connection is named PROFILE.TARGET, such as shop.prod")
    return Document(path, content, text)


def is_connection(name: object) -> bool:
    """Whether a connection can have this name: its values have paths that a reference can name."""
    return isinstance(name, str) and name.count(".") == 1 and is_path(f"{name}.field")


def is_path(path: object) -> bool:
    """Whether a value can have this path. A name that a terminal does not show as it is could hide another one."""
    return isinstance(path, str) and path.isprintable() and is_reference(f"secret:{path}")


def _unreadable(path: Path, text: bytes, line: int | None) -> str:
    markers = (b"<<<<<<<", b"=======", b">>>>>>>")
    for number, found in enumerate(text.split(b"\n"), 1):
        if found.startswith(markers):
            return (
                f"{path} line {number}: two branches changed it and were merged by hand: take one side whole, such as "
                f"git checkout --ours {path.name}, and do the change of the other again"
            )
    where = f"{path} line {line}" if line is not None else str(path)
    return f"{where}: this is not as el wrote it, and cannot be read: take the committed file"


def _refuse_more_than_el_writes(path: Path, text: bytes) -> None:
    """What a small text makes large or deep, and what is no text, number or mapping."""
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{path}: it is larger than {MOST_BYTES // 1024 // 1024} MiB, and is not read")
    depth = 0
    for event in _yaml().parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        directive = isinstance(event, DocumentStartEvent) and (event.version or event.tags)
        if directive or depth > _DEEPEST or getattr(event, "anchor", None) or getattr(event, "tag", None):
            line = event.start_mark.line + 1
            what = f"nested deeper than {_DEEPEST}" if depth > _DEEPEST else "an anchor, a tag or a directive"
            raise ConfigError(f"{path} line {line}: {what}: el wrote none; take the committed file")


def create_document(path: Path) -> None:
    """An empty store. Raises `ConfigError` where there is something."""
    try:
        _write_new(path, _EMPTY.encode())
    except FileExistsError:
        raise ConfigError(f"{path}: there is one already, or a link with this name that leads nowhere") from None
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
    if len(new) > MOST_BYTES:
        raise ConfigError(f"{path}: it would be larger than {MOST_BYTES // 1024 // 1024} MiB; it is as it was")
    # One name, so that what a kill leaves is removed by the next writer. It holds nothing that the store does not.
    beside = path.with_name(f".{path.name}.new")
    try:
        # A link that somebody put there would lead to any file of the user's.
        beside.unlink(missing_ok=True)
        _write_new(beside, new)
        beside.chmod(stat.S_IMODE(path.stat().st_mode))
        sys.audit("el.step", "secrets written beside")
        if path.read_bytes() != document.text:
            raise ConfigError(f"{path}: someone else changed it at the same time; nothing was done: do it again")
        beside.replace(path)
    except BaseException as error:
        _remove(beside)
        if isinstance(error, OSError):
            raise ConfigError(f"{path}: it cannot be written: {error.strerror}; it is as it was") from None
        raise
    # From here on another writer may have the new file, and write its own beside it.
    sys.audit("el.step", "secrets in place")
    with suppress(OSError):
        _sync_folder(path.parent)


def _write_new(place: Path, text: bytes) -> None:
    """A file that was not there, whole or not at all."""
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        _remove(place)
        raise


def _remove(place: Path) -> None:
    with suppress(OSError):
        place.unlink(missing_ok=True)


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
    until = time.monotonic() + WAIT_SECONDS
    while (file := _lock(path)) is None:
        if time.monotonic() > until:
            raise ConfigError(f"{path}: another process has been changing it for {WAIT_SECONDS:.0f} s: do it again")
        time.sleep(0.05)
    with file:
        yield


def _lock(path: Path) -> BinaryIO | None:
    """The file, locked for as long as it is open; None while another one has it."""
    import fcntl

    try:
        with ExitStack() as unless_ours:
            file = unless_ours.enter_context(path.open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who waited may hold the file that was replaced meanwhile.
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return None
            unless_ours.pop_all()
            return file
    except BlockingIOError:
        return None
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is none: python -m el secrets init") from None
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be changed: {error.strerror}") from None


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 1_000_000  # a ciphertext stays on its line
    yaml.preserve_quotes = True
    return yaml
