"""The entries of `dumps` as tables, to be named in raw beside those of a database."""

from __future__ import annotations

from collections.abc import Sequence

from el.config.dumps import DumpSettings
from el.config.files_profile import FILES
from el.config.job import Job
from el.config.settings import Config
from el.config.table_pattern import TablePattern, schemas_of_patterns
from el.config.tables import TableSettings
from el.connectors.catalog import Table, TableName
from el.errors import ConfigError
from el.planning.selection import Chosen, keep_selected


def dump_tables(config: Config, entries: Sequence[DumpSettings] | None = None) -> list[Chosen]:
    """These entries of `dumps`, or all of them, as tables, to be named in raw beside the others."""
    found = []
    for entry in config.dumps if entries is None else entries:
        name = TablePattern.parse(entry.name).plain
        assert name is not None
        settings = TableSettings.model_construct(name=entry.name, rename=entry.rename, columns={})
        found.append(Chosen(Table(name, (), kind=FILES), settings))
    return found


def selected_dumps(job: Job, tables: list[Chosen]) -> tuple[list[Chosen], list[DumpSettings]]:
    """The tables and the dumps that `--select` keeps. Raises `ConfigError` where it names neither."""
    dumps = dump_tables(job.config)
    kept = keep_selected(job.config, [*tables, *dumps], job.select)
    names = {item.table.name for item in kept if item.table.kind == FILES}
    chosen = [item for item in kept if item.table.kind != FILES]
    return chosen, [e for e, item in zip(job.config.dumps, dumps, strict=True) if item.table.name in names]


def names_dumps_alone(config: Config, select: Sequence[str]) -> bool:
    """Whether this means entries of `dumps` and no table, whatever tables the database has: it need not be asked."""
    if not config.tables:
        return True
    dumps = [item.table.name for item in dump_tables(config)]
    listed = [entry.pattern for entry in config.tables]
    return bool(select) and all(_names_dumps_alone(text, dumps, listed) for text in select)


def _names_dumps_alone(text: str, dumps: Sequence[TableName], listed: Sequence[TablePattern]) -> bool:
    try:
        pattern = TablePattern.parse(text, bare=True)
        if not pattern.of(dumps):
            return False
    except (ConfigError, ValueError):
        # Who looks up the tables too says what is wrong with it.
        return False
    if any(each.plain is not None and pattern.of([each.plain]) for each in listed):
        return False
    # An exact spelling wins over all others.
    if pattern.plain in dumps:
        return True
    globs = [each for each in listed if each.plain is None]
    schemas = schemas_of_patterns(globs)
    return not globs or (schemas is not None and not any(pattern.may_mean_some_of(schema) for schema in schemas))


def dump_name(settings: DumpSettings) -> TableName:
    """The name of an entry."""
    name = TablePattern.parse(settings.name).plain
    assert name is not None
    return name
