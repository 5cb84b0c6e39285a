"""`source_limits` of el.yml."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from el.config.pace import Pause
from el.config.strict import Strict


class SourceLimits(Strict):
    """How gently the source is read."""

    connections: int | None = Field(default=None, ge=1)
    """Reads at once, whatever `workers` says."""
    rows_per_second: int | None = Field(default=None, ge=1)
    """Of all reads together; each has the share of as many as can be at work at once."""
    read_units: int | None = Field(default=None, ge=1)
    """Read capacity units of DynamoDB's, of all reads together; each has the share of as many as can be at work."""
    pause: Pause | None = None
    """Hours by this machine's clock in which no read begins, such as `"08:00-18:00"`."""
    version_store_mb: int | None = Field(default=None, ge=1)
    """If SQL Server's version store is larger, no read begins, and one that is at work stops: a long SNAPSHOT read
    lets it grow. It needs VIEW SERVER STATE.
    """
    blocked_seconds: int = Field(default=30, ge=0)
    """A read stops, and is tried again, where another session has waited so long for it; 0 is never. It is looked at
    once a minute, and needs VIEW SERVER STATE, at MySQL PROCESS.
    """
    snapshot_minutes: int = Field(default=60, ge=1)
    """How long the one transaction of `consistent: run` may be open."""

    @field_validator("pause", mode="before")
    @classmethod
    def _as_pause(cls, value: Any) -> Any:
        if isinstance(value, str):
            return Pause.parse(value)
        raise ValueError('a pause is written "08:00-18:00"')
