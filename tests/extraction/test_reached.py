"""Where in the log of a feed a table's reads were made, each of which may know it."""

from __future__ import annotations

from datetime import datetime

import pytest

from el.extraction.extract import landed_of
from el.extraction.slice import SliceResult

NOW = datetime(2024, 1, 1)


@pytest.mark.parametrize(
    ("reached", "snapshot", "counts"),
    [
        (("0007", "0005", "0009"), True, "0005"),
        (("0007", None), True, None),
        (("0005", "0007"), False, "0007"),
        ((None, None), False, None),
    ],
    ids=["parts of a snapshot", "a part that does not know", "one behind the other", "planned"],
)
def test_no_change_falls_between_the_parts_of_a_snapshot(
    reached: tuple[str | None, ...], snapshot: bool, counts: str | None
) -> None:
    results = [SliceResult((), 0, 0, NOW, NOW, 1, place) for place in reached]
    assert landed_of(results, snapshot=snapshot).reached == counts
