"""Statements that take their time: how they are ended, and how QUERY_HISTORY shows them.

Snowflake documentation: "Parameters" (STATEMENT_TIMEOUT_IN_SECONDS: error 000630), "SYSTEM$CANCEL_QUERY" and the
drivers' abort request (error 000604), "QUERY_HISTORY, QUERY_HISTORY_BY_*" (also statements that still run).

LIMITS: only a statement that was told to be slow can be ended before it is done, and before it does anything.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from .stages import literal

Answer = dict[str, Any]
_HISTORY = re.compile(r"TABLE\s*\(\s*INFORMATION_SCHEMA\.QUERY_HISTORY_BY_USER\s*\([^)]*\)\s*\)", re.IGNORECASE)
_CANCEL = re.compile(r"SELECT\s+SYSTEM\$CANCEL_QUERY\s*\(\s*'([^']*)'\s*\)\s*", re.IGNORECASE)
CANCELLED = (604, "57014", "SQL execution canceled")


@dataclass
class Running:
    """A statement that runs. request: the driver's id of it."""

    tag: str
    request: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    cancelled: bool = False


class RunningStatements:
    """What runs, and which statements are to be slow: each a pattern, seconds, and how often."""

    def __init__(self) -> None:
        self.slow: list[Answer] = []
        self._running: dict[str, Running] = {}

    async def take_its_time(self, sql: str, tag: str, request: str, limit: float) -> tuple[int, str, str] | None:
        """Wait as long as the statement was told to take; the error that ended it, as number, SQLSTATE and text.

        limit: its STATEMENT_TIMEOUT_IN_SECONDS; 0: none.
        """
        told = next((slow for slow in self.slow if re.search(slow["pattern"], sql, re.IGNORECASE)), None)
        if told is None:
            return None
        told["times"] -= 1
        self.slow = [slow for slow in self.slow if slow["times"] > 0]
        statement = Running(tag, request)
        self._running[statement.id] = statement
        begun = time.monotonic()
        try:
            while (taken := time.monotonic() - begun) < told["seconds"]:
                if statement.cancelled:
                    return CANCELLED
                if limit and taken >= limit:
                    message = (
                        f"Statement reached its statement or warehouse timeout of {limit:g} second(s) and was canceled."
                    )
                    return 630, "57014", message
                await asyncio.sleep(0.02)
        finally:
            del self._running[statement.id]
        return None

    def abort(self, request: str) -> None:
        for statement in self._running.values():
            if statement.request == request:
                statement.cancelled = True

    def rewritten(self, sql: str) -> str:
        """QUERY_HISTORY_BY_USER as a table of what runs; SYSTEM$CANCEL_QUERY done, and its answer selected."""
        if found := _CANCEL.fullmatch(sql):
            wanted = found[1]
            if wanted in self._running:
                self._running[wanted].cancelled = True
            return f"SELECT {literal(f'query [{wanted}] terminated.')} AS ANSWER"
        rows = [f"({literal(s.id)}, {literal(s.tag)}, 'RUNNING')" for s in self._running.values()]
        values = ", ".join([*rows, "('', '', 'SUCCESS')"])
        return _HISTORY.sub(lambda _: f"(VALUES {values}) AS q(query_id, query_tag, execution_status)", sql)
