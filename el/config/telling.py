"""Who is told of runs: a webhook, and a store of lineage."""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from el.config.strict import Duration, Strict
from el.secrets.references import is_reference, resolve

_ENVIRONMENT = re.compile(r"env:[A-Za-z_]\w*")


def _by_reference(value: Any) -> Any:
    if not isinstance(value, str) or not (_ENVIRONMENT.fullmatch(value) or is_reference(value)):
        # Whoever has the address can write there: it is a secret, and it is not shown.
        raise ValueError(
            "name where the address is, such as env:EL_WEBHOOK or secret:ops.webhook.url; the address itself is a "
            "secret and never stands in this file"
        )
    return str(value)


def _for_each(value: Any) -> Any:
    return value if isinstance(value, dict) else {"*": value}


class NotifySettings(Strict):
    """Who is told when someone has to look."""

    webhook: Annotated[str, BeforeValidator(_by_reference)]
    """Where the address is that a notice is posted to: `env:NAME`, or a reference to a secret."""
    form: Literal["slack", "teams", "json"] | None = None
    """How the notice is written. By default as the address says; `json` where it says nothing: an object with `text`,
    `run_id`, `source`, `destination` and `troubles`.
    """
    on: tuple[Literal["failure", "difference", "late"], ...] = ("failure", "difference", "late")
    """Of what: that a run or a table failed, that `verify` found a difference, that a table was not loaded for longer
    than `late_after`.
    """
    late_after: Annotated[dict[str, Duration], BeforeValidator(_for_each)] = Field(default_factory=dict)
    """How long a table may go without a run that took it, or found nothing new in it: `2d`, or `{"sales.*": 1d}` for
    some. Later patterns win. Without it, no table is late.
    """
    repeat: Duration = timedelta(days=1)
    """The same trouble is told again after this time."""

    def address(self) -> str:
        """Where to. Raises as `resolve`."""
        return resolve(self.webhook)

    def allowed(self, table: str) -> timedelta | None:
        """How long this table may go unloaded; None: for ever."""
        found = None
        for pattern, allowed in self.late_after.items():
            if fnmatchcase(table.lower(), pattern.lower()):
                found = allowed
        return found


class LineageSettings(Strict):
    """Events of OpenLineage. Where they are sent, its own library reads: `OPENLINEAGE_URL`, or openlineage.yml."""

    namespace: str = "el"
    """The namespace of el's jobs."""
    source: str | None = None
    """The namespace of the source's tables, where another tool names it otherwise than el does."""
    destination: str | None = None
    """The namespace of the destination's tables, where another tool names it otherwise than el does."""
