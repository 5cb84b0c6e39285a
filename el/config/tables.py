"""`tables` of el.yml: which tables are taken, and how."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from el.config.strict import Duration, Lag, Strict
from el.config.table_pattern import TablePattern
from el.config.verify import VerifySettings
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
    """Leave the column out."""
    mask: Literal["hmac", "sha256", "null", "none"] | None = None
    """A pseudonym in the place of the value: `hmac` under the `mask_key`; `sha256` of all digits, which has no key, so
    that who guesses a value finds its row; `null`. `none` takes away a mask that an earlier entry gave.
    """
    pii: str | None = None
    """Which personal data the column holds, in a word of your own, such as `email`; `none` takes it away. Who reads
    the schema `staging` alone does not see the column.
    """
    cast: str | None = None
    """A type of the source's that the source itself casts it to, such as `decimal(18,4)`."""
    rename: str | None = None
    """The column's name in raw."""
    lossy: bool = False
    """Take the shorter way of its type, where the table of types has one; `plan` says what is lost."""
    trim: bool = False
    """Without trailing blanks."""

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
    """The column."""
    op: Op
    """How its value is compared."""
    value: str | int | float | date | datetime | None = None
    """With what; `is null` and `is not null` take none."""

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

    by: Literal["keys"] = "keys"
    """The key set alone is read, and compared with what raw holds."""
    every: Duration = timedelta(days=1)
    """How often at most."""
    max_percent: float = Field(default=20, ge=0, le=100)
    """If more of raw's rows are gone than this, the table stops until `run --confirm-deletes` names it."""


class ModelKind(StrEnum):
    """A kind of table that codegen makes of a raw table."""

    CURRENT = "current"  # one row a key, as the source has it now
    SNAPSHOT = "snapshot"  # the last full snapshot, for tables without a key
    HISTORY = "history"  # one row for each version of a key (slowly changing dimension of type 2)
    LOG = "log"  # every landed row


class ModelSettings(Strict):
    """What codegen makes of a table: `current`, or [current, log], or {kind: current, deleted: flag, schema: core}."""

    kind: tuple[ModelKind, ...] = ()
    """One of these or a list: `current`, one row a key, as the source has it now; `snapshot`, the last full snapshot;
    `history`, one row for each version of a key (slowly changing dimension of type 2); `log`, every landed row. By
    default `current` where there is a key, else `snapshot` where the strategy is `full`, else `log`.
    """
    deleted: Literal["apply", "flag"] = "apply"
    """Rows that are deleted at the source are deleted here too, or with `flag` kept and marked."""
    schema_: str | None = Field(default=None, alias="schema")
    """The target schema; by default as `dbt.schema` says."""
    cluster_by: tuple[str, ...] | None = None
    """Snowflake's cluster keys; by default none."""

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
    """Where the field is in the document: names with dots between them."""
    type: str
    """The column's type; a value that does not fit is a misfit."""


class TableSettings(Strict):
    """One entry of `tables`: a glob over "schema.table", or a stream of the user's own with `query` and `key`."""

    name: str
    """`schema.table`, or a glob such as `sales.*`; of a query the stream's own name."""
    query: str | None = None
    """A SELECT of your own, with its `key`. Each column needs a name of its own. On SQL Server no ORDER BY without TOP
    or OFFSET, no FOR XML or JSON.
    """
    query_file: str | None = None
    """The same in a file beside el.yml."""
    strategy: StrategyName | None = None
    """How changes are found; `auto` picks the strongest that the table allows. `changes` takes whichever log of
    changes the source keeps.
    """
    key: tuple[str, ...] | None = None
    """The column or columns that identify a row; by default the primary key, else a unique key."""
    cursor: str | None = None
    """The column that grows with every change."""
    lag: Lag | None = None
    """How far before the last value a cursor's window begins, for what is committed late: `5m`, or a number; 0 is not
    at all. By default 5 minutes, or 10,000 rows; of dates a day. An hour more where the source's clock is not UTC.
    With VIEW SERVER STATE the bound also stays before the oldest transaction that writes for longer. Rows that raw
    holds already are not loaded again.
    """
    inclusive: bool | None = None
    """Whether rows at the last value are read again, for more of them may come. By default yes, unless the column is
    unique.
    """
    filters: tuple[FilterSettings, ...] = ()
    """Conditions that limit what is taken; all have to hold."""
    deletes: DeleteSettings | None = None
    """`keys` finds rows that are gone by reading the keys alone, for strategies that do not show them."""
    images: Literal["after", "both"] = "after"
    """Of `cdc` and of MySQL's and PostgreSQL's logs: `both` brings the row before an update too (`_el_op` B), but for
    values of text, ntext and image.
    """
    partition_by: str | None = None
    """A column, which no update changes: a snapshot is read in ranges of it, each at its own moment unless
    `consistent: run`, or all at one where connections can share it.
    """
    partitions: int | None = Field(default=None, ge=1, le=1000)
    """In how many parts a snapshot is read; 1 keeps it whole. By default as many as `partition_rows` says."""
    rename: str | None = None
    """The table's name in raw."""
    types: Literal["exact", "lossy"] | None = None
    """`lossy`: the shorter way of a type where the table of types has one; `plan` says what is lost."""
    trim: bool | None = None
    """Take `char` without trailing blanks."""
    exclude: bool = False
    """Leave these tables out."""
    views: bool = False
    """A glob takes views too. A view's own name takes it anyway."""
    skip_unchanged: bool = True
    """Do not load a full snapshot that equals the last one."""
    contract: Literal["evolve", "freeze"] | None = None
    """`evolve`: raw follows a source whose columns change, as far as nothing is lost. `freeze`: such a table stops."""
    accept: Accepted = ()
    """Words for what the plan refuses otherwise; the refusal says which word accepts what. They are below."""
    isolation: Literal["snapshot", "read_committed"] | None = None
    """How a read is isolated; by default SNAPSHOT where it can be. `snapshot` also for a view over another database."""
    promote: dict[str, PromoteSettings] = Field(default_factory=dict)
    """Fields of the document that become columns: `{total: {path: order.total, type: "decimal(18,2)"}}`."""
    pick: dict[str, PromoteSettings] = Field(default_factory=dict)
    """The same of fields that staging alone has: nothing changes in raw, and nothing is read again."""
    misfits: Literal["null", "stop"] = "null"
    """What becomes of a value that does not fit its promoted column: with `"null"` it is NULL there, and is counted
    and told; with `stop` the table stops.
    """
    unnest: tuple[str, ...] = ()
    """Arrays of the document whose elements land in a table of their own too, `<table>_lines` for `lines`."""
    model: ModelSettings = ModelSettings()
    """The tables that `codegen` makes of it; a kind alone is enough, as in `model: history`."""
    verify: VerifySettings | None = None
    """How often `verify` compares it, and how much at a time: `{every: 1d, share: 1/16}`. Without it all, each time."""
    columns: dict[str, ColumnSettings] = Field(default_factory=dict)
    """Settings of single columns, by their names."""

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
