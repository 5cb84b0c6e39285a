"""The strategies, strongest first, and how `auto` picks one."""

from __future__ import annotations

from el.config.tables import StrategyName
from el.connectors.base import ChangeSource, Source, VersionSource
from el.connectors.registry import connector_class
from el.errors import PlanError
from el.planning.strategies.base import Strategy, TableContext
from el.planning.strategies.changes import followed_by
from el.planning.strategies.cursor import Cursor
from el.planning.strategies.full import Full
from el.planning.strategies.rowversion import Rowversion

__all__ = ["Strategy", "TableContext", "bound_form", "choose"]

_BY_COLUMNS: tuple[Strategy, ...] = (Rowversion(), Cursor(), Full())


def choose(wanted: StrategyName, context: TableContext, source: Source) -> tuple[Strategy, str]:
    """The strategy and why. `auto`: the strongest without an obstacle; a named one that cannot be is a `PlanError`."""
    feeds = followed_by(context, source)
    if wanted is StrategyName.AUTO:
        by_itself = [feed for feed in feeds if not feed.only_if_named]
        return _strongest((*by_itself, *_BY_COLUMNS), context, source)
    called = wanted is StrategyName.CHANGES
    asked: list[Strategy] = list(feeds) if called else [each for each in (*feeds, *_BY_COLUMNS) if each.name == wanted]
    obstacles = []
    for strategy in asked:
        if (obstacle := strategy.obstacle(context, source)) is None:
            return strategy, "asked for in el.yml"
        obstacles.append(f"{strategy.name}: {obstacle}" if called else obstacle)
    why = "; ".join(obstacles) or f"{source.scheme} keeps no log of changes that could be followed so"
    raise PlanError(f"{context.table.name}: strategy {wanted}: {why}")


def _strongest(strategies: tuple[Strategy, ...], context: TableContext, source: Source) -> tuple[Strategy, str]:
    passed: list[str] = []
    for strategy in strategies:
        if strategy.doubt(context) is not None:
            continue
        obstacle = strategy.obstacle(context, source)
        if obstacle is None:
            return strategy, "; ".join([strategy.reason(context), *passed])
        if strategy.at_hand(context):
            passed.append(f"not {strategy.name}: {obstacle}")
        # A column that el.yml names, and that does not serve, is no reason to read the whole table each time.
        if strategy.name == StrategyName.CURSOR and context.column_type(context.settings.cursor or ""):
            raise PlanError(f"{context.table.name}: strategy {strategy.name}: {obstacle}")
    raise AssertionError("full has no obstacle")


def bound_form(strategy: str, scheme: str) -> str | None:
    """What a bound of this strategy looks like, as a regular expression; None where it is a column's value."""
    kept = connector_class(scheme)
    feeds = kept.feeds if issubclass(kept, ChangeSource) else ()
    forms = {feed.name: feed.form for feed in feeds}
    if issubclass(kept, VersionSource):
        forms[StrategyName.ROWVERSION] = kept.version_form
    return forms.get(strategy)
