"""`write`: a file of predictions, or of anything, into a table, by the same `write_buffer` that Python has."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from el.cli.arguments import profiles_dir
from el.errors import ConfigError

if TYPE_CHECKING:
    from el.cli.arguments import Commands
    from el.connectors.base import Connector

# Those of `WriteMode`, which costs an import that help does not need.
MODES = ("append", "merge", "replace")


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "write", parents=[common], help="write a file into a table: all rows or none, and the same file once"
    )
    command.add_argument("table", metavar="TABLE", help="where to: schema.table")
    command.add_argument("file", metavar="FILE", type=Path, help="what: FILE.parquet, or FILE.csv with names in line 1")
    command.add_argument("--mode", choices=MODES, default="append", help="default: append")
    command.add_argument("--key", nargs="+", default=(), metavar="COLUMN", help="merge: what identifies a row")
    command.add_argument(
        "--run-id", metavar="ID", help="the same one twice changes nothing (default: of the file's content)"
    )
    command.add_argument("--create", action="store_true", help="make the table where it is not there")
    command.add_argument("--profile", metavar="NAME", help="the database's profile (default: el.yml's destination)")
    command.add_argument("--target", metavar="NAME", help="the profile's output (default: its own, or EL_TARGET)")
    command.add_argument("--config", default="el.yml", metavar="FILE", help="default: el.yml")
    command.add_argument("--profiles-dir", metavar="DIR", help="where profiles.yml is (default: as dbt: here, ~/.dbt)")
    command.set_defaults(command=_write)


def _write(arguments: argparse.Namespace) -> int:
    from el.connectors.base import Target, WriteMode
    from el.connectors.catalog import TableName
    from el.write_file import opened, run_id_of

    schema, dot, name = arguments.table.partition(".")
    if not (schema and dot and name):
        raise ConfigError(f"{arguments.table!r} is no table: write it as schema.table")
    table, mode, key = TableName(schema, name), WriteMode(arguments.mode), tuple(arguments.key)
    if (mode is WriteMode.MERGE) != bool(key):
        raise ConfigError("--mode merge needs --key COLUMN" if not key else "--key is of --mode merge")
    run_id = arguments.run_id or run_id_of(arguments.file, table, mode, key)
    with _connector(arguments) as connector:
        if not isinstance(connector, Target):
            raise ConfigError(f"{arguments.profile}: its connector does not write")
        with opened(arguments.file, connector, table) as data:
            done = connector.write_buffer(table, data, mode, key=key, run_id=run_id, create=arguments.create)
    if done.already_done:
        print(f"{table}: run {run_id} was written before; nothing was changed")
    else:
        print(f"{table}: {done.rows:,} rows written ({mode}), run {run_id}")
    return 0


def _connector(arguments: argparse.Namespace) -> Connector:
    from el.config.profiles import find_profiles, load_output
    from el.config.settings import load_config
    from el.connectors.registry import open_connector

    profile, target = arguments.profile, arguments.target
    if profile is None:
        config = load_config(Path(arguments.config))
        profile, target = config.destination, target or config.target
    output = load_output(find_profiles(profiles_dir(arguments)), profile, target)
    return open_connector(output.settings, str(output))
