"""What names tables in el.yml, in `--select`, `--confirm-deletes` and `state`: a glob, or a name, quoted or not.

Guarantees: every name that `plan` prints is taken as it is printed, whatever stands in it; a name that is spelt exactly
wins over one that differs in capitals, and both win over a glob. A part in the source's quotes ("a.b" or [a.b]) is a
plain name, in which nothing has a meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from el.connectors.catalog import TableName
from el.errors import ConfigError

_SEGMENT = re.compile(r'"((?:[^"]|"")+)"(?=\.|$)|\[((?:[^\]]|\]\])+)\](?=\.|$)|([^.]*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Part:
    """A schema, or a table's name. quoted: it is no glob."""

    text: str
    quoted: bool

    def is_(self, name: str) -> bool:
        return self.text == name

    def folded_is(self, name: str) -> bool:
        return self.text.lower() == name.lower()

    def takes(self, name: str) -> bool:
        return self.folded_is(name) or (not self.quoted and fnmatchcase(name.lower(), self.text.lower()))


@dataclass(frozen=True, slots=True)
class TablePattern:
    """A text that names tables. splits: the ways to part it into schema and name; several, where there are dots."""

    text: str
    splits: tuple[tuple[_Part, _Part], ...]
    bare: _Part | None = None

    @classmethod
    def parse(cls, text: str, *, bare: bool = False) -> TablePattern:
        """`ValueError` unless it has the form schema.table. bare: a table's name alone is one in any schema."""
        segments = _segments(text)
        splits = [(_part(segments[:i]), _part(segments[i:])) for i in range(1, len(segments))]
        found = tuple((schema, name) for schema, name in splits if schema and name)
        alone = _part(segments) if bare else None
        if not found and alone is None:
            raise ValueError(f"{text!r} is not of the form schema.table")
        return cls(text, found, alone)

    @property
    def plain(self) -> TableName | None:
        """The one name that this is; None where it could be several."""
        if len(self.splits) != 1 or any(not p.quoted and set(p.text) & set("*?[") for p in self.splits[0]):
            return None
        return TableName(*(part.text for part in self.splits[0]))

    def of(self, names: Iterable[TableName]) -> list[TableName]:
        """Those of `names` that are meant. Raises `ConfigError` where one spelling is that of two tables."""
        every = list(names)
        spelt = [
            n for n in every if str(n) == self.text or any(s.is_(n.schema) and t.is_(n.name) for s, t in self.splits)
        ]
        if len(spelt) > 1:
            both = " and ".join(quoted(name) for name in spelt)
            raise ConfigError(f"{self.text} is the name of {both}: write the one that you mean, with its quotes")
        return (
            spelt
            or [n for n in every if any(s.folded_is(n.schema) and t.folded_is(n.name) for s, t in self.splits)]
            or [n for n in every if any(s.takes(n.schema) and t.takes(n.name) for s, t in self.splits)]
            or self._of_any_schema(every)
        )

    def whole_schemas(self, known: Iterable[str]) -> list[str]:
        """The schemas of which it means every table: one by its name, or those of `known` that a glob takes."""
        found: list[str] = []
        for schema, name in self.splits:
            if name.quoted or name.text != "*":
                continue
            there = [each for each in known if schema.takes(each)]
            plain = schema.quoted or not set(schema.text) & set("*?[")
            found += there or ([schema.text] if plain else [])
        return found

    def may_mean_in(self, schema: str) -> bool:
        """Whether it can mean a table of this schema."""
        return any(part.takes(schema) for part, _ in self.splits)

    def may_mean_some_of(self, schema: str) -> bool:
        """Whether a table of this schema could be meant, whatever its name."""
        # With a dot it means a schema first, and a name with a dot only where that means nothing.
        return not self.splits or self.may_mean_in(schema)

    def _of_any_schema(self, every: list[TableName]) -> list[TableName]:
        bare = self.bare
        if bare is None:
            return []
        return (
            [n for n in every if bare.is_(n.name)]
            or [n for n in every if bare.folded_is(n.name)]
            or [n for n in every if bare.takes(n.name)]
        )


def schemas_of_patterns(patterns: Iterable[TablePattern]) -> list[str] | None:
    """The schemas in which what these patterns mean can be; None where that is any."""
    parts = [schema for pattern in patterns for schema, _ in pattern.splits]
    if any(not part.quoted and set(part.text) & set("*?[") for part in parts):
        return None
    return sorted({part.text for part in parts})


def quoted(name: TableName) -> str:
    """The name in quotes that el takes of every source."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (name.schema, name.name))


def _segments(text: str) -> list[_Part]:
    found: list[_Part] = []
    position = 0
    while True:
        match = _SEGMENT.match(text, position)
        assert match is not None
        double, square, plain = match.groups()
        if double is not None:
            found.append(_Part(double.replace('""', '"'), True))
        elif square is not None:
            found.append(_Part(square.replace("]]", "]"), True))
        else:
            found.append(_Part(plain, False))
        position = match.end()
        if position >= len(text):
            return found
        position += 1


def _part(segments: list[_Part]) -> _Part | None:
    """Segments as one part of a name: one, or several without quotes, whose dots are part of it."""
    if len(segments) == 1:
        return segments[0] if segments[0].text else None
    if any(segment.quoted for segment in segments):
        return None
    return _Part(".".join(segment.text for segment in segments), False)
