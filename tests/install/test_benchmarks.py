"""The benchmarks can be begun: nothing else looks at what they take of each other, of el and of the tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = sorted(path.stem for path in Path(__file__).parents[2].joinpath("benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_can_be_begun(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")
