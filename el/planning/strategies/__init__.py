"""The strategies, strongest first, and how `auto` picks one."""

from __future__ import annotations

from el.config.tables import StrategyName
from el.connectors.base import Source
from el.errors import PlanError
from el.planning.strategies.base import Strategy, Subject
from el.planning.strategies.cdc import Cdc
from el.planning.strategies.change_tracking import ChangeTracking
from el.planning.strategies.cursor import Cursor
from el.planning.strategies.full import Full
from el.planning.strategies.rowversion import Rowversion

__all__ = ["STRATEGIES", "Strategy", "Subject", "choose"]

STRATEGIES: tuple[Strategy, ...] = (ChangeTracking(), Rowversion(), Cursor(), Full(), Cdc())


def choose(wanted: StrategyName, subject: Subject, source: Source) -> tuple[Strategy, str]:
    """The strategy and why. `auto`: the strongest without an obstacle; a named one that cannot be is a `PlanError`."""
    passed: list[str] = []
    for strategy in STRATEGIES:
        if wanted is StrategyName.AUTO and strategy.only_if_named:
            continue
        if wanted not in (StrategyName.AUTO, strategy.name):
            continue
        asked = wanted is not StrategyName.AUTO
        if not asked and strategy.doubt(subject) is not None:
            continue
        obstacle = strategy.obstacle(subject, source)
        if obstacle is None:
            return strategy, "; ".join(["asked for in el.yml" if asked else strategy.reason(subject), *passed])
        if strategy.at_hand(subject):
            passed.append(f"not {strategy.name}: {obstacle}")
        # A column that el.yml names, and that does not serve, is no reason to read the whole table each time.
        if asked or (strategy.name is StrategyName.CURSOR and subject.column_type(subject.settings.cursor or "")):
            raise PlanError(f"{subject.table.name}: strategy {strategy.name}: {obstacle}")
    raise AssertionError("full has no obstacle")
