"""How stores write in JSON what JSON has no type for: a value stands in an object, under the name of its type.

{"$numberDecimal": "1.50"} is MongoDB's Extended JSON (version 2, canonical), {"N": "1.5"} DynamoDB's. So 1, "1" and 1.0
are three values in the text, and a promoted field is the value that they mean.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from el.connectors.documents.text import Misplaced, located, members

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Form:
    """The names of types, as they stand in a document; what has none is JSON's own.

    name: by which the macros of the dbt project know it; "": they do not. numbers, ids: their value is text. instant:
    milliseconds since 1970, under a number's name. fields, elements: of an object and an array. inline: bytes are
    base64 by themselves, not an object with it.
    """

    name: str = ""
    numbers: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    instant: str | None = None
    text: str | None = None
    boolean: str | None = None
    null: str | None = None
    binary: str = "$binary"
    inline: bool = False
    fields: str | None = None
    elements: str | None = None

    @property
    def scalars(self) -> tuple[str, ...]:
        """What an object is no object by, but a value."""
        named = (self.instant, self.text, self.boolean, self.null, self.binary)
        # Each once: of two fields of one name in its schema Arrow's reader ends the process.
        return tuple(dict.fromkeys((*self.numbers, *self.ids, *(name for name in named if name is not None))))

    def wrappers(self, type_: pa.DataType) -> tuple[str, ...]:
        """Under which names a value of this type stands; () where it is JSON's own."""
        if pa.types.is_integer(type_) or pa.types.is_decimal(type_) or pa.types.is_floating(type_):
            return self.numbers
        if pa.types.is_boolean(type_):
            return () if self.boolean is None else (self.boolean,)
        return () if self.text is None else (self.text,)

    def located(self, text: str, steps: tuple[str, ...]) -> str | None:
        """As `text.located`, of a path of the document's own names."""
        token: str | None = text
        for number, step in enumerate(steps):
            if number and token is not None:
                token = self._object(token)
            token = None if token is None else located(token, (step,))
        return token

    def array(self, token: str) -> str | None:
        """The JSON array that this is; None for null."""
        found = self._named(token)
        if self.elements is None or found is None:
            return token
        if found[0] == self.null:
            return None
        return located(token, (self.elements,)) if found[0] == self.elements else token

    def element(self, token: str) -> str:
        """An element of an array as a document: an object without its name."""
        found = self._named(token)
        return found[1] if found is not None and found[0] == self.fields else token

    def plain(self, token: str) -> str | None:
        """A value as JSON's own text of it; None for null. What is no value stays as it is."""
        found = self._named(token)
        if found is None:
            return token
        name, inside = found
        if name == self.null:
            return None
        if name == self.instant:
            return _moment(inside)
        if name == self.binary:
            return f'{{"$binary":{{"base64":{inside}}}}}' if self.inline else token
        return inside if name in self.scalars else token

    def _object(self, token: str) -> str | None:
        found = self._named(token)
        if self.fields is not None:
            if found is not None and found[0] == self.null:
                return None
            if found is None or found[0] != self.fields:
                raise Misplaced("what should have a field is no object")
            return found[1]
        if found is not None and found[0] in self.scalars:
            raise Misplaced("what should have a field is no object")
        return token

    def _named(self, token: str) -> tuple[str, str] | None:
        """The first name of an object and what stands under it; None of what is no object, or an empty one."""
        return next(members(token), None) if token.startswith("{") else None


def _moment(token: str) -> str:
    """{"$numberLong": "0"} or a text of ISO 8601, as ISO 8601."""
    if token.startswith('"'):
        return token
    (milliseconds,) = json.loads(token).values()
    try:
        found = _EPOCH + timedelta(milliseconds=int(milliseconds))
    except (OverflowError, ValueError):
        raise Misplaced("a moment beyond the years 1 to 9999") from None
    return json.dumps(found.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


PLAIN = Form("json")
EXTENDED_JSON = Form(
    "extended_json",
    numbers=("$numberInt", "$numberLong", "$numberDouble", "$numberDecimal"),
    ids=("$oid", "$symbol"),
    instant="$date",
)
DYNAMODB_JSON = Form(
    "dynamodb_json",
    numbers=("N",),
    text="S",
    boolean="BOOL",
    null="NULL",
    binary="B",
    inline=True,
    fields="M",
    elements="L",
)
