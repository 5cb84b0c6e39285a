"""How MySQL and MariaDB compare the text of a column: what its collation's name says.

MySQL Reference Manual, "Collation Naming Conventions" and "Unicode Character Sets"; MariaDB Documentation, "Supported
Character Sets and Collations". Collations of before count no blanks at the end; those of Unicode 9 (`_0900_`) and those
called `_nopad_` count them.
"""

from __future__ import annotations

import re

from el.connectors.catalog import Column
from el.connectors.mysql.dialect import TEXTS
from el.types.key_text import Case, TextRule

# Of no language: accents make no letters of their own.
_UNICODE = re.compile(
    r"(?:utf8(?:mb3|mb4)?|ucs2|utf16(?:le)?|utf32)_(general|unicode|unicode_520|0900|uca1400)(?:_nopad)?(?:_[ac][is])*"
)
_DOTLESS = {"turkish", "azeri", "tr", "az"}
_UNSURE = "its collation takes more letters for equal than el knows"


def text_rule(column: Column) -> TextRule | None:
    """What plays no part where this column is compared; None: it is compared by its bytes, or is no text."""
    if column.type.name not in (*TEXTS, "enum", "set"):
        return None
    name = (column.collation or "").lower()
    options, family = set(name.split("_")), _UNICODE.fullmatch(name)
    pads = not options & {"0900", "nopad"}
    if "bin" in options:
        return TextRule() if pads else None
    ignores_case = "cs" not in options
    if family is None:
        known: Case | None = "ascii" if ignores_case and not options & _DOTLESS else None
        return TextRule(case=known, pads=pads, unsure=_UNSURE, accents_unsure=True)
    # The oldest one knows pairs of letters that are older than Unicode 3.2 alone.
    case: Case = "latin1" if family[1] == "general" else "all"
    accents = ignores_case and "as" not in options
    return TextRule(
        case=case if ignores_case else None, accents=accents, pads=pads, unsure=_UNSURE, accents_unsure=accents
    )
