"""What a run works on, as one value."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from el.config import Config
from el.profiles import Output


@dataclass(frozen=True, slots=True)
class Job:
    """What a run works on. `home`: the folder for what is under way; it may be lost between two runs."""

    config: Config
    source: Output
    destination: Output
    home: Path = Path(".el")
    select: tuple[str, ...] = ()
    full_refresh: bool = False
    confirm_deletes: tuple[str, ...] = ()
    workers: int | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
