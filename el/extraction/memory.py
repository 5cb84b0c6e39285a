"""How the processes of a run take memory, so that they give back what they need no more.

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
# The same in the environment of a process (GNU C Library, "Memory Allocation Tunables").
_NAMES = {_ARENA_MAX: "ARENA_MAX", _MMAP_THRESHOLD: "MMAP_THRESHOLD_", _TRIM_THRESHOLD: "TRIM_THRESHOLD_"}
# Its own allocator keeps of each thread that wrote a file what loading then needs: 100 MB and more.
_ARROW = ("ARROW_DEFAULT_MEMORY_POOL", "system")


def _heaps_are_set() -> bool:
    return any(name.startswith("MALLOC_") for name in os.environ)


def little_memory() -> dict[str, str]:
    """The environment of a process that is to take memory so from its beginning, beside this one's."""
    wanted = dict([_ARROW])
    if not _heaps_are_set():
        wanted |= {f"MALLOC_{_NAMES[setting]}": str(value) for setting, value in _SETTINGS.items()}
    return {name: value for name, value in wanted.items() if name not in os.environ}


def take_little_memory() -> None:
    """Have this process take memory so from now on."""
    os.environ.setdefault(*_ARROW)
    if _heaps_are_set():
        return
    # Another C library has no such function, and no such heaps.
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for setting, value in _SETTINGS.items():
            mallopt(setting, value)
