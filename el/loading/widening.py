"""Which raw column can become one of another type and keep each value.

Types are called as `_el_columns` notes them, in every warehouse: by Snowflake's names (`TypeMapping.stands_for`).
"""

from __future__ import annotations

import re

_TYPE = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))?")


def can_widen(before: str, now: str) -> bool:
    """Whether `now` has each value of `before`: NUMBER(10,2) can become NUMBER(12,4), and not NUMBER(12,6)."""
    old, new = _TYPE.fullmatch(before), _TYPE.fullmatch(now)
    if old is None or new is None:
        return before == now
    (kind, p, s), (new_kind, new_p, new_s) = old.groups(), new.groups()
    if kind == new_kind == "NUMBER":
        return int(new_s) >= int(s) and int(new_p) - int(new_s) >= int(p) - int(s)
    if kind == new_kind:
        return p is None or int(new_p or 0) >= int(p)
    # A 64-bit float holds whole numbers of 15 digits, and a day is a time at midnight.
    whole_to_float = kind == "NUMBER" and new_kind == "FLOAT" and s == "0" and int(p) <= 15
    return whole_to_float or (kind == "DATE" and new_kind == "TIMESTAMP_NTZ")
