"""dbt's notes of the loads that models took (`el_loads_taken`): purge reads them, and deletes those of what is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Set

from sqlglot import exp

from el.config.job import Job
from el.connectors.sql.select import Statement
from el.errors import ConfigError, ElError
from el.loading.warehouse import Warehouse

TAKEN_TABLE = "el_loads_taken"
_AT_ONCE = 5_000
"""Loads in one statement: Snowflake takes at most 16,384 values in a list."""


class Notes:
    """By the table that el.yml names, else by all that this login sees, over an open connection.

    A login sees only what it may access: seeing no notes does not mean that there are no models. Raises `ConfigError`.

    taken: model -> the loads that it took; also of a model that has taken none yet.
    """

    def __init__(self, warehouse: Warehouse, job: Job) -> None:
        self._warehouse = warehouse
        self._places = _places(warehouse, job)
        self.taken: dict[str, set[str]] = defaultdict(set)
        columns = ", ".join(warehouse.column(column) for column in ("model", "load_id", "state"))
        for place in self._places:
            for model, load, state in warehouse.connector.fetch(Statement(f"SELECT {columns} FROM {place}")):
                if state in ("announced", "taken"):  # the others are of how a table was made, and of tests
                    self.taken[str(model)] |= {str(load)} if state == "taken" else set()

    def forget(self, loads: Set[str], say: Callable[[str], None]) -> None:
        """Delete what is noted of these loads, of which nothing is left in raw. What may not be deleted stays.

        A model of which nothing else is noted keeps it: without any note purge would not know that it is there.
        """
        mine = [model for model, taken in self.taken.items() if not taken - loads]
        model, load, state = (self._warehouse.column(column) for column in ("model", "load_id", "state"))
        kept = f" AND {model} NOT IN ({', '.join('?' for _ in mine)})" if mine else ""
        for place in self._places:
            for at in range(0, len(loads), _AT_ONCE):
                some = sorted(loads)[at : at + _AT_ONCE]
                marks = ", ".join("?" for _ in some)
                sql = f"DELETE FROM {place} WHERE {load} IN ({marks}) AND {state} IN ('announced', 'taken'){kept}"
                try:
                    self._warehouse.connector.execute(Statement(sql, (*some, *mine)))
                except ElError as error:
                    say(f"{place} keeps its notes of loads that are gone ({error}): grant this login DELETE there")
                    break


def _places(warehouse: Warehouse, job: Job) -> list[str]:
    named = job.config.dbt.loads_taken
    if named == "none":
        return []
    dialect = warehouse.connector.dialect
    if named is not None:
        return [exp.to_table(named, dialect=dialect.name).sql(dialect.name)]
    name = warehouse.fold(TAKEN_TABLE)
    sql = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_name IN (?, ?)"
    rows = warehouse.connector.fetch(Statement(sql, (name, TAKEN_TABLE)))
    if places := [f"{dialect.quote(str(schema))}.{dialect.quote(str(table))}" for schema, table in rows]:
        return places
    raise ConfigError(
        f"{job.config.path}: this login sees no {TAKEN_TABLE}, where dbt notes which loads its models took: grant "
        f"it USAGE of the schema and SELECT, and set `dbt: {{loads_taken: database.schema.{TAKEN_TABLE}}}`; or set "
        "`dbt: {loads_taken: none}` if nothing is made of raw that could still need what purge removes"
    )
