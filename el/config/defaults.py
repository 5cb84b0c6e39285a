"""What el.yml says of all tables: raw, defaults, the warehouse's limits, the dbt project."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, field_validator

from el.config.executor import Where
from el.config.strict import Duration, Strict, Template
from el.config.tables import StrategyName
from el.config.verify import VerifySettings


class RawSettings(Strict):
    """The raw schema."""

    schema_: Template = Field(default="{source}_{schema}", alias="schema")
    """The raw schema's name, from {source} and {schema}."""
    naming: Literal["snake_case", "preserve"] = "snake_case"
    """How names are written in raw: as `snake_case`, or with `preserve` as the source spells them."""
    keep: Duration | None = None
    """How long loads stay that a later snapshot supersedes, until `purge` removes them, such as `30d`; without it, for
    ever.
    """


class Defaults(Strict):
    """What holds for every table that does not say otherwise."""

    strategy: StrategyName = StrategyName.AUTO
    """As of a table."""
    workers: int = Field(default=4, ge=1, le=64)
    """Reads at once, each on a connection of its own."""
    executor: Where = Where()
    """Where they are read: `threads` of this process, `processes:N` (N of them, each with one read), or
    `dask://HOST:PORT`, a cluster whose workers share the folder `EL_HOME`.
    """
    batch_rows: int = Field(default=65_536, ge=1)
    """Rows of one record batch in memory, at most."""
    batch_mb: int = Field(default=64, ge=1)
    """Size of one record batch in memory, at most."""
    file_mb: int | None = Field(default=None, ge=1)
    """The size on disk at which each landing file is closed; by default what the warehouse loads best."""
    types: Literal["exact", "lossy"] = "exact"
    """As of a table."""
    trim: bool = False
    """As of a table."""
    partition_rows: int = Field(default=5_000_000, ge=1)
    """Rows that one partition aims at. A larger table is read in several, where `partition_by` says so, or by itself
    where the parts are of one moment, or a log of changes brings them to one.
    """
    digest: bool | None = None
    """Whether the values of each load are compared with what was read, beside the number of its rows. By default where
    that costs little: into DuckDB; on Snowflake it adds a third to a load's processor time, and needs `true`.
    """
    retries: int = Field(default=3, ge=0, le=20)
    """How often a retryable failure of a slice is tried again."""
    lock_lease: Duration = timedelta(minutes=10)
    """After so much silence, a lock of a run on another machine counts as left behind."""
    consistent: Literal["table", "run"] | None = None
    """`table`: each table is read at its own moment. `run`: all tables are read in one SNAPSHOT transaction, one after
    the other; at once where connections can share a moment. It is open for at most
    `source_limits.snapshot_minutes`: tables that are not read by then come from another moment.
    """
    contract: Literal["evolve", "freeze"] = "evolve"
    """As of a table."""
    verify: VerifySettings | None = None
    """As of a table, setting by setting."""

    @field_validator("executor", mode="before")
    @classmethod
    def _as_executor(cls, value: Any) -> Any:
        return Where.parse(value) if isinstance(value, str) else value


class LimitSettings(Strict):
    """The largest value that the warehouse takes, in MB of 1,048,576 bytes: what is longer is refused with its key.

    By default what the warehouse takes by itself: 16 of text and 8 of binary on Snowflake, all on DuckDB. Larger ones
    are for an account that has them; raw's columns are then declared as long.
    """

    text_mb: int | None = Field(default=None, ge=1, le=128)
    """Of one text. By default 16 on Snowflake; DuckDB has no limit."""
    binary_mb: int | None = Field(default=None, ge=1, le=64)
    """Of one binary value. By default 8 on Snowflake; DuckDB has no limit."""


class DbtSettings(Strict):
    """What codegen writes into the dbt project."""

    schema_: Template = Field(default="{schema}", alias="schema")
    """The target schema of a source schema, from {source} and {schema}; never a raw schema."""
    loads_taken: str | None = None
    """Where dbt notes which loads its models took: `database.schema.el_loads_taken`, or `none` if nothing is made of
    raw. By default any `el_loads_taken` that the login sees. Where there is none, `purge` removes nothing.
    """
    warn_after: Duration = timedelta(days=7)
    """dbt warns when the last whole run is older: one that took all tables of a raw schema and failed in none."""
    error_after: Duration | None = None
    """dbt fails when the last whole run is older."""
    pii: Literal["exclude", "policy"] = "exclude"
    """What readers of staging see of a column that holds personal data: nothing, or with `policy` what Snowflake's
    masking policies show them.
    """
    owner: str = "data team"
    """The owner of the dbt groups, of which each target schema has one."""
