"""A way to bring rows, in a process of its own: its time, its processor time, its memory; and the ratios of ways."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

ROOT = Path(__file__).resolve().parent.parent


def ran(way: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[dict[str, float], str]:
    """Seconds, the processor's, and peak memory (MB) of a command; and what it printed."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        # As installed packages are, el is compiled once.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    peak = _Peak(process.pid)
    out = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    if status != 0:
        sys.exit(f"{way} failed: {out[-2000:]}")
    return {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mb": peak.found() or usage.ru_maxrss / 1024,
    }, out


class _Peak:
    """The peak memory of a process, asked of Linux while it runs.

    What `wait4` tells counts this process too, from which the other one began: a benchmark that made its data in
    memory told its own peak as that of each way.
    """

    def __init__(self, pid: int) -> None:
        self._place = Path(f"/proc/{pid}/status")
        self._mb = 0.0
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def found(self) -> float:
        """In MB; 0 where it cannot be told."""
        self._thread.join()
        return self._mb

    def _watch(self) -> None:
        with suppress(OSError):
            while found := re.search(r"VmHWM:\s+(\d+) kB", self._place.read_text()):
                self._mb = int(found[1]) / 1024
                time.sleep(0.01)


def show(rounds: Sequence[Mapping[str, Mapping[str, float]]], ways: Sequence[str], what: str) -> None:
    """The medians of each way, and how fast those of el are beside the others."""
    for way in ways:
        named = ("seconds", "cpu", "rate", "mb")
        seconds, cpu, rate, mb = (statistics.median(r[way][each] for r in rounds) for each in named)
        print(f"{way:8} {seconds:7.1f} s {cpu:7.1f} s of processor {rate:10,.0f} {what}/s {mb:6.0f} MB peak")
    for way in (each for each in ways if each.startswith("el")):
        for other in (each for each in ways if not each.startswith("el")):
            ratios = [r[way]["rate"] / r[other]["rate"] for r in rounds]
            cpus = [r[way]["cpu"] / r[other]["cpu"] for r in rounds]
            print(
                f"{way} / {other}: rate {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
                f"processor time {statistics.median(cpus):.2f} ({min(cpus):.2f} to {max(cpus):.2f})"
            )
