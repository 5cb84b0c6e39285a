"""How PostgreSQL compares the text of a column: by its bytes, unless its type or its collation says otherwise.

PostgreSQL Documentation, "Nondeterministic Collations", "ICU Custom Collations", "citext", "Character Types".
"""

from __future__ import annotations

import re

from el.connectors.catalog import Column
from el.types.key_text import TextRule

_SEVERAL_TEXTS = "equal values may be written in more than one way"
_UNSURE = "its collation takes more letters for equal than el knows"
_LEVEL = re.compile(r"(?:-ks-level|colstrength=)([1-4]|primary|secondary|tertiary)", re.IGNORECASE)
_LEVELS = {"primary": "1", "secondary": "2", "tertiary": "3"}


def text_rule(column: Column) -> TextRule | None:
    """What plays no part where this column is compared; None: it is compared by its bytes, or is no text."""
    said, type_ = column.collation or "", column.type
    if type_.name == "interval" or (type_.name == "numeric" and (type_.precision is None or type_.precision > 38)):
        # 1.0 is 1.00, and a day is 24 hours.
        return TextRule(pads=False, unsure=_SEVERAL_TEXTS)
    if type_.name == "citext":
        # lower() of the database's locale; that of C knows the letters of ASCII alone.
        small = said.removeprefix("citext ").upper() in ("C", "POSIX")
        return TextRule(case="ascii" if small else "all", pads=False)
    pads = type_.name == "char"
    if type_.name not in ("text", "varchar", "char") or " nondeterministic " not in f"{said} ":
        return TextRule() if pads else None
    found = _LEVEL.search(said)
    level = _LEVELS.get(found[1].lower(), found[1]) if found is not None else "3"
    with_case = "kc-true" in said.lower() or "colcaselevel=yes" in said.lower()
    return TextRule(
        case="all" if level in "12" and not with_case else None,
        accents=level == "1",
        pads=pads,
        unsure=_UNSURE,
        accents_unsure=level == "1",
    )
