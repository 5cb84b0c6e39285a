"""The entries of `dumps` as tables, to be named in raw beside those of a database."""

from __future__ import annotations

from collections.abc import Sequence

from el.config.dumps import DumpSettings
from el.config.files_profile import FILES
from el.config.job import Job
from el.config.settings import Config
from el.config.table_pattern import TablePattern
from el.config.tables import TableSettings
from el.connectors.catalog import Table, TableName
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


def dump_name(settings: DumpSettings) -> TableName:
    """The name of an entry."""
    name = TablePattern.parse(settings.name).plain
    assert name is not None
    return name
