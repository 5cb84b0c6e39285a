"""Where the tables of a job lie in raw.

Guarantee: tables that would land in one place, and what cannot be called so, are stopped by name and stop no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from el.config.job import Job
from el.config.settings import Config
from el.connectors.base import Source
from el.connectors.catalog import Catalog, TableName
from el.connectors.registry import open_source
from el.errors import PlanError
from el.planning.dump_tables import dump_tables, names_dumps_alone
from el.planning.naming import file_refusal, find_names
from el.planning.selection import Chosen, choose_tables, keep_selected, schemas_of

PlaceNames = Mapping[TableName, tuple[str, str]]
"""Raw schema and raw table of each table."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where tables land."""

    names: dict[TableName, tuple[str, str]]  # raw schema and raw table of each
    problems: dict[TableName, PlanError]  # those that cannot land there, and why
    clashes: frozenset[TableName]  # those of them whose place another table wants too


def tables_of(config: Config, source: Source) -> tuple[Catalog, list[Chosen]]:
    """What the source says of the schemas in which el.yml names tables, and the tables that it takes."""
    schemas = schemas_of(config)
    catalog = source.describe(schemas, brief=True)
    every = choose_tables(config, source, catalog)
    if schemas is not None and any(item.error is not None and not item.table.columns for item in every):
        # What was meant by a name that is not there may be in another schema.
        catalog = source.describe(brief=True)
        every = choose_tables(config, source, catalog)
    return catalog, every


def plan_places(job: Job) -> tuple[PlaceNames, list[Chosen]]:
    """Where the tables and dumps of a job lie in raw; and all of those of el.yml."""
    every: list[Chosen] = []
    if not names_dumps_alone(job.config, job.select):
        with open_source(job.source.settings, str(job.source)) as source:
            _, every = tables_of(job.config, source)
    every += dump_tables(job.config)
    return landing_places(find_places(job.config, every), keep_selected(job.config, every, job.select)), every


def landing_places(places: Places, chosen: Sequence[Chosen]) -> PlaceNames:
    """Where these tables lie in raw. What cannot lie there (an entry that no table fits) gets no raw schema made."""
    nowhere = set(places.problems) - places.clashes
    nowhere |= {item.table.name for item in chosen if item.error is not None and item.table.kind != "query"}
    return {item.table.name: places.names[item.table.name] for item in chosen if item.table.name not in nowhere}


def raw_names(config: Config, chosen: Sequence[Chosen]) -> dict[TableName, tuple[str, str]]:
    """Each table's raw schema and raw table. Raises `PlanError` with every problem at once."""
    places = find_places(config, chosen)
    if places.problems:
        raise PlanError("; ".join(dict.fromkeys(str(problem) for problem in places.problems.values())))
    return places.names


def find_places(config: Config, chosen: Sequence[Chosen]) -> Places:
    """Each table's raw schema and raw table; collisions, and what cannot be called so, are its problems.

    chosen: all tables of el.yml: what one run takes today, and another one tomorrow, must not meet in raw either.
    """
    mode = config.raw.naming
    schemas = sorted({item.table.name.schema for item in chosen})
    parts, wrong = find_names(schemas, mode, {})
    texts: dict[TableName, list[str]] = {}
    clashes: set[TableName] = set()

    def refuse(names: Iterable[TableName], text: str, *, clash: bool = False) -> None:
        for name in names:
            texts.setdefault(name, []).append(text)
            if clash:
                clashes.add(name)

    for problem in wrong:
        here = [item.table.name for item in chosen if item.table.name.schema in problem.names]
        refuse(here, f"schema: {problem.text}", clash=problem.clash)
    found: dict[TableName, tuple[str, str]] = {}
    for schema in schemas:
        inside = [item for item in chosen if item.table.name.schema == schema]
        renames = {item.table.name.name: item.settings.rename for item in inside if item.settings.rename}
        names, wrong = find_names([item.table.name.name for item in inside], mode, renames, tables=True)
        for problem in wrong:
            owners = [TableName(schema, name) for name in problem.names]
            refuse(owners, f"table of {schema}: {problem.text}", clash=problem.clash)
        raw_schema = config.raw.schema_.format(source=config.source, schema=parts[schema])
        for item in inside:
            found[item.table.name] = (raw_schema, names[item.table.name.name])
    counts = Counter(item.table.name for item in chosen)
    for twice in (name for name, count in counts.items() if count > 1):
        said = "stands twice among `tables` and `dumps`, and both would land in one raw table: give one another `name`"
        refuse([twice], f"{twice} {said}", clash=True)
    taken: dict[tuple[str, str], TableName] = {}
    for name, place in found.items():
        if refused := file_refusal(place[0], dots=True):
            refuse([name], f"{name}: the raw schema {refused}: set `raw: {{schema: ...}}` or `naming: snake_case`")
        if refused := file_refusal(place[1], dots=False):
            refuse([name], f"{name}: the raw table {refused}: set `rename` for it")
        first = taken.setdefault((place[0].casefold(), place[1].casefold()), name)
        if first != name and not {first, name} <= clashes:
            where = f"{place[0]}.{place[1]}"
            refuse([first, name], f"{first} and {name} would both land in {where}; set `rename` for one", clash=True)
    problems = {name: PlanError("; ".join(said)) for name, said in texts.items()}
    return Places(found, problems, frozenset(clashes))
