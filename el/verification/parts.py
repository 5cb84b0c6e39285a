"""What of a table is compared this time, and by which method: all of it, or the keys of all and a share.

The outcome says which it was, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from el.connectors.registry import open_source
from el.verification.in_warehouse import InWarehouse
from el.verification.passed import Passed
from el.verification.ranges import NoBorder, divider_of
from el.verification.report import Found, Method, Verdict
from el.verification.rolling import Part, Rolling, whole_because
from el.verification.rule import Rule
from el.verification.sides import Sides


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice for one table. rolls: a share is asked for. in_warehouse: what the command line says, if anything."""

    sides: Sides
    passed: Passed | None
    rolls: bool
    in_warehouse: bool | None

    def parts(self, found: Found) -> tuple[list[Part], Found]:
        """What is compared, read from the source; and the outcome with how it is."""
        sides, verify = self.sides, self.sides.table.verify
        if self.rolls and verify is not None and verify.shares > 1:
            source = open_source(sides.job.source.settings, str(sides.job.source))
            divider = divider_of(sides.table, source)
            why = whole_because(sides.table, self.passed, sides.rule, divider)
            if why is None and self.passed is not None and divider is not None:
                try:
                    return self._share(found, Rolling(sides, self.passed, divider, verify.shares))
                except NoBorder as error:
                    why = str(error)
            found = replace(found, notes=(*found.notes, f"all of it is compared, and no share: {why}"))
        inside, how = self._inside(sides)
        raw, hashed = sides.raw() if inside is None else (None, None)
        method = Method.IN_WAREHOUSE if inside is not None else Method.BOTH_READ
        return [Part(sides, sides.source(), raw, hashed, inside)], replace(found, method=method, how=how)

    def _share(self, found: Found, rolling: Rolling) -> tuple[list[Part], Found]:
        keys = rolling.keys()
        share = rolling.share(keys)
        inside, _ = self._inside(keys.sides)
        parts = [replace(keys, inside=inside), *rolling.rows(share)]
        turn = f"{rolling.number}/{rolling.shares}"
        how = f"the keys of all, what is new since {rolling.passed.through}, and share {turn} of the rest"
        return parts, replace(found, method=Method.ROLLING, how=how, share=turn, share_through=rolling.border(share))

    def _inside(self, sides: Sides) -> tuple[InWarehouse | None, str]:
        """What makes raw's digest in the warehouse, where it does; and why, or why not."""
        found = InWarehouse(sides.warehouse, sides.table, sides.shape())
        chosen, why = found.chosen(self.in_warehouse, sides.rule.by)
        return found if chosen else None, why


def how_far(found: Found, rule: Rule) -> Found:
    """The outcome with how far the table is verified now; what did not pass leaves that as it was."""
    if found.verdict is not Verdict.EQUAL:
        return replace(found, share=None, share_through=None)
    settled = rule.settled.value if rule.settled is not None else None
    return replace(found, verified_through=settled.text if settled is not None else found.bound)
