"""Loggers of vendors' libraries that log secrets, to whoever has logging at its finest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def unheard(*names: str) -> Iterator[None]:
    """Within it these log nothing."""

    def nothing(record: logging.LogRecord) -> bool:
        return False

    with ExitStack() as after:
        for name in names:
            logger = logging.getLogger(name)
            logger.addFilter(nothing)
            after.callback(logger.removeFilter, nothing)
        yield
