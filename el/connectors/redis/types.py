"""How what Redis holds travels: bytes as they are, and what Redis itself says of them."""

from __future__ import annotations

from el.connectors.documents.types import DOCUMENT_RULE, FIELD_RULES, INDEX_RULE
from el.types import rule
from el.types.rule import TypeKind, TypeRule

BYTES, LABEL, SCORE, EXPIRY, ENTRY_ID = "redis bytes", "redis type", "redis score", "redis expiry", "redis id"
RULES = (
    TypeRule((BYTES,), BYTES, "Keys, fields, members, values: any bytes.", rule.binary(), kind=TypeKind.BYTES),
    TypeRule((LABEL,), LABEL, "The type of a key, as TYPE says it.", rule.text(), kind=TypeKind.TEXT),
    TypeRule((SCORE,), SCORE, "64 bits.", rule.FLOAT, kind=TypeKind.FLOAT),
    TypeRule((EXPIRY,), EXPIRY, "The moment, in milliseconds.", rule.POINT_IN_TIME, kind=TypeKind.INSTANT, scale=6),
    TypeRule(
        (ENTRY_ID,),
        ENTRY_ID,
        "The id of an entry, each half with 20 digits, so that ids sort as text.",
        rule.text(),
        kind=TypeKind.TEXT,
    ),
    DOCUMENT_RULE,
    INDEX_RULE,
    *FIELD_RULES,
)
