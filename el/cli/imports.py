"""What the process of a command imports: libraries look for others that el has no use for, and import what they find.

With neither pandas nor SQLAlchemy, which take 60 MB and half a second, a run is the same: el needs none of them
installed. Whoever imports them by name, such as a connector of another package, gets them as ever.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


@contextmanager
def importing_little(*, with_dlt: bool = False) -> Iterator[None]:
    """For what imports most of el, before there are threads. Nobody looks for garbage meanwhile: hardly any is made.
    with_dlt: it will be used."""
    gc.disable()
    try:
        with _left_out("pandas"):
            import pyarrow as pa

            pa.scalar("")  # at the first value Arrow looks for pandas, once
        if with_dlt:
            with _left_out("sqlalchemy"):
                import dlt.common.libs.sql_alchemy_compat  # noqa: F401
        yield
    finally:
        # Not `gc.freeze()`: DuckDB's module reports on standard error what is then never taken down.
        gc.enable()


class _Unneeded(MetaPathFinder):
    """Says that a module is not installed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def _left_out(name: str) -> Iterator[None]:
    """Nobody finds this module, unless it is imported already."""
    finder = _Unneeded(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
