"""The present, as raw holds times."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """This machine's time in UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
