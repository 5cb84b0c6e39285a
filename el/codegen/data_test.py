"""A dbt test as a value, and its name, which is unique and the same at every run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_NAME = 120
IN_RAW = "{{ target.name != 'source' }}"


@dataclass(frozen=True, slots=True)
class DbtTest:
    """One data test. column: that it stands under, None for the table itself."""

    generic: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    column: str | None = None


def test_name(*parts: str) -> str:
    """What it tests, where, and of which columns; what is too long is cut, and has a hash of all of it."""
    name = "__".join((parts[0], parts[1], "_".join(parts[2:]))) if len(parts) > 2 else "__".join(parts)
    if len(name) > MAX_NAME:
        name = f"{name[: MAX_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name
