"""How what a collection holds travels: keys and documents as canonical text, and bytes where that is not all."""

from __future__ import annotations

from el.connectors.documents.types import DOCUMENT_RULE, FIELD_RULES, INDEX_RULE
from el.types import rule
from el.types.rule import TypeKind, TypeRule

KEY, BYTES = "bson key", "bson"
RULES = (
    TypeRule(
        (KEY,),
        KEY,
        'Canonical Extended JSON of `_id`, so that 1, "1", a long 1 and an ObjectId are four.',
        rule.text(),
        kind=TypeKind.TEXT,
    ),
    TypeRule(
        (BYTES,),
        BYTES,
        "The document's own bytes, where its text does not give the same ones again.",
        rule.binary(),
        kind=TypeKind.BYTES,
    ),
    DOCUMENT_RULE,
    INDEX_RULE,
    *FIELD_RULES,
)
