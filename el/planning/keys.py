"""Which rows have the same key: as the source says, not as the bytes do.

A key that the source compares otherwise than by bytes, or that may hold NULL, lands as one text more, in the raw column
`_el_key`: equal keys have the same text there, others another one. All that comes after raw compares it with a plain
"=", whatever the warehouse's own rules are. Microsoft Learn: "Collation and Unicode support" for text,
"datetimeoffset (Transact-SQL)": points in time are compared, whatever the offset; varbinary is compared as if the
shorter value went on with zeros.

Guarantee: NULL is a value of its own, and a key of several columns is taken apart in one way only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.base import Source
from el.errors import PlanError
from el.planning.columns import ColumnPlan
from el.types.key_text import TextRule, fold

KEY_COLUMN = "_el_key"
KEY_FIELD = pa.field(KEY_COLUMN, pa.string())
KEY_COMMENT = "el: the key as the source compares it; equal keys have the same text"

Kind = Literal["plain", "text", "instant", "number", "bytes", "zeros"]


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One column of a key, by its raw name, and how its values compare.

    plain: as they are. text: by `text`. instant: text of a local time with its offset. number: -0.0 is 0.0. bytes: as
    they are, zeros: without zeros at the end. form: the type whose text stands in the key, where types differ in it.
    """

    name: str
    kind: Kind
    nullable: bool = False
    text: TextRule | None = None
    form: str | None = None

    @property
    def by_bytes(self) -> bool:
        return self.kind in ("plain", "bytes") and not self.nullable


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How the columns of a key make `_el_key`."""

    parts: tuple[KeyPart, ...]

    def of(self, column: Callable[[str], pa.Array]) -> pa.Array:
        """`_el_key` of a batch, given its columns by their raw names."""
        parts = [_shown(part, column(part.name)) for part in self.parts]
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "|")

    def description(self) -> str:
        """The rule as text: where it changes, what raw holds was made by another one."""
        parts = [asdict(part) for part in self.parts]
        for part in parts:
            text = part["text"] or {}
            # No other key comes of it: `unsure` says the same in words.
            text.pop("accents_unsure", None)
            # What every rule had before there was a choice.
            if text.get("pads"):
                del text["pads"]
        return json.dumps(parts, sort_keys=True)

    def notes(self) -> list[str]:
        """What the plan says of it."""
        found = []
        for part in self.parts:
            if part.text is not None and part.text.unsure:
                found.append(
                    f"key column {part.name}: {part.text.unsure}, so keys that are equal at the source by that alone "
                    "are two to el: where one becomes the other, the old row stays until a snapshot or `deletes: keys`"
                )
        return found

    def words(self) -> str:
        """How keys compare, for people; empty where they compare as they are."""
        said = [f"{part.name} without {part.text.words()}" for part in self.parts if part.text is not None]
        return "; ".join([*said, *([f"NULL is a value of {', '.join(n)}"] if (n := self._nullable()) else [])])

    def _nullable(self) -> list[str]:
        return [part.name for part in self.parts if part.nullable]


def key_rule(
    source: Source, columns: Sequence[ColumnPlan], key: Sequence[str], *, by_bytes: bool = False
) -> KeyRule | None:
    """The rule of a key, given by raw names; None where it compares as its bytes do.

    by_bytes: text compares by bytes, but for blanks at its end.
    """
    by_name = {column.name: column for column in columns}
    parts = tuple(_part(source, by_name[name], by_bytes) for name in key)
    return None if all(part.by_bytes for part in parts) else KeyRule(parts)


def refuse_changed_keys(
    source: Source, columns: Sequence[ColumnPlan], key: Sequence[str], accepted: Container[str]
) -> None:
    """Raise `PlanError` where what lands of a key could be one for two rows of the source, or two for one.

    accepted: words of el.yml's `accept`.
    """
    by_name = {column.name: column for column in columns}
    for column in (by_name[name] for name in key):
        name, mapping = column.source.name, column.mapping
        if column.masked and "{column}" not in (mapping.read_as or "{column}"):
            raise PlanError(f"{name} is part of the key, and its mask gives every row one value: use `mask: hmac`")
        rule = source.text_rule(column.source) if column.masked else None
        if rule is not None and rule != TextRule() and "keys_by_bytes" not in accepted:
            raise PlanError(
                f"{name} is part of the key and compares without {rule.words()}, and its mask does not: where a key "
                "changes in that alone, the old row would stay. Set `accept: [keys_by_bytes]` if none does"
            )
        if not mapping.exact and not column.masked and "changed_keys" not in accepted:
            raise PlanError(
                f"{name} is part of the key, and what lands of it is less ({mapping.loses}): two rows could have one "
                "key. Set `accept: [changed_keys]` if no two have"
            )


def _part(source: Source, column: ColumnPlan, by_bytes: bool) -> KeyPart:
    arrow, nullable = column.mapping.arrow, column.source.nullable
    parts = column.mapping.parts
    if parts is not None and parts.offset:
        return KeyPart(column.name, "instant", nullable)
    if pa.types.is_floating(arrow):
        return KeyPart(column.name, "number", nullable)
    if pa.types.is_binary(arrow):
        zeros = source.facts(column.source.type).zeros
        return KeyPart(column.name, "zeros" if zeros else "bytes", nullable)
    if pa.types.is_string(arrow) and not column.masked:
        rule = source.text_rule(column.source)
        if rule is not None:
            return KeyPart(column.name, "text", nullable, TextRule() if by_bytes else rule)
    plain = pa.types.is_string(arrow) or pa.types.is_integer(arrow)
    return KeyPart(column.name, "plain", nullable, form=None if plain else str(arrow))


def _shown(part: KeyPart, values: pa.Array) -> pa.Array:
    text = _text(part, values)
    if pa.types.is_string(values.type) and part.kind in ("plain", "text"):
        # What parts of a key are told apart by, and NULL, is written by no value.
        for character in ("\\", "|"):
            text = pc.replace_substring(text, character, "\\" + character)
    return pc.fill_null(text, "\\N")


def _text(part: KeyPart, values: pa.Array) -> pa.Array:
    if part.kind == "text" and part.text is not None:
        return fold(part.text, values)
    if part.kind == "instant":
        return _instant(values)
    if part.kind == "number":
        return pc.add(values.cast(pa.float64()), 0.0).cast(pa.string())
    if part.kind in ("bytes", "zeros"):
        text = _hex(values)
        return pc.replace_substring_regex(text, "(00)+$", "") if part.kind == "zeros" else text
    return values.cast(pa.string())


def _instant(values: pa.Array) -> pa.Array:
    """Of "2024-01-31 12:00:00.1234567 +02:00": microseconds since 1970 in UTC, and the digits behind them."""
    local = pc.utf8_slice_codeunits(values, 0, 19)
    fraction = pc.utf8_rpad(pc.replace_substring_regex(pc.utf8_slice_codeunits(values, 19, -7), r"[^0-9]", ""), 7, "0")
    offset = pc.utf8_slice_codeunits(values, -6, None)
    minutes = pc.add(
        pc.multiply(pc.utf8_slice_codeunits(offset, 1, 3).cast(pa.int64()), 60),
        pc.utf8_slice_codeunits(offset, 4, 6).cast(pa.int64()),
    )
    minutes = pc.if_else(pc.equal(pc.utf8_slice_codeunits(offset, 0, 1), "-"), pc.negate(minutes), minutes)
    seconds = pc.subtract(local.cast(pa.timestamp("s")).cast(pa.int64()), pc.multiply(minutes, 60))
    return pc.binary_join_element_wise(seconds.cast(pa.string()), fraction, ".")


_HEX = np.frombuffer("".join(f"{byte:02X}" for byte in range(256)).encode(), np.uint8).reshape(256, 2)


def _hex(values: pa.Array) -> pa.Array:
    """Bytes as hex digits, in one step for the whole column; NULL stays NULL."""
    filled = pc.fill_null(values.cast(pa.binary()), b"")
    rows, (_, places, data) = len(filled), filled.buffers()
    starts = (
        np.frombuffer(places, np.int32)[filled.offset : filled.offset + rows + 1] if rows else np.zeros(1, np.int32)
    )
    letters = np.frombuffer(data or b"", np.uint8)[starts[0] : starts[-1]]
    buffers = [None, pa.py_buffer((starts - starts[0]) * np.int32(2)), pa.py_buffer(_HEX[letters].tobytes())]
    text = pa.Array.from_buffers(pa.string(), rows, buffers)
    return pc.if_else(values.is_valid(), text, None) if values.null_count else text
