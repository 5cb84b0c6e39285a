"""`verify` of el.yml: how often a table is compared with its source, and how much of it at a time."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

from el.config.strict import Duration, Strict

MOST_SHARES = 1000


def _share(value: Any) -> Any:
    found = re.fullmatch(r"1\s*/\s*([1-9]\d*)", value.strip()) if isinstance(value, str) else None
    if found is None or int(found[1]) > MOST_SHARES:
        raise ValueError(f"a share is 1/n, such as 1/16, with n up to {MOST_SHARES:,}; 1/1 is all")
    return f"1/{int(found[1])}"


class VerifySettings(Strict):
    """What `verify` compares each time. Without it: all."""

    every: Duration = timedelta(days=1)
    """How often at most. A table that is compared more often is said not to be due."""
    share: Annotated[str, BeforeValidator(_share)] = "1/16"
    """How much of the rows that passed before is compared again in full, in turn: with `1/16` all of it in 16 times.
    What is new and the keys of all are compared each time. `1/1` is all, each time.
    """

    @property
    def shares(self) -> int:
        """In how many shares all is done."""
        return int(self.share.partition("/")[2])
