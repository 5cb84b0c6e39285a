"""el.yml as frozen values, every default in one place; an unknown key is an error that names its line.

Guarantees: a `Config` that was loaded is complete and well formed. Whether its tables exist is the plan's matter.
"""

from __future__ import annotations

import os
import re
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from el.config.pace import Pause
from el.config.table_pattern import TablePattern
from el.config.yaml_file import Written, YamlFile, read_yaml
from el.connectors.request import Op
from el.errors import ConfigError


def _duration(value: Any) -> Any:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)\s*([smhd])", value.strip())):
        return timedelta(**{units[found[2]]: int(found[1])})
    if isinstance(value, timedelta):
        return value
    raise ValueError("a duration is a number and one of s, m, h, d, such as 30m")


Duration = Annotated[timedelta, BeforeValidator(_duration)]


def _lag(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(_WHOLE, value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return _duration(value)


Lag = Annotated[int | timedelta, BeforeValidator(_lag)]


def _template(value: Any) -> Any:
    try:
        made = value.format(source="s", schema="s") if isinstance(value, str) else value
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(f"{value!r}: {{source}} and {{schema}} are all that can stand in braces") from None
    if made == "":
        raise ValueError("a schema needs a name")
    return value


Template = Annotated[str, BeforeValidator(_template)]


_WHOLE = r"0|-?[1-9]\d*"
_NUMBER = rf"({_WHOLE})(\.\d+)?"
_YES_NO = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Strict(BaseModel):
    """Frozen; a key that is not known is an error, and so is a value that could be read two ways, such as 010."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Written):
            return value
        text, wanted = str(value), _wanted(cls, info.field_name or "")
        if bool in wanted:
            if text.lower() not in _YES_NO:
                raise ValueError(f"{text!r} is neither true nor false")
            return _YES_NO[text.lower()]
        if wanted & {int, float} and str not in wanted and timedelta not in wanted:
            if not re.fullmatch(_NUMBER if float in wanted else _WHOLE, text):
                raise ValueError(f"{text!r} is not a number in plain digits, such as 20")
            return float(text) if float in wanted else int(text)
        return text


@cache
def _wanted(model: type[BaseModel], field: str) -> frozenset[Any]:
    """The types that a setting can have; of a literal, those of its values."""
    annotation = model.model_fields[field].annotation
    parts = get_args(annotation) or (annotation,)
    return frozenset(part if isinstance(part, type) else type(part) for part in parts)


# What a user who knows better lets a table do, and what it means: without the word, the plan refuses such a table.
ACCEPTED = {
    "encrypted": "columns under Always Encrypted land as ciphertext",
    "filtered_rows": "of a table without key, rows that leave the `filters` stay in raw",
    "gone": "a table that raw holds is no longer seen at the source; raw keeps what it has",
    "keys_by_bytes": "text in a key compares by its bytes, but for blanks at the end, whatever its collation says",
    "masked": "columns under dynamic data masking land as the login sees them, masked",
    "partition_switch": "rows that ALTER TABLE ... SWITCH moves in or out are not seen",
    "read_committed": "read under locking READ COMMITTED, where a row that moves may be missed or come twice",
    "row_security": "rows that a security policy hides from the login are not taken, or count as deleted",
    "secondary": "a strategy that a readable secondary may not answer exactly is used there",
    "text_cursor": "a cursor of text, ordered by the column's collation",
}


def _accepted(value: Any) -> Any:
    words = [value] if isinstance(value, str) else value
    for word in words if isinstance(words, list | tuple) else ():
        if word not in ACCEPTED:
            raise ValueError(f"{word!r} is nothing that can be accepted; known are: {', '.join(ACCEPTED)}")
    return words


Accepted = Annotated[tuple[str, ...], BeforeValidator(_accepted)]


class StrategyName(StrEnum):
    """How a table's changes are found; `auto` picks the strongest that the table allows."""

    AUTO = "auto"
    FULL = "full"
    CURSOR = "cursor"
    ROWVERSION = "rowversion"
    CHANGE_TRACKING = "change_tracking"
    CDC = "cdc"


class RawSettings(Strict):
    """The raw schema. `schema`: its name, from {source} and {schema}. `naming`: snake_case, or names preserved.

    keep: how long loads that a later snapshot supersedes stay, until `purge` removes them; without it, for ever.
    """

    schema_: Template = Field(default="{source}_{schema}", alias="schema")
    naming: Literal["snake_case", "preserve"] = "snake_case"
    keep: Duration | None = None


class Defaults(Strict):
    """What holds for every table that does not say otherwise.

    workers: reads at once, each on its own connection. batch_rows, batch_mb: bounds of one record batch in memory.
    file_mb: size at which a landing file is closed; by default what the warehouse loads best.
    types: exact, or lossy where the type table offers it. partition_rows: rows that one partition aims at.
    retries: how often a retryable failure of a slice is tried again. contract: whether raw follows a source whose
    columns change, as far as nothing is lost by it (evolve), or such a table stops (freeze). lock_lease: how
    long a run on another machine may be silent before its lock on the warehouse counts as left behind.
    consistent: run, all tables are read in one SNAPSHOT transaction, one after the other
    anyway; table, each at its own moment.
    """

    strategy: StrategyName = StrategyName.AUTO
    workers: int = Field(default=4, ge=1, le=64)
    batch_rows: int = Field(default=65_536, ge=1)
    batch_mb: int = Field(default=64, ge=1)
    file_mb: int | None = Field(default=None, ge=1)
    types: Literal["exact", "lossy"] = "exact"
    trim: bool = False
    partition_rows: int = Field(default=5_000_000, ge=1)
    retries: int = Field(default=3, ge=0, le=20)
    lock_lease: Duration = timedelta(minutes=10)
    consistent: Literal["table", "run"] | None = None
    contract: Literal["evolve", "freeze"] = "evolve"


class ColumnSettings(Strict):
    """One column: left out, masked, cast by an expression of the source's SQL, renamed, trimmed, or lossy.

    mask: null makes every value NULL; none takes away a mask that an earlier entry gave.
    """

    exclude: bool = False
    mask: Literal["sha256", "null", "none"] | None = None
    cast: str | None = None
    rename: str | None = None
    lossy: bool = False
    trim: bool = False

    @field_validator("mask", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("name a mask: sha256, null, or none to take one away")
        return value


class FilterSettings(Strict):
    """A typed condition on one column: the value is bound as a parameter of the column's own type."""

    column: str
    op: Op
    value: str | int | float | date | datetime | None = None

    @model_validator(mode="after")
    def _value_fits(self) -> FilterSettings:
        unary = self.op in (Op.IS_NULL, Op.NOT_NULL)
        if unary != (self.value is None):
            raise ValueError(f"`op: {self.op}` {'takes no value' if unary else 'needs a value'}")
        return self

    @property
    def text(self) -> str:
        """The value in canonical text."""
        return self.value.isoformat() if isinstance(self.value, date) else str(self.value)


class DeleteSettings(Strict):
    """How rows that are gone from the source are found where the strategy does not show them.

    by: keys, the key set alone is read and compared with what raw holds. every: how often at most. max_percent: if more
    of raw's rows are gone than this, the table stops until `run --confirm-deletes` names it.
    """

    by: Literal["keys"] = "keys"
    every: Duration = timedelta(days=1)
    max_percent: float = Field(default=20, ge=0, le=100)


class ModelKind(StrEnum):
    """A kind of table that codegen makes of a raw table.

    current: one row a key, as the source has it now. snapshot: the last full snapshot, for tables without a key.
    history: one row for each version of a key (slowly changing dimension of type 2). log: every landed row.
    """

    CURRENT = "current"
    SNAPSHOT = "snapshot"
    HISTORY = "history"
    LOG = "log"


class ModelSettings(Strict):
    """What codegen makes of a table: `current`, or [current, log], or {kind: current, deleted: flag, schema: core}.

    kind: by default current where there is a key, else snapshot where the strategy is full, else log. deleted: rows
    that are deleted at the source are deleted (apply), or kept and marked (flag). schema: the target schema, by
    default as `dbt.schema` says. cluster_by: Snowflake's cluster keys; by default none.
    """

    kind: tuple[ModelKind, ...] = ()
    deleted: Literal["apply", "flag"] = "apply"
    schema_: str | None = Field(default=None, alias="schema")
    cluster_by: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("kind"), str):
            value = {**value, "kind": [value["kind"]]}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> ModelSettings:
        if len(set(self.kind)) != len(self.kind):
            raise ValueError("a kind is named twice")
        if {ModelKind.CURRENT, ModelKind.SNAPSHOT} <= set(self.kind):
            raise ValueError("current and snapshot are two ways to the same table: name one of them")
        return self


class TableSettings(Strict):
    """One entry of `tables`: a glob over "schema.table", or a stream of the user's own with `query` and `key`.

    cursor: the growing column. lag: how far behind the last value a cursor window begins, for late commits.
    inclusive: whether rows at the last value are read again, for more of them may come; so for dates and whole seconds.
    filters: conditions that limit what is taken. deletes: `keys`, or {by: keys, every: 1d, max_percent: 20}.
    images: whether cdc brings the row before an update too (`_el_op` B). partition_by: a whole-number column by
    whose ranges a snapshot is divided. skip_unchanged: a full snapshot whose content is what raw holds already is not
    loaded again. isolation: read_committed, or snapshot where the plan would choose the other. model: the tables that
    codegen makes of it. accept: words of `ACCEPTED`, for what the plan would
    refuse otherwise.
    """

    name: str
    query: str | None = None
    query_file: str | None = None
    strategy: StrategyName | None = None
    key: tuple[str, ...] | None = None
    cursor: str | None = None
    lag: Lag | None = None
    inclusive: bool | None = None
    filters: tuple[FilterSettings, ...] = ()
    deletes: DeleteSettings | None = None
    images: Literal["after", "both"] = "after"
    partition_by: str | None = None
    partitions: int | None = Field(default=None, ge=1, le=1000)
    rename: str | None = None
    types: Literal["exact", "lossy"] | None = None
    trim: bool | None = None
    exclude: bool = False
    skip_unchanged: bool = True
    contract: Literal["evolve", "freeze"] | None = None
    accept: Accepted = ()
    isolation: Literal["snapshot", "read_committed"] | None = None
    model: ModelSettings = ModelSettings()
    columns: dict[str, ColumnSettings] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("key"), str):
            value = {**value, "key": [value["key"]]}
        if isinstance(value, dict) and isinstance(value.get("model"), str | list):
            value = {**value, "model": {"kind": value["model"]}}
        if isinstance(value, dict) and isinstance(value.get("deletes"), str):
            value = {**value, "deletes": {"by": value["deletes"]}}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> TableSettings:
        if self.query and self.query_file:
            raise ValueError("give either query or query_file")
        pattern = self.pattern
        if self.is_query and pattern.plain is None:
            raise ValueError("a query stream needs a plain name")
        return self

    @property
    def is_query(self) -> bool:
        """Whether this is a stream of the user's own query."""
        return bool(self.query or self.query_file)

    @property
    def protects(self) -> bool:
        """Whether it keeps something from being taken as it is."""
        return self.exclude or any(chosen.exclude or chosen.mask for chosen in self.columns.values())

    @property
    def pattern(self) -> TablePattern:
        """The tables that this entry names."""
        return TablePattern.parse(self.name)


class DbtSettings(Strict):
    """What codegen writes into the dbt project.

    schema: the target schema of a source schema, from {source} and {schema}. warn_after, error_after: how old the last
    load may be. owner: of the groups, one for each target schema.
    loads_taken: where dbt notes which loads its models took, as database.schema.table; or none.
    """

    schema_: Template = Field(default="{schema}", alias="schema")
    loads_taken: str | None = None
    warn_after: Duration = timedelta(days=7)
    error_after: Duration | None = None
    owner: str = "data team"


class LimitSettings(Strict):
    """The largest value that the warehouse takes, in MB of 1,048,576 bytes: what is longer is refused with its key.

    By default what the warehouse takes by itself: 16 of text and 8 of binary on Snowflake, all on DuckDB. Larger ones
    are for an account that has them; raw's columns are then declared as long.
    """

    text_mb: int | None = Field(default=None, ge=1, le=128)
    binary_mb: int | None = Field(default=None, ge=1, le=64)


class SourceLimits(Strict):
    """How gently the source is read.

    connections: reads at once, whatever `workers` says. rows_per_second: of all reads together. pause: "08:00-18:00",
    hours by this machine's clock in which no read begins. version_store_mb: if SQL Server's version store is larger, no
    read begins, and one that is at work stops, for a long SNAPSHOT read lets it grow. blocked_seconds: a read stops,
    and is tried again, where another session has waited so long for it; 0 is never. snapshot_minutes: after so long the
    tables that `consistent: run` has not read yet come from a SNAPSHOT transaction of their own.
    """

    connections: int | None = Field(default=None, ge=1)
    rows_per_second: int | None = Field(default=None, ge=1)
    pause: Pause | None = None
    version_store_mb: int | None = Field(default=None, ge=1)
    blocked_seconds: int = Field(default=30, ge=0)
    snapshot_minutes: int = Field(default=60, ge=1)

    @field_validator("pause", mode="before")
    @classmethod
    def _as_pause(cls, value: Any) -> Any:
        if isinstance(value, str):
            return Pause.parse(value)
        raise ValueError('a pause is written "08:00-18:00"')


class Config(Strict):
    """el.yml. `source` and `destination` name profiles of profiles.yml, `target` the output of both."""

    version: Literal[1]
    source: str
    destination: str
    target: str | None = None
    raw: RawSettings = RawSettings()
    defaults: Defaults = Defaults()
    limits: LimitSettings = LimitSettings()
    source_limits: SourceLimits = SourceLimits()
    dbt: DbtSettings = DbtSettings()
    tables: tuple[TableSettings, ...] = Field(min_length=1)
    path: Path = Field(default=Path("el.yml"), exclude=True)

    def line_of(self, index: int) -> int:
        """The line in el.yml at which entry `index` of `tables` begins."""
        return _read(self.path).line(("tables", index))


def load_config(path: Path) -> Config:
    """Read el.yml. Raises `ConfigError`: "el.yml line 7: tables[1].stratgy: unknown key; did you mean strategy?"."""
    try:
        file = _read(path)
    except OSError:
        raise ConfigError(f"{path} is not there; `python -m el.run --config FILE` names another one") from None
    if "path" in file.content:
        raise ConfigError(f"{path} line {file.line(('path',))}: path: unknown key")
    try:
        config = Config.model_validate({**file.content, "path": path})
    except ValidationError as error:
        raise ConfigError(_explain(file, error)) from None
    target = os.environ.get("EL_TARGET")
    return config.model_copy(update={"target": target}) if target else config


def _read(path: Path) -> YamlFile:
    return read_yaml(path, null_is_a_text=frozenset({"mask"}))


def _explain(file: YamlFile, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = tuple(part for part in first["loc"] if not str(part).startswith(("function-", "constrained-")))
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "unknown key" + _FORMER.get(place, _suggestion(str(place[-1]), place))
    elif first["type"] == "missing":
        message = "this key is required"
        place = place[:-1]
    return f"{file.path} line {file.line(place)}: {shown}: {message}"


_FORMER: dict[tuple[Any, ...], str] = {
    ("dbt", "large_rows"): "; no table is clustered by its size any more: where one gains by it, say so in its entry "
    "of tables, `model: {cluster_by: [column]}`"
}
"""What earlier versions had, and what is there instead."""


def _suggestion(key: str, place: tuple[Any, ...]) -> str:
    from difflib import get_close_matches

    models: dict[str, type[BaseModel]] = {
        "raw": RawSettings,
        "defaults": Defaults,
        "limits": LimitSettings,
        "source_limits": SourceLimits,
        "dbt": DbtSettings,
        "tables": TableSettings,
    }
    model = ColumnSettings if "columns" in place[:-1] else models.get(str(place[0]), Config)
    known = [field.alias or name for name, field in model.model_fields.items() if name != "path"]
    close = get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are: {', '.join(known)}"
