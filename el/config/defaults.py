"""What el.yml says of all tables: raw, defaults, the warehouse's limits, the dbt project."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from el.config.strict import Duration, Strict, Template
from el.config.tables import StrategyName


class RawSettings(Strict):
    """The raw schema."""

    schema_: Template = Field(default="{source}_{schema}", alias="schema")  # its name, from {source} and {schema}
    naming: Literal["snake_case", "preserve"] = "snake_case"
    # How long loads that a later snapshot supersedes stay, until `purge` removes them; without it, for ever.
    keep: Duration | None = None


class Defaults(Strict):
    """What holds for every table that does not say otherwise."""

    strategy: StrategyName = StrategyName.AUTO
    workers: int = Field(default=4, ge=1, le=64)  # reads at once, each on its own connection
    # Bounds of one record batch in memory.
    batch_rows: int = Field(default=65_536, ge=1)
    batch_mb: int = Field(default=64, ge=1)
    # The size at which a landing file is closed; by default what the warehouse loads best.
    file_mb: int | None = Field(default=None, ge=1)
    types: Literal["exact", "lossy"] = "exact"  # lossy: where the type table offers it
    trim: bool = False
    partition_rows: int = Field(default=5_000_000, ge=1)  # what one partition aims at
    retries: int = Field(default=3, ge=0, le=20)  # how often a retryable failure of a slice is tried again
    # How long a run on another machine may be silent before its lock on the warehouse counts as left behind.
    lock_lease: Duration = timedelta(minutes=10)
    # run: all tables are read in one SNAPSHOT transaction, one after the other anyway; table: each at its own moment.
    consistent: Literal["table", "run"] | None = None
    # Whether raw follows a source whose columns change, as far as nothing is lost by it, or such a table stops.
    contract: Literal["evolve", "freeze"] = "evolve"


class LimitSettings(Strict):
    """The largest value that the warehouse takes, in MB of 1,048,576 bytes: what is longer is refused with its key.

    By default what the warehouse takes by itself: 16 of text and 8 of binary on Snowflake, all on DuckDB. Larger ones
    are for an account that has them; raw's columns are then declared as long.
    """

    text_mb: int | None = Field(default=None, ge=1, le=128)
    binary_mb: int | None = Field(default=None, ge=1, le=64)


class DbtSettings(Strict):
    """What codegen writes into the dbt project."""

    # The target schema of a source schema, from {source} and {schema}.
    schema_: Template = Field(default="{schema}", alias="schema")
    loads_taken: str | None = None  # where dbt notes which loads its models took: database.schema.table, or none
    # How old the last load may be.
    warn_after: Duration = timedelta(days=7)
    error_after: Duration | None = None
    # What readers of staging get of a column that el.yml calls personal: nothing; or Snowflake's, under a policy.
    pii: Literal["exclude", "policy"] = "exclude"
    owner: str = "data team"  # of the groups, one for each target schema
