"""Scripts of `grants`, run as an administrator would."""

from __future__ import annotations

from typing import Any

from el.connectors.sql.select import Statement
from tests.engines import batches, connected

PASSWORD = "Geheim_2026"


def apply(output: dict[str, Any], script: str, *, but: str = "") -> None:
    """Run a script's batches by this login, leaving out `but`."""
    with connected(output) as server:
        for batch in batches(script, PASSWORD):
            if batch != but:
                server.driver.execute(Statement(batch))
