"""`python -m el grants`: the statements that give a role what it needs, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from el.checking.needs import Taken, source_needs, tables_taken, warehouse_needs
from el.config.access import Access, Operation, access_of, require
from el.config.files_profile import FILES
from el.config.job import Job
from el.connectors.base import Source
from el.connectors.registry import open_connector, open_source
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds, as_comment
from el.errors import ElError
from el.loading.audit import audited

SOURCE, WAREHOUSE = "source", "warehouse"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose rights. writes: schemas that `write_buffer` writes into; user: who gets them, else the profile's own."""

    access: Access
    ends: tuple[str, ...] = (SOURCE, WAREHOUSE)
    writes: tuple[str, ...] = ()
    user: str | None = None


def grants(job: Job, wanted: Wanted) -> Iterator[str]:
    """The script for each of these ends. The source is asked where it can be; nothing is changed anywhere."""
    with audited(job, f"grants {wanted.access}"), ExitStack() as stack:
        for output in (job.source, job.destination):
            require(Operation.GRANTS, access_of(output), str(output))
        source, why = _source(job, wanted.access, stack)
        taken = tables_taken(job, source, why)
        if SOURCE in wanted.ends:
            yield _of_the_source(job, wanted, taken, source)
        if WAREHOUSE in wanted.ends:
            # It is not connected: the script is made of what el.yml says alone.
            needs = replace(warehouse_needs(job, wanted.access, taken), writes=wanted.writes, user=wanted.user)
            yield _printed(open_connector(job.destination.settings, str(job.destination)), needs)


def _source(job: Job, access: Access, stack: ExitStack) -> tuple[Source | None, str]:
    """The source, open, or why it is not."""
    if not job.config.tables or job.source.type == FILES:
        return None, ""
    if access == Access.STAGING:
        # Not even its password is looked up.
        return None, ""
    try:
        return stack.enter_context(open_source(job.source.settings, str(job.source))), ""
    except ElError as error:
        return None, str(error)


def _of_the_source(job: Job, wanted: Wanted, taken: Taken, source: Source | None) -> str:
    if job.source.type == FILES:
        return as_comment(f"{job.source}: files; its login needs to list and to read them, and no more.") + "\n"
    if wanted.access == Access.STAGING:
        return (
            as_comment(f"{job.source}: the role staging has no right at the source, and needs no login there.") + "\n"
        )
    asked = source or open_source(job.source.settings, str(job.source))
    needs = replace(source_needs(job, wanted.access, taken, source), writes=wanted.writes, user=wanted.user)
    return _printed(asked, needs)


def _printed(connector: object, needs: SourceNeeds | WarehouseNeeds) -> str:
    if not isinstance(connector, RightsSource):
        return as_comment(f"{type(connector).__name__}: its connector knows no rights.") + "\n"
    return connector.rights(needs)
