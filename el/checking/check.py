"""`python -m el check`: what a run depends on, at both ends, one line each. A bad end hides nothing of the other.

Nothing is written. Each concern is a file of its own beside this one, or the connector's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from el.checking.certificate import expiry
from el.checking.clock import Clock, clock
from el.checking.connection import connected, refused
from el.checking.files import places
from el.checking.needs import Taken, source_needs, tables_taken, warehouse_needs
from el.checking.sign_in import way_in
from el.checking.versions import of_driver, of_el, of_libraries
from el.config.access import Access
from el.config.files_profile import FILES
from el.config.job import Job
from el.connectors.base import Connector, Source
from el.connectors.check import Check, Level, fine, wrong
from el.connectors.registry import open_connector, open_source
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds
from el.errors import ConfigError, ElError

EXIT_CODE = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A check, and of which end: this machine, the source, the warehouse."""

    end: str
    check: Check

    def __str__(self) -> str:
        remedy = f" -> {self.check.remedy}" if self.check.remedy else ""
        return f"{self.check.level:<7} {self.end}: {self.check.subject}: {self.check.text}{remedy}"

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        check = self.check
        found = {"end": self.end, "level": str(check.level), "subject": check.subject, "text": check.text}
        return {**found, "remedy": check.remedy}


def check(job: Job, access: Access) -> Iterator[Finding]:
    """All that was found, as it is found."""
    yield Finding("el", of_el())
    yield from (Finding("el", each) for each in of_libraries(job.destination.type))
    clocks: list[Clock] = []
    with ExitStack() as stack:
        of_source = f"source {job.source}"
        source: Source | None = None
        why = ""
        if not job.config.tables or job.source.type == FILES:
            yield Finding(of_source, fine("connection", "no tables are taken out of it"))
        elif access == Access.STAGING:
            why = "the role staging does not connect to it"
            yield Finding(of_source, fine("connection", why))
        else:
            source, problem = _open_source(job, stack)
            why = problem.text if problem is not None else ""
            yield from (Finding(of_source, each) for each in ([problem] if problem else []))
        taken = tables_taken(job, source, why)
        if source is not None:
            yield from (
                Finding(of_source, each) for each in _end(source, source_needs(job, access, taken, source), clocks)
            )
            yield from (Finding(of_source, each) for each in _tables(taken))
        # An engineer's and an owner's: who reads staging alone takes no files.
        yield from (Finding("files", each) for each in (places(job) if access != Access.STAGING else ()))
        of_warehouse = f"warehouse {job.destination}"
        yield from (Finding(of_warehouse, each) for each in _warehouse(job, access, taken, stack, clocks))
        if len(clocks) == 2:
            yield Finding(of_warehouse, clocks[1].beside(clocks[0], f"that of {of_source}"))


def failed(findings: list[Finding]) -> bool:
    """Whether there is an error among them."""
    return any(each.check.level is Level.ERROR for each in findings)


def _open_source(job: Job, stack: ExitStack) -> tuple[Source | None, Check | None]:
    try:
        return stack.enter_context(open_source(job.source.settings, str(job.source))), None
    except ElError as error:
        return None, refused(error)


def _warehouse(job: Job, access: Access, taken: Taken, stack: ExitStack, clocks: list[Clock]) -> Iterator[Check]:
    try:
        warehouse = stack.enter_context(open_connector(job.destination.settings, str(job.destination)))
        needs = warehouse_needs(job, access, taken)
    except ConfigError as error:
        yield wrong("configuration", str(error))
    except ElError as error:
        yield refused(error)
    else:
        yield from _end(warehouse, needs, clocks)


def _end(connector: Connector, needs: SourceNeeds | WarehouseNeeds, clocks: list[Clock]) -> Iterator[Check]:
    """One end, whose connection is open; its clock is added to `clocks`.

    What cannot be asked is an error of its own, and the next is asked.
    """
    yield from of_driver(connector)
    yield connected(connector)
    yield from [said] if (said := way_in(connector)) is not None else []
    yield from [shown] if (shown := expiry(connector)) is not None else []
    if not isinstance(connector, RightsSource):
        return
    try:
        yield from connector.checks(needs)
    except ElError as error:
        yield wrong("rights", f"they cannot be asked: {error}")
    try:
        found = clock(connector)
    except ElError as error:
        yield wrong("clock", f"it cannot be asked: {error}")
        return
    if found is not None:
        clocks.append(found)
        yield found.check()


def _tables(taken: Taken) -> Iterator[Check]:
    """Tables of el.yml that the login does not see."""
    errors = [*filter(None, [taken.error]), *(str(item.error) for item in taken.chosen if item.error is not None)]
    yield from (wrong("tables", error, "correct el.yml, or grant what is missing") for error in errors)
    if not errors:
        yield fine("tables", f"{len(taken.chosen)} are seen")
