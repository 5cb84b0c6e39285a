"""el.yml as `init` writes it: an entry for each table that the source has, with the strategy that the plan proposes.

Guarantees: an el.yml that somebody wrote or edited is never written over. One of `init`'s own, written while the source
could not be asked, is completed once it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from el.config.settings import Config, load_config
from el.config.table_pattern import quoted
from el.config.tables import StrategyName
from el.config.text_file import read_text
from el.connectors.base import Source
from el.connectors.catalog import TableName
from el.errors import NotPermitted
from el.planning.make_plan import make_plan
from el.planning.places import find_places, tables_of
from el.planning.plan import Plan
from el.planning.plan_table import Known
from el.planning.selection import Chosen
from el.setup.profiles import in_yaml

ALL = ("*.*",)
_ABOUT = (
    "# What is taken from where. Connections are in profiles.yml. `python -m el plan --why` says why each is taken so."
)
_WAITS = (
    "  # The source could not be asked which tables it has: mend profiles.yml, and run `python -m el init` again.\n"
)
_LISTED = "  # full: the whole table each time. `cursor: COLUMN`, which grows with each change, takes what changed.\n"
_LISTED += '  # A glob takes tables that come later too: - {name: "SCHEMA.*"}\n'
_STRATEGIES = frozenset(map(str, StrategyName)) - {StrategyName.FULL, StrategyName.AUTO}


def waiting(source: str, destination: str, patterns: Sequence[str]) -> str:
    """el.yml while nobody knows which tables there are."""
    entries = "".join(f"  - {{name: {in_yaml(pattern)}}}\n" for pattern in patterns)
    return _head(source, destination) + _WAITS + entries


def waits(path: Path) -> Config | None:
    """What el.yml says where `init` wrote it so, and nobody edited it; None for any other."""
    config = load_config(path)
    patterns = [entry.name for entry in config.tables]
    return config if read_text(path) == waiting(config.source, config.destination, patterns) else None


def _head(source: str, destination: str) -> str:
    return f"{_ABOUT}\nversion: 1\nsource: {in_yaml(source)}\ndestination: {in_yaml(destination)}\ntables:\n"


def completed(config: Config, source: Source) -> str:
    """el.yml with an entry for each table. The source is open. Raises `NotPermitted` where none is seen."""
    catalog, chosen = tables_of(config, source)
    problems = [item.error for item in chosen if item.error is not None and not item.table.columns]
    if problems and config.tables[0].name not in ALL:
        raise problems[0]
    if not chosen or problems:
        raise NotPermitted(
            f"{catalog.database}: this login sees no table: `python -m el grants --role engineer --for source` prints "
            "what an administrator has to run"
        )
    # Nothing is asked of raw: it holds nothing yet, as far as this matters.
    plan = make_plan(Known(config, source, catalog, {}), chosen, find_places(config, chosen), tried=1)
    return _head(config.source, config.destination) + _LISTED + "".join(_entries(plan, chosen))


def _entries(plan: Plan, chosen: Sequence[Chosen]) -> list[str]:
    planned = {table.name: table for table in plan.tables}
    refused = {each.name: str(each) for each in plan.refused}
    found = []
    for item in chosen:
        name = item.table.name
        entry = f"  - {{name: {in_yaml(_spelt(name))}}}"
        if name in refused:
            found.append(f"{entry} # stops: {refused[name]}\n")
            continue
        table = planned[name]
        if table.strategy in _STRATEGIES:
            entry = f"{entry[:-1]}, strategy: {table.strategy}}}"
        elif table.strategy == StrategyName.FULL:
            entry += " # full"
        if table.stopped is not None:
            entry += f" # stops: {table.stopped}"
        found.append(f"{entry}\n")
    return found


def _spelt(name: TableName) -> str:
    """As `plan` prints it; in quotes where something in it would have a meaning."""
    return quoted(name) if set(f"{name.schema}{name.name}") & set('.*?["') else str(name)


def write_tables(path: Path, text: str) -> int:
    """Put el.yml in place; how many entries it has."""
    path.write_text(text, encoding="utf-8")
    return len(load_config(path).tables)


def names_in(source: Source) -> list[str]:
    """The tables that the source has, for a person to choose from; views are named one by one in el.yml."""
    catalog = source.describe(brief=True)
    return sorted(str(table.name) for table in catalog.tables if table.kind != "view" and table.aside is None)
