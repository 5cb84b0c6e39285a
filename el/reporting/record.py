"""A run as it is kept: what it did, how it ended, by whom and with which versions; also one that failed or was killed.

Guarantees: a record becomes JSON and comes back the same, but for what shows rows that differ: no key and no value of
the data is kept. What an older or a newer el wrote is read as far as it is known here.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, Protocol

from packaging.requirements import Requirement

from el.planning.plan import Plan
from el.reporting.summary import RunReport, TableReport

# What of the libraries decides how values are read and loaded.
_LIBRARIES = ("dlt", "pyarrow")


# The command that compares; all others take or change something.
VERIFY = "verify"
# What may hold values of the data, keys too: the page and the text of the comparison itself have it, no record has.
_NOT_KEPT = {"kept": False}


@dataclass(frozen=True, slots=True)
class TableVerified:
    """One table's comparison of source and raw, or of raw and a schema table.

    verdict: EQUAL | DIFFERENT | UNDECIDED | REFUSED. sides: where a row stands, in words. Of a schema table,
    what is said of the source is said of raw, and what is said of raw of the schema table.
    """

    table: str
    verdict: str
    method: str = ""  # how it was compared, in words
    raw: str = ""
    strategy: str = ""
    sides: tuple[str, str] = ("at the source", "in raw")
    through: str | None = None  # up to which position of the source
    load_id: str | None = None  # the load that it was compared with
    source_rows: int = 0
    raw_rows: int = 0
    compared: int = 0
    equal: int = 0
    late: int = 0  # keys that were left out, because they changed behind that position
    missing: int = 0
    extra: int = 0
    different: int = 0
    gone: int = 0  # in raw alone, where the strategy sees no deletes
    columns: tuple[str, ...] = ()  # in which rows differ, each with in how many
    not_compared: tuple[str, ...] = ()  # columns, each with the reason
    why: str | None = None  # of the verdict, or why nothing was compared
    notes: tuple[str, ...] = ()
    advice: str | None = None  # what to do
    failed: str | None = None  # the kind of the error that kept it from being compared, or mended
    seconds: float = 0.0
    error: str | None = field(default=None, metadata=_NOT_KEPT)  # what that error said
    examples: tuple[str, ...] = field(default=(), metadata=_NOT_KEPT)  # the first rows that differ, by their keys
    again: tuple[tuple[str, str], ...] = field(default=(), metadata=_NOT_KEPT)  # where, and SQL that shows such rows

    @property
    def differs(self) -> bool:
        """Whether something is not the same."""
        return self.verdict == "DIFFERENT"

    @property
    def is_equal(self) -> bool:
        """Whether all that was compared is the same."""
        return self.verdict == "EQUAL"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, or one `verify`.

    result: done | paused | locked | failed | refused | interrupted | killed | running; of `verify` also different |
    undecided.
    """

    run_id: str
    command: str
    source: str
    destination: str
    started: datetime  # with its zone
    seconds: float = 0.0
    result: str = "running"
    exit_code: int | None = None  # None: it is not known how it ended
    error: str | None = None  # why nothing at all could be done
    advice: str | None = None  # what to do about it
    tables: tuple[TableReport, ...] = ()
    finished: tuple[str, ...] = ()  # loads of an earlier run that this one brought to their end
    verified: tuple[TableVerified, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    el_role: str = ""
    os_user: str = ""
    host: str = ""

    @property
    def loaded(self) -> tuple[TableReport, ...]:
        """The tables that rows were brought to."""
        return tuple(table for table in self.tables if table.load_id is not None)

    @property
    def failed(self) -> tuple[TableReport, ...]:
        """The tables that failed."""
        return tuple(table for table in self.tables if table.status == "failed")

    @property
    def rows(self) -> int:
        """Rows that were loaded."""
        return sum(table.rows for table in self.loaded)

    @property
    def compared(self) -> int:
        """Rows that were compared."""
        return sum(each.compared for each in self.verified)

    @property
    def differing(self) -> tuple[TableVerified, ...]:
        """The tables that are not the same on both sides."""
        return tuple(each for each in self.verified if each.differs)

    @property
    def equal(self) -> tuple[TableVerified, ...]:
        """The tables that are the same on both sides."""
        return tuple(each for each in self.verified if each.is_equal)

    @property
    def undecided(self) -> int:
        """Of how many tables it is not known."""
        return len(self.verified) - len(self.equal) - len(self.differing)

    @property
    def broken(self) -> tuple[TableVerified, ...]:
        """The tables whose comparison, or repair, ended with an error."""
        return tuple(each for each in self.verified if each.failed)

    @property
    def in_trouble(self) -> bool:
        """Whether someone has to do something."""
        return self.result in ("failed", "refused", "killed") or bool(self.failed or self.differing or self.broken)

    def ended(self, report: RunReport, result: str) -> RunRecord:
        """With what the run did."""
        return replace(
            self,
            seconds=report.seconds,
            result=result,
            exit_code=report.exit_code,
            tables=report.tables,
            finished=report.finished,
        )

    def to_json(self) -> str:
        """One line. What has its usual value is left out: a run with nothing new stays short; and what is not kept."""
        return json.dumps(_plain(self), default=str, ensure_ascii=False)


class Listener(Protocol):
    """Is told of a run. What goes wrong in it is said, and fails no run."""

    def planned(self, plan: Plan) -> None:
        """What will be taken."""

    def ended(self, record: RunRecord) -> None:
        """The run is over, however it ended."""


def read_record(text: str | Mapping[str, Any]) -> RunRecord:
    """The record of such a line. Raises `ValueError`, `TypeError` or `KeyError` where it is none."""
    found = dict(json.loads(text) if isinstance(text, str) else text)
    found["started"] = datetime.fromisoformat(found["started"])
    found["tables"] = tuple(_known(TableReport, each) for each in found.get("tables", ()))
    found["verified"] = tuple(_known(TableVerified, each) for each in found.get("verified", ()))
    record: RunRecord = _known(RunRecord, found)
    return record


def versions(*types: str) -> dict[str, str]:
    """Of el, of Python, and of what reads and loads. types: those of the profiles' outputs."""
    from el import __version__

    return {"el": __version__, "python": platform.python_version(), **dict(_installed(types))}


# What is installed stays the same while a process goes on: to ask costs a small run some ten milliseconds.
@cache
def _installed(types: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = {}
    for name in (*_LIBRARIES, *types, *_drivers(types)):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return tuple(found.items())


def _drivers(types: Sequence[str]) -> list[str]:
    """What the extras of these names bring (pyproject.toml, `optional-dependencies`)."""
    with suppress(PackageNotFoundError):
        wanted = [Requirement(text) for text in requires("el-loader") or ()]
        return [each.name for each in wanted if each.marker and any(f'"{name}"' in str(each.marker) for name in types)]
    return []


def _plain(value: Any) -> dict[str, Any]:
    found = asdict(value)
    for each in fields(value):
        usual = each.default if each.default_factory is MISSING else each.default_factory()
        if not each.metadata.get("kept", True) or found[each.name] == usual or (found[each.name] == [] and usual == ()):
            del found[each.name]
    for name in ("tables", "verified"):
        if name in found:
            found[name] = [_plain(each) for each in getattr(value, name)]
    return found


def _known(made: type[Any], found: Mapping[str, Any]) -> Any:
    names = {each.name for each in fields(made)}
    # JSON has no tuples.
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return made(**{name: value for name, value in values.items() if name in names})
