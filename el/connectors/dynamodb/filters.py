"""Conditions on a table's key, as the service takes them; it reads what they leave out all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from el.connectors.catalog import Column
from el.connectors.dynamodb.items import number
from el.connectors.dynamodb.tables import KeyPart
from el.connectors.dynamodb.types import BYTES, NUMBER, TEXT
from el.connectors.request import Condition, Op
from el.errors import ReadError

# Of texts and bytes both sides compare byte by byte. A number's column is its text, which is ordered otherwise.
_EQUAL = (Op.EQ, Op.NE)
_ORDERED = (*_EQUAL, Op.LT, Op.LE, Op.GT, Op.GE)


def can_compare(op: Op, column: Column) -> bool:
    """Whether a read can have this condition."""
    return op in (_ORDERED if column.type.name in (TEXT, BYTES) else _EQUAL if column.type.name == NUMBER else ())


def asked(key: Sequence[KeyPart], wanted: Sequence[str], where: Sequence[Condition]) -> dict[str, Any]:
    """What says to a scan which attributes are read (all of them without `wanted`), and of which items."""
    names = {f"#k{index}": part.attribute for index, part in enumerate(key)}
    found: dict[str, Any] = {}
    if wanted:
        found["ProjectionExpression"] = ", ".join(name for name, each in names.items() if each in wanted)
    if where:
        parts = {part.column: (name, part) for name, part in zip(names, key, strict=True)}
        terms, values = [], {}
        for index, condition in enumerate(where):
            if condition.column not in parts or condition.value is None or condition.op not in _ORDERED:
                raise ReadError(f"DynamoDB cannot be asked for {condition}")
            name, part = parts[condition.column]
            values[f":v{index}"] = _value(part, condition.value.text)
            terms.append(f"{name} {condition.op} :v{index}")
        found |= {"FilterExpression": " AND ".join(terms), "ExpressionAttributeValues": values}
    said = f"{found.get('ProjectionExpression', '')} {found.get('FilterExpression', '')}"
    used = {name: each for name, each in names.items() if name in said}
    return {**found, "ExpressionAttributeNames": used} if used else found


def _value(part: KeyPart, text: str) -> dict[str, Any]:
    if part.type == "B":
        return {"B": bytes.fromhex(text.removeprefix("0x"))}
    try:
        return {part.type: number(text) if part.type == "N" else text}
    except ArithmeticError:
        raise ReadError(f"{part.column}: {text!r} is no number") from None
