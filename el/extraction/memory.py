"""How the process of a run takes memory, so that it gives back what it needs no more.

Read for the whole process when libraries are loaded: called before they are. What the user's environment says wins.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

# Settings of glibc's mallopt: threads share two heaps, and not eight a processor, each with what it keeps; a large
# buffer is given back when it is freed, and so is what is free at a heap's end.
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_SETTINGS = {_ARENA_MAX: 2, _MMAP_THRESHOLD: 1024 * 1024, _TRIM_THRESHOLD: 8 * 1024 * 1024}


def take_little_memory() -> None:
    """Arrow's own allocator keeps of each thread that wrote a file what loading then needs: 100 MB and more."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if any(name.startswith("MALLOC_") for name in os.environ):
        return
    # Another C library has no such function, and no such heaps.
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for setting, value in _SETTINGS.items():
            mallopt(setting, value)
