"""Scripts of `grants`, run as an administrator would."""

from __future__ import annotations

import re
from typing import Any

from el.connectors.sql.select import Statement
from tests.engines import connected

PASSWORD = "Geheim_2026"


def batches(script: str) -> list[str]:
    """What stands between two GO, without comments."""
    parts = [re.sub(r"(?m)^--.*$", "", part).strip() for part in re.split(r"(?m)^GO$", script)]
    return [part.replace("$(el_password)", PASSWORD) for part in parts if part]


def apply(output: dict[str, Any], script: str, *, but: str = "") -> None:
    """Run a script's batches by this login, leaving out `but`."""
    with connected(output) as server:
        for batch in batches(script):
            if batch != but:
                server.driver.execute(Statement(batch))


def taken_back(grant: str) -> str:
    """The statement that takes back what this one gave."""
    if grant.startswith("ALTER ROLE"):
        return grant.replace(" ADD MEMBER ", " DROP MEMBER ")
    return grant.replace("GRANT ", "REVOKE ", 1).replace(" TO ", " FROM ", 1)
