"""The type rules of a source, found by the name of its connector."""

from __future__ import annotations

from el.connectors.base import Source
from el.connectors.registry import connector_class
from el.errors import PlanError
from el.types import mapping
from el.types.rule import TypeRule, decide
from el.types.source_type import SourceType


def type_rules(scheme: str) -> tuple[TypeRule, ...]:
    """The rows for sources of `scheme`. Raises `PlanError` where its connector brings none."""
    found = connector_class(scheme)
    rules = found.rules if issubclass(found, Source) else ()
    if not rules:
        raise PlanError(f"{scheme} cannot be a source: its connector brings no type rules")
    return rules


def find_rule(scheme: str, type_: SourceType) -> TypeRule | None:
    """The row that decides for `type_`, as `el.types.rule.decide`."""
    return decide(type_rules(scheme), type_)


def map_type(scheme: str, type: SourceType, *, lossy: bool = False, trim: bool = False) -> mapping.TypeMapping:
    """How a column of `type` travels from a source of `scheme`, as `el.types.mapping.map_type`."""
    casts = hasattr(connector_class(scheme), "dialect")
    return mapping.map_type(type_rules(scheme), type, lossy=lossy, trim=trim, casts=casts)


def render_markdown(scheme: str) -> str:
    """The rules of `scheme` as the documentation's table of types."""
    return mapping.render_markdown(type_rules(scheme))
