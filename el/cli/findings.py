"""What a check found, printed as it is found, or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from el.cli.output import as_far_as_read

if TYPE_CHECKING:
    from el.checking.check import Finding


def show_findings(findings: Iterable[Finding], *, as_json: bool) -> bool:
    """Print them; whether there is no error among them, though nobody may have read to the end."""
    from el.checking.check import failed

    found: list[Finding] = []
    with as_far_as_read():
        for each in findings:
            found.append(each)
            if not as_json:
                print(each)
        if as_json:
            print(json.dumps({"ok": not failed(found), "checks": [each.as_dict() for each in found]}, indent=2))
    return not failed(found)
