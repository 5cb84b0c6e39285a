"""A way to bring rows, in a process of its own: its time, its processor time, its memory; and the ratios of ways."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def ran(way: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[dict[str, float], str]:
    """Seconds, the processor's, and peak memory (MB) of a command; and what it printed."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    out = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    if status != 0:
        sys.exit(f"{way} failed: {out}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "mb": usage.ru_maxrss / 1024}, out


def show(rounds: Sequence[Mapping[str, Mapping[str, float]]], ways: Sequence[str], what: str) -> None:
    """The medians of each way, and how fast `el` is beside the others."""
    for way in ways:
        named = ("seconds", "cpu", "rate", "mb")
        seconds, cpu, rate, mb = (statistics.median(r[way][each] for r in rounds) for each in named)
        print(f"{way:6} {seconds:7.1f} s {cpu:7.1f} s of processor {rate:10,.0f} {what}/s {mb:6.0f} MB peak")
    for other in ("drain", "dlt"):
        if {"el", other} <= set(ways):
            ratios = [r["el"]["rate"] / r[other]["rate"] for r in rounds]
            cpus = [r[other]["cpu"] / r["el"]["cpu"] for r in rounds]
            print(
                f"el / {other}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), by processor "
                f"time {statistics.median(cpus):.2f}"
            )
