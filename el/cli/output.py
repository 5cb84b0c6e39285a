"""Output that nobody may read to its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_far_as_read() -> Iterator[None]:
    """Print within it: where the reader has gone, as `head` does, the rest is dropped, and what was done stays done."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
