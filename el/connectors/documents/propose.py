"""Which fields documents have, and of which kinds, by a sample: what could be promoted. It never decides."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from el.connectors.documents.forms import PLAIN, Form
from el.connectors.documents.values import DAY, MOMENT, ZONE

SAMPLE = 1_000  # documents
_DEEP = 4  # names in a path
_MANY = 50  # fields that are shown, the most frequent ones
_A_MOMENT = "1970-01-01T00:00:00Z"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIMES = (("date", DAY), ("timestamp", MOMENT), ("timestamptz", MOMENT + ZONE))


class _Number(str):
    """A number in its own characters."""


@dataclass(slots=True)
class Seen:
    """What was seen at one path."""

    kinds: Counter[str] = field(default_factory=Counter)
    whole: int = 0  # the most digits in front of the point
    fraction: int = 0  # the most digits behind it

    def add(self, value: object) -> None:
        kind = _kind(value)
        self.kinds[kind] += 1
        if kind in ("whole number", "decimal"):
            found = Decimal(str(value))
            exponent = int(found.as_tuple().exponent)
            self.whole = max(self.whole, found.adjusted() + 1)
            self.fraction = max(self.fraction, -exponent)

    @property
    def type(self) -> str | None:
        """The narrowest type that all of it fits; None for what is no single value."""
        kinds = set(self.kinds) - {"null"}
        if not kinds or kinds & {"object", "array"}:
            return None
        if kinds <= {"whole number"}:
            return "bigint" if self.whole < 19 else f"decimal({max(self.whole, 1)},0)" if self.whole <= 38 else None
        if kinds <= {"whole number", "decimal"}:
            digits = max(18, self.whole + self.fraction)
            return f"decimal({digits},{self.fraction})" if digits <= 38 else "double"
        if len(kinds) == 1 and (only := next(iter(kinds))) in ("boolean", "date", "timestamp", "timestamptz", "binary"):
            return only
        return "varchar"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A field that could be promoted, or an array that could be unnested."""

    path: str
    documents: int  # of the sample
    kinds: tuple[tuple[str, int], ...]  # what was seen, the most frequent first
    type: str | None

    def __str__(self) -> str:
        seen = ", ".join(f"{kind} {count:,}" for kind, count in self.kinds)
        column = re.sub(r"\W+", "_", self.path).strip("_")
        way = f" -> promote: {{{column}: {{path: {self.path}, type: {_shown(self.type)}}}}}" if self.type else ""
        if any(kind == "array" for kind, _ in self.kinds):
            way = f" -> unnest: {self.path}"
        return f"{self.path}: {seen} of {self.documents:,} documents{way}"


def propose(documents: Iterable[str], form: Form = PLAIN) -> tuple[Proposal, ...]:
    """What a sample of documents has, the most frequent fields first."""
    found: dict[tuple[str, ...], Seen] = {}
    number = 0
    for document in documents:
        number += 1
        try:
            value = json.loads(document, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
        except (ValueError, RecursionError):
            continue
        for path, leaf in _leaves(value, (), form):
            found.setdefault(path, Seen()).add(leaf)
    most = sorted(found.items(), key=lambda item: (-sum(item[1].kinds.values()), item[0]))[:_MANY]
    return tuple(
        Proposal(_path(path), number, tuple(seen.kinds.most_common()), seen.type)
        for path, seen in sorted(most, key=lambda item: item[0])
    )


def _leaves(value: object, path: tuple[str, ...], form: Form) -> Iterator[tuple[tuple[str, ...], object]]:
    value = _meant(value, form) if path else value
    if isinstance(value, Mapping) and value and len(path) < _DEEP:
        for name, below in value.items():
            yield from _leaves(below, (*path, str(name)), form)
    elif path:
        yield path, value


def _meant(value: object, form: Form) -> object:
    """What a value of the store's form is."""
    if not isinstance(value, Mapping) or not value:
        return value
    name, inside = next(iter(value.items()))
    if name in form.numbers:
        return _Number(inside)
    if name == form.instant:
        return _A_MOMENT
    if name == form.binary:
        return b""
    return None if name == form.null else inside if name in (*form.scalars, form.fields, form.elements) else value


def _kind(value: object) -> str:
    if isinstance(value, _Number):
        if re.fullmatch(r"-?\d+", value):
            return "whole number"
        return "decimal" if re.fullmatch(r"-?\d+\.\d+", value) else "float"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return next((kind for kind, form in _TIMES if re.fullmatch(form, value, re.ASCII)), "text")
    if isinstance(value, bytes):
        return "binary"
    return "object" if isinstance(value, Mapping) else "array" if isinstance(value, list) else "null"


def _path(steps: Sequence[str]) -> str:
    return ".".join(step if _PLAIN.fullmatch(step) else json.dumps(step, ensure_ascii=False) for step in steps)


def _shown(type_: str) -> str:
    return f'"{type_}"' if "," in type_ else type_
