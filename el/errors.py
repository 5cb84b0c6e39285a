"""Every error that el raises, each with what its caller does next: exit, or try again.

    ElError
    ├── ConfigError            2   el.yml, profiles.yml or the command line is wrong
    │   └── PlanError          2   the configuration is well formed, but this source cannot be taken so
    ├── ConnectError           3   no working connection
    │   ├── DriverMissing      3   a driver or a system library is not installed
    │   ├── AuthenticationFailed 3 user, password, key or token refused
    │   ├── ServerUnreachable  3   nobody answers there (retryable)
    │   ├── CertificateUntrusted 3 the server's certificate is not trusted
    │   ├── DatabaseMissing    3   the server answers, the database is not there or not ours
    │   ├── NotPermitted       3   connected, but the rights do not suffice
    │   └── SecretUnavailable  3   the secret that a setting refers to is refused or not there
    ├── AccessDenied           3   the role may not do this; nothing was asked of a database
    ├── RunLocked              3   another run is at work on the same destination
    ├── DatabaseError          1
    │   ├── ReadError          1   "database error: ..."
    │   └── WriteError         1   "data is not in stable state: ..."
    ├── RowRefused             1   a row that raw or the warehouse cannot hold as it is
    ├── RecordRefused          1   a record of a file that cannot be read as it is
    ├── FileRefused            1   a file that cannot be taken as it is, or for which el.yml has to say more
    ├── FileChanged            1   a file that is another one than was listed (retryable)
    ├── Paused                 0   within the hours in which the source is left alone
    ├── SourceBusy             1   the source is under more pressure than el.yml allows (retryable)
    ├── SuspiciousDeletes      1   so many rows are gone from the source that someone has to confirm it
    ├── PositionLost           1   the source no longer has the changes since the last load
    ├── LoadError              1   a package could not be loaded
    └── DifferencesFound       4   verification found differences

A message is one line: what, where, what to do. It never holds a secret. `exit_code` and `retryable` are
class facts; a single error may say otherwise (`ReadError("...", retryable=True)` for a deadlock).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# What takes out of every message what must not stand in it, whichever library put it there: `el.secrets.hidden` does.
CLEANERS: list[Callable[[str], str]] = []


def to_install(*extras: str) -> str:
    """The command that brings what these extras of the package have (pyproject.toml, `optional-dependencies`)."""
    return f'pip install "el-loader[{",".join(extras)}]"'


class ElError(Exception):
    """Base of all. `exit_code`: what the command exits with. `retryable`: whether the same call may succeed later."""

    exit_code: int = 1
    retryable: bool = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        for clean in CLEANERS:
            message = clean(message)
        super().__init__(" ".join(message.split()))
        if retryable is not None:
            self.retryable = retryable

    def __reduce__(self) -> tuple[Any, ...]:
        # Its text is made: to make it once more, as a pickle would, puts what a class puts in front there twice.
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[ElError], arguments: tuple[Any, ...], state: dict[str, Any]) -> ElError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


class ConfigError(ElError):
    """The configuration is wrong; the message names the file and the line.

    Nothing was moved. Mend the place that the message names, then look with `python -m el plan`.
    """

    exit_code = 2


class PlanError(ConfigError):
    """What is asked for cannot be done with this source; nothing was moved.

    In a run this table stops, and the others load. Do what the message names: a setting in el.yml, a right at the
    source, or `accept` if you know better.
    """


class ConnectError(ElError):
    """There is no working connection.

    `python -m el check` looks at both connections, and at what each needs.
    """

    exit_code = 3


class DriverMissing(ConnectError):
    """A driver or a system library is missing; the message names the package to install.

    Install that package, and run the same command again.
    """


class AuthenticationFailed(ConnectError):
    """User, password, key or token was refused.

    Check user and secret in profiles.yml, and where the secret is kept.
    """


class ServerUnreachable(ConnectError):
    """Nobody answers at this host and port.

    Check host and port, the firewall between, and whether the server is up. Then run again.
    """

    retryable = True


class CertificateUntrusted(ConnectError):
    """The server's TLS certificate is not trusted by this machine.

    Install the certificate of its authority, or name its file in the profile. `trust_cert: true` takes any.
    """


class DatabaseMissing(ConnectError):
    """The database does not exist, or this login may not open it.

    Check `database` in profiles.yml, and whether this login may open it.
    """


class NotPermitted(ConnectError):
    """The connection works, but its rights do not suffice.

    `python -m el grants` prints what an administrator has to run.
    """


class SecretUnavailable(ConnectError):
    """A secret that a setting refers to cannot be had; the message names the reference, and no value.

    Check the reference, and whether this machine may read it.
    """


class AccessDenied(ElError):
    """The role of the connection (EL_ROLE, or the profile's `access`) may not do this.

    Nothing was asked of a database. Use a connection of a stronger role.
    """

    exit_code = 3


class RunLocked(ElError):
    """Another run holds the lock of the same destination.

    Wait until it ends. A lock that a machine left behind is free after `defaults.lock_lease`.
    """

    exit_code = 3


class DatabaseError(ElError):
    """The database refused or broke off an operation.

    The message has the server's own words. What was of the moment, such as a lost line, is gone with the next run.
    """

    number: int = 0
    """The server's own number of the error, 0 if unknown."""


class ReadError(DatabaseError):
    """A read failed. Its text begins with "database error: ".

    Nothing of that read counts. The next run reads it again.
    """

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(f"database error: {message}", retryable=retryable)


class WriteError(DatabaseError):
    """A write could not be left consistent, and was undone. Its text begins with "data is not in stable state: ".

    The target is as it was before. Mend what the message names, and write again: a `run_id` is written once.
    """

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(f"data is not in stable state: {message}", retryable=retryable)


class RowRefused(ElError):
    """A row holds a value that cannot arrive as it is; the message names table, column and key. Its table fails.

    Change the value at the source, or say in el.yml how it shall arrive: `cast`, `exclude`, `limits`.
    """


class RecordRefused(ElError):
    """A record of a file cannot be read as it is; the message names file, record, byte and reason. Its file fails.

    Mend the file, or its `format` in el.yml. `rejects` lets so many records go; each is kept in `_el_rejects`.
    """


class FileRefused(ElError):
    """A file cannot be taken: it is another one than before, or has other columns. It fails alone.

    Say in el.yml what the message asks for, such as a `format`, or `changed: replace`.
    """


class FileChanged(ElError):
    """A file is another one by now than the one that was listed; the next run lists it again.

    Run again. `settle` lets a file rest before it is taken.
    """

    retryable = True


class Paused(ElError):
    """The source is left alone at this hour; a later run takes the table.

    There is nothing to do: `source_limits.pause` asks for it.
    """

    exit_code = 0


class SourceBusy(ElError):
    """The source is under more pressure than el.yml's `source_limits` allow; nothing was read.

    Run again later, or change `source_limits`.
    """

    retryable = True


class SuspiciousDeletes(ElError):
    """More rows are gone from the source than the table's settings allow without a confirmation.

    Look whether they are really gone. If so: `python -m el run --confirm-deletes TABLE`.
    """


class PositionLost(ElError):
    """The source has forgotten changes since the last load; the message says how to begin anew. Its table fails.

    `python -m el state reset TABLE` begins anew with a snapshot; raw keeps what it has.
    """


class LoadError(ElError):
    """A load package did not reach the destination whole; the next run finishes it.

    Run again: what was loaded stays valid, and nothing is doubled.
    """


class LoadHidden(LoadError):
    """What a load brought into raw is not what was sent, and no reader sees it.

    Run again: all of it is read anew.
    """


class DifferencesFound(ElError):
    """Source and destination differ at the same watermark. No command compares them yet."""

    exit_code = 4


def of_table(name: str, text: str) -> str:
    """A message about a table in which its name stands once: layers of code each put it in front."""
    before, *after = re.split(rf"(?<![\w.]){re.escape(name)}: ", text)
    if after:
        return f"{before}{name}: {''.join(after)}"
    return text if name in text else f"{name}: {text}"
