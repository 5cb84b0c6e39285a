"""`tables` of el.yml: which tables are taken, and how."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from el.config.strict import Duration, Lag, Strict
from el.config.table_pattern import TablePattern
from el.connectors.request import Op

# What a user who knows better lets a table do, and what it means: without the word, the plan refuses such a table.
ACCEPTED = {
    "cascades": "rows that a foreign key deletes or changes in cascade, of which a log does not tell, are not seen",
    "changed_keys": "a cast, or a lossy way, of a key's column leaves no two rows with one key",
    "encrypted": "columns under Always Encrypted land as ciphertext",
    "filtered_rows": "of a table without key, rows that leave the `filters` stay in raw",
    "gone": "a table that raw holds is no longer seen at the source; raw keeps what it has",
    "keys_by_bytes": "text in a key compares by its bytes, but for blanks at the end, whatever its collation says",
    "masked": "columns under dynamic data masking land as the login sees them, masked",
    "partition_switch": "rows that ALTER TABLE ... SWITCH moves in or out are not seen",
    "read_committed": "read where locks alone keep rows in their place: one that moves may be missed or come twice",
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
    # Whichever feed of changes the source keeps for the table; those below are feeds by name.
    CHANGES = "changes"
    CHANGE_TRACKING = "change_tracking"
    CDC = "cdc"


_KIND = re.compile(r"[a-z][a-z0-9_]*")
_NO_KINDS = ("true", "false", "yes", "no", "on", "off", "null")


def _kind(value: Any) -> Any:
    if not isinstance(value, str) or not _KIND.fullmatch(value) or value in _NO_KINDS:
        raise ValueError(
            f"{value!r} is no kind of personal data: take a word of your own, such as email, name or birth_date, "
            "or none to take one away"
        )
    return str(value)


# A kind of personal data, in a word of the user's own: the value of a tag.
Pii = Annotated[str, BeforeValidator(_kind)]


class ColumnSettings(Strict):
    """One column: left out, masked, personal, cast by an expression of the source's SQL, renamed, trimmed, or lossy."""

    exclude: bool = False
    # hmac needs `mask_key`; null makes every value NULL; none takes away a mask that an earlier entry gave.
    mask: Literal["hmac", "sha256", "null", "none"] | None = None
    pii: str | None = None  # which personal data it holds; none takes it away again
    cast: str | None = None
    rename: str | None = None
    lossy: bool = False
    trim: bool = False

    @field_validator("mask", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("name a mask: hmac, sha256, null, or none to take one away")
        return value

    @field_validator("pii", mode="before")
    @classmethod
    def _a_kind(cls, value: Any) -> Any:
        return _kind(value)


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
    """How rows that are gone from the source are found where the strategy does not show them."""

    by: Literal["keys"] = "keys"  # the key set alone is read and compared with what raw holds
    every: Duration = timedelta(days=1)  # how often at most
    # If more of raw's rows are gone than this, the table stops until `run --confirm-deletes` names it.
    max_percent: float = Field(default=20, ge=0, le=100)


class ModelKind(StrEnum):
    """A kind of table that codegen makes of a raw table."""

    CURRENT = "current"  # one row a key, as the source has it now
    SNAPSHOT = "snapshot"  # the last full snapshot, for tables without a key
    HISTORY = "history"  # one row for each version of a key (slowly changing dimension of type 2)
    LOG = "log"  # every landed row


class ModelSettings(Strict):
    """What codegen makes of a table: `current`, or [current, log], or {kind: current, deleted: flag, schema: core}."""

    # By default current where there is a key, else snapshot where the strategy is full, else log.
    kind: tuple[ModelKind, ...] = ()
    # Rows that are deleted at the source are deleted too, or kept and marked.
    deleted: Literal["apply", "flag"] = "apply"
    schema_: str | None = Field(default=None, alias="schema")  # by default as `dbt.schema` says
    cluster_by: tuple[str, ...] | None = None  # Snowflake's cluster keys; by default none

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


class PromoteSettings(Strict):
    """A field of a document that becomes a column: `{path: order.total, type: "decimal(18,2)"}`."""

    path: str
    type: str


class TableSettings(Strict):
    """One entry of `tables`: a glob over "schema.table", or a stream of the user's own with `query` and `key`."""

    name: str
    query: str | None = None
    query_file: str | None = None
    strategy: StrategyName | None = None
    key: tuple[str, ...] | None = None
    cursor: str | None = None  # the growing column
    lag: Lag | None = None  # how far behind the last value a cursor window begins, for late commits
    # Whether rows at the last value are read again, for more of them may come; so for dates and whole seconds.
    inclusive: bool | None = None
    filters: tuple[FilterSettings, ...] = ()  # conditions that limit what is taken
    deletes: DeleteSettings | None = None  # `keys`, or {by: keys, every: 1d, max_percent: 20}
    images: Literal["after", "both"] = "after"  # whether cdc brings the row before an update too (`_el_op` B)
    partition_by: str | None = None  # a whole-number column by whose ranges a snapshot is divided
    partitions: int | None = Field(default=None, ge=1, le=1000)
    rename: str | None = None
    types: Literal["exact", "lossy"] | None = None
    trim: bool | None = None
    exclude: bool = False
    views: bool = False  # a glob takes views too
    skip_unchanged: bool = True  # a full snapshot whose content is what raw holds already is not loaded again
    contract: Literal["evolve", "freeze"] | None = None
    accept: Accepted = ()  # words of `ACCEPTED`, for what the plan would refuse otherwise
    isolation: Literal["snapshot", "read_committed"] | None = None  # where the plan would choose the other
    promote: dict[str, PromoteSettings] = Field(default_factory=dict)  # fields of the document, by their columns
    # What becomes of a table with values that do not fit their promoted column: they are NULL there and counted, or
    # the table stops.
    misfits: Literal["null", "stop"] = "null"
    unnest: tuple[str, ...] = ()  # arrays of the document whose elements land in a table of their own too
    model: ModelSettings = ModelSettings()  # the tables that codegen makes of it
    columns: dict[str, ColumnSettings] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("key"), str):
            value = {**value, "key": [value["key"]]}
        if isinstance(value, dict) and isinstance(value.get("unnest"), str):
            value = {**value, "unnest": [value["unnest"]]}
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
        return self.exclude or any(chosen.exclude or chosen.mask or chosen.pii for chosen in self.columns.values())

    @property
    def pattern(self) -> TablePattern:
        """The tables that this entry names."""
        return TablePattern.parse(self.name)
