"""THE type table: for every source type, how a column of it travels so that no value changes silently.

Guarantees: a type has one row for its declared digits; the default is exact over the type's whole range; what
loses something travels so only when it is asked for, and says what it loses; a type without a row is refused.
The rows are data that each connector brings (`Source.rules`); README's table is rendered from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from el.errors import PlanError
from el.types.rule import TypeRule, Way, decide, facts_of
from el.types.source_type import SourceType
from el.types.times import Clock


@dataclass(frozen=True, slots=True)
class Carried:
    """How one column travels.

    read_as: source SQL expression with "{column}"; None reads the column untouched.
    arrow: what stands in the landing parquet. Where the driver gives another type, extraction casts to this one
        safely, so that a value that does not fit is an error.
    snowflake, duckdb: the landing column's type. target_snowflake, target_duckdb: the type that staging casts to.
    exact: every value of the type arrives as it was. loses: what is lost where it is not, in words.
    exact_bytes: see `TypeRule.exact_bytes`. clock: see `Way.clock`; with the digits that the column has.
    """

    read_as: str | None
    arrow: pa.DataType
    snowflake: str
    duckdb: str
    exact: bool
    loses: str | None
    why: str
    target_snowflake: str
    target_duckdb: str
    exact_bytes: str | None = None
    clock: Clock | None = None

    def over(self, expression: str) -> Carried:
        """The same for an expression of the source's SQL in the column's place."""

        def put(sql: str | None) -> str | None:
            return sql.replace("{column}", expression) if sql else None

        clock = self.clock.over(expression) if self.clock else None
        return replace(self, read_as=put(self.read_as) or expression, exact_bytes=put(self.exact_bytes), clock=clock)


def carry(
    rules: Sequence[TypeRule], type: SourceType, *, lossy: bool = False, trim: bool = False, casts: bool = True
) -> Carried:
    """How a column of `type` travels from a source of these rules.

    lossy: take the shorter way where the row has one. trim: without trailing blanks where the type pads with them.
    casts: whether the source has a language to cast a column in. Raises `PlanError` for a type without a row, and for a
    type that has no exact way unless `lossy`; its message names the type and the ways out, and the caller adds table
    and column.
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
    return _carried(rule, way, type)


def render_markdown(rules: Sequence[TypeRule]) -> str:
    """The rows as README's table of types; the same text every time."""
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
    if way.clock is None:
        return shown
    beside = [way.clock.seventh, *([way.clock.offset] if way.clock.offset else [])]
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


def _carried(rule: TypeRule, way: Way, type_: SourceType) -> Carried:
    facts = facts_of((rule,), type_)
    type_ = replace(type_, precision=facts.precision, scale=facts.scale)

    def fill(template: str) -> str:
        for key, value in (("length", type_.length), ("precision", type_.precision), ("scale", type_.scale)):
            template = template.replace(f"{{{key}}}", str(value))
        return template

    snowflake, duckdb_ = fill(way.snowflake), fill(way.duckdb)
    return Carried(
        read_as=way.read_as,
        arrow=way.arrow if isinstance(way.arrow, pa.DataType) else way.arrow(type_),
        snowflake=snowflake,
        duckdb=duckdb_,
        exact=way.loses is None,
        loses=way.loses,
        why=rule.why,
        target_snowflake=fill(way.target_snowflake) if way.target_snowflake else snowflake,
        target_duckdb=fill(way.target_duckdb) if way.target_duckdb else duckdb_,
        exact_bytes=rule.exact_bytes,
        clock=replace(way.clock, digits=type_.scale) if way.clock and type_.scale is not None else way.clock,
    )
