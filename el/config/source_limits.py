"""`source_limits` of el.yml."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from el.config.pace import Pause
from el.config.strict import Strict


class SourceLimits(Strict):
    """How gently the source is read."""

    connections: int | None = Field(default=None, ge=1)  # reads at once, whatever `workers` says
    rows_per_second: int | None = Field(default=None, ge=1)  # of all reads together
    pause: Pause | None = None  # "08:00-18:00": hours by this machine's clock in which no read begins
    # If SQL Server's version store is larger, no read begins, and one that is at work stops, for a long SNAPSHOT read
    # lets it grow.
    version_store_mb: int | None = Field(default=None, ge=1)
    # A read stops, and is tried again, where another session has waited so long for it; 0 is never.
    blocked_seconds: int = Field(default=30, ge=0)
    # After so long the tables that `consistent: run` has not read yet come from a SNAPSHOT transaction of their own.
    snapshot_minutes: int = Field(default=60, ge=1)

    @field_validator("pause", mode="before")
    @classmethod
    def _as_pause(cls, value: Any) -> Any:
        if isinstance(value, str):
            return Pause.parse(value)
        raise ValueError('a pause is written "08:00-18:00"')
