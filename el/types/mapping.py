"""The type table applied: how a column of a source type travels, so that no value changes silently.

Guarantees: a type has one row for its declared digits; the default is exact over the type's whole range; what
loses something travels so only when it is asked for, and says what it loses; a type without a row is refused.
The rows are data that each connector brings (`Source.rules`); docs/types.md is rendered from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from el.errors import PlanError
from el.types.rule import TypeRule, Way, decide, facts_of
from el.types.source_type import SourceType
from el.types.times import TimeParts


@dataclass(frozen=True, slots=True)
class TypeMapping:
    """How the values of one column travel: how they are read, how they land, what staging makes of them."""

    read_as: str | None  # source SQL with "{column}"; None reads the column untouched
    # What stands in the landing parquet. A driver's other type is cast to it safely: what does not fit is an error.
    arrow: pa.DataType
    snowflake: str  # the raw column's type in Snowflake
    duckdb: str  # the raw column's type in DuckDB
    loses: str | None  # what is lost on the way, in words; None: every value arrives as it was
    why: str  # the reason, and the limits, in words
    target_snowflake: str  # what staging casts to in Snowflake
    target_duckdb: str  # what staging casts to in DuckDB
    exact_bytes: str | None = None  # see `TypeRule.exact_bytes`
    parts: TimeParts | None = None  # see `Way.parts`; with the digits that the column has

    @property
    def stands_for(self) -> str:
        """What `_el_columns` notes that a raw column stands for, in every warehouse: staging's type in Snowflake."""
        return self.target_snowflake

    @property
    def exact(self) -> bool:
        """Whether every value of the type arrives as it was."""
        return self.loses is None

    def over(self, expression: str) -> TypeMapping:
        """The same for an expression of the source's SQL in the column's place."""

        def put(sql: str | None) -> str | None:
            return sql.replace("{column}", expression) if sql else None

        parts = self.parts.over(expression) if self.parts else None
        return replace(self, read_as=put(self.read_as) or expression, exact_bytes=put(self.exact_bytes), parts=parts)


def map_type(
    rules: Sequence[TypeRule], type: SourceType, *, lossy: bool = False, trim: bool = False, casts: bool = True
) -> TypeMapping:
    """How a column of `type` travels from a source of these rules.

    lossy: take the shorter way where the row has one. trim: leave out trailing blanks where the type pads with them.
    casts: the source has a language to cast a column in. Raises `PlanError` for a type without a row, and without
    `lossy` for a type without an exact way. The message names the type and the ways out; the caller adds table and
    column.
    """
    ways_out = "give the column a cast to a type that el knows, or exclude it" if casts else "exclude the column"
    rule = decide(rules, type)
    if rule is None:
        raise PlanError(f"type {_shown(type)} cannot be carried: {ways_out}")
    way = rule.exact
    if lossy and rule.lossy is not None:
        way = rule.lossy
    if trim and rule.trimmed is not None:
        way = rule.trimmed
    if way is None:
        lost = f", or ask for lossy, which loses {rule.lossy.loses}" if rule.lossy else ""
        raise PlanError(f"type {_shown(type)} cannot be carried exactly: {rule.why} Ways out: {ways_out}{lost}")
    return _mapping(rule, way, type)


def render_markdown(rules: Sequence[TypeRule]) -> str:
    """The rules as a table for docs/types.md; the same text every time."""
    lines = [
        "| Type | Read as | Arrow | Snowflake | DuckDB | Exact | On request | Why, and limits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines.extend(f"| {' | '.join(_cells(rule))} |" for rule in rules)
    return "\n".join(lines) + "\n"


def _cells(rule: TypeRule) -> tuple[str, ...]:
    way = rule.exact or rule.lossy
    assert way is not None
    requests = [f"lossy: loses {rule.lossy.loses}" if rule.lossy else "", "trim: RTRIM" if rule.trimmed else ""]
    return (
        rule.shown,
        _shown_read(way),
        "decimal128(p, s)" if callable(way.arrow) else str(way.arrow),
        _landing_to_target(way.snowflake, way.target_snowflake),
        _landing_to_target(way.duckdb, way.target_duckdb),
        "exact" if rule.exact else "refused unless lossy",
        "; ".join(request for request in requests if request),
        rule.why.replace("|", "\\|"),
    )


def _shown_read(way: Way) -> str:
    shown = _shown_expression(way.read_as)
    if way.parts is None:
        return shown
    beside = [way.parts.seventh, *([way.parts.offset] if way.parts.offset else [])]
    return ", ".join([shown, *(f"`{sql}`" for sql in beside)])


def _shown_expression(read_as: str | None) -> str:
    if read_as is None:
        return "the column untouched"
    return f"`{read_as}`" if len(read_as) <= 120 else "an expression for each base type"


def _landing_to_target(landing: str, target: str | None) -> str:
    shown = landing if target in (None, landing) else f"{landing}, then {target}"
    return shown.replace("{precision}", "p").replace("{scale}", "s")


def _shown(type_: SourceType) -> str:
    return f"{type_.alias} ({type_})" if type_.alias else str(type_)


def _mapping(rule: TypeRule, way: Way, type_: SourceType) -> TypeMapping:
    facts = facts_of((rule,), type_)
    type_ = replace(type_, precision=facts.precision, scale=facts.scale)

    def fill(template: str) -> str:
        for key, value in (("length", type_.length), ("precision", type_.precision), ("scale", type_.scale)):
            template = template.replace(f"{{{key}}}", str(value))
        return template

    snowflake, duckdb_ = fill(way.snowflake), fill(way.duckdb)
    return TypeMapping(
        read_as=way.read_as,
        arrow=way.arrow if isinstance(way.arrow, pa.DataType) else way.arrow(type_),
        snowflake=snowflake,
        duckdb=duckdb_,
        loses=way.loses,
        why=rule.why,
        target_snowflake=fill(way.target_snowflake) if way.target_snowflake else snowflake,
        target_duckdb=fill(way.target_duckdb) if way.target_duckdb else duckdb_,
        exact_bytes=rule.exact_bytes,
        parts=replace(way.parts, digits=type_.scale) if way.parts and type_.scale is not None else way.parts,
    )
