"""The types that el.yml can give a field of a document, and the document itself.

How a field is read (`read_as`) is its path, or json(path) for a part of the document as it stands.
"""

from __future__ import annotations

import pyarrow as pa

from el.types import rule
from el.types.rule import TypeKind, TypeRule, Way

PATH = "{column}"
PART = "json({column})"
# Text in Snowflake's raw tables, from which staging makes a VARIANT: that keeps neither the order nor all digits.
DOCUMENT = Way(rule.TEXT, "VARCHAR", "JSON", target_snowflake="VARIANT", target_duckdb="JSON")


def _rule(names: tuple[str, ...], why: str, way: Way, kind: TypeKind, scale: int | None = None) -> TypeRule:
    return TypeRule(names, names[0], why, way.but(read_as=PATH), kind=kind, scale=scale)


FIELD_RULES = (
    _rule(
        ("bigint", "int", "integer"),
        "64 bits; a number with a fraction does not fit, 1.0 and 1e2 do.",
        rule.integer(pa.int64(), "BIGINT", 19),
        TypeKind.WHOLE,
    ),
    _rule(("decimal", "numeric"), "All digits, or it does not fit.", rule.DECLARED_DECIMAL, TypeKind.DECIMAL),
    _rule(("double", "float"), "The nearest float of 64 bits.", rule.FLOAT, TypeKind.FLOAT),
    _rule(("boolean", "bool"), "true or false.", rule.BOOLEAN, TypeKind.BOOL),
    _rule(("varchar", "text"), "Text; a number or true in its own characters.", rule.text(), TypeKind.TEXT),
    _rule(("binary", "blob"), "Bytes; of a text those of UTF-8.", rule.binary(), TypeKind.BYTES),
    _rule(("date",), "Text of the form 2024-02-29.", rule.DAY, TypeKind.DATE),
    _rule(("timestamp",), "Text in ISO 8601 without a zone, to the microsecond.", rule.WALL_CLOCK, TypeKind.MOMENT, 6),
    _rule(
        ("timestamptz",),
        "Text in ISO 8601 with a zone, to the microsecond.",
        rule.POINT_IN_TIME,
        TypeKind.INSTANT,
        6,
    ),
    TypeRule(("json",), "json", "A part of the document.", DOCUMENT.but(read_as=PART), kind=TypeKind.DOCUMENT),
)
DOCUMENT_RULE = TypeRule(
    ("document",), "document", "The whole document in canonical text.", DOCUMENT, kind=TypeKind.DOCUMENT
)
INDEX_RULE = TypeRule(
    ("index",),
    "index",
    "The place of an element in its array, from 0 on.",
    rule.integer(pa.int64(), "BIGINT", 19),
    kind=TypeKind.WHOLE,
)
