"""How what a table holds travels: the attributes of its key, and the whole item as canonical DynamoDB JSON."""

from __future__ import annotations

import pyarrow as pa

from el.connectors.documents.types import DOCUMENT_RULE, FIELD_RULES, INDEX_RULE
from el.types import rule
from el.types.rule import TypeKind, TypeRule

TEXT, NUMBER, BYTES = "dynamodb text", "dynamodb number", "dynamodb bytes"
# By the letter of the service's own.
OF_KEY = {"S": TEXT, "N": NUMBER, "B": BYTES}
ARROW = {TEXT: pa.string(), NUMBER: pa.string(), BYTES: pa.binary()}
RULES = (
    TypeRule((TEXT,), TEXT, "A key that is text.", rule.text(), kind=TypeKind.TEXT),
    TypeRule(
        (NUMBER,),
        NUMBER,
        "A key that is a number, in its digits: 38 of them between 1E-130 and 9.99E+125, which no decimal holds.",
        rule.text(),
        kind=TypeKind.TEXT,
    ),
    TypeRule((BYTES,), BYTES, "A key that is bytes.", rule.binary(), kind=TypeKind.BYTES),
    DOCUMENT_RULE,
    INDEX_RULE,
    *FIELD_RULES,
)
