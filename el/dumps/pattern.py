"""Which files are meant, and what their names say: `s3://acme/orders/year={year}/orders_{as_of:%Y%m%d}*.csv.gz`.

    *              any characters of one name, also none; `?` is one, `[a-z]` one of these, `[!a-z]` one of the others
    **/            any folders, also none; `**` at the end: all files below
    {name}         at least one character of one name, as a text
    {name:%Y%m%d}  a date: %Y %y %m %d %j; with %H %M %S a timestamp
    a.zip!/*.csv   files inside an archive
    {{ }} [*]      a brace, a star that are meant as such

Guarantees: a name that could be read two ways is refused, never guessed at; so is one that has digits where a date
should stand, but no date. Capitals count. Names that begin with a dot are names like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

from el.dumps.file_version import FileVersion
from el.errors import ConfigError, PlanError

ARCHIVES = (".zip", ".7z", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")

Value = str | date | datetime

_DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "H": 2, "M": 2, "S": 2}
_BEGINS_SPECIAL = re.compile(r"[*?\[{}]")


@dataclass(frozen=True, slots=True)
class Capture:
    """A part of a name that becomes a column."""

    name: str
    type: Literal["text", "date", "timestamp"]
    format: str = ""  # of `strptime`, for a date or a timestamp


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of uris, parsed."""

    text: str
    prefix: str  # what each uri begins with
    captures: tuple[Capture, ...]
    _uri: _Part = field(repr=False)
    _member: _Part | None = field(repr=False)

    @classmethod
    def parse(cls, text: str, under: str = "") -> Pattern:
        """under: the uri of the folder in which a pattern without a scheme begins; nothing in it is a wildcard.

        Raises `ConfigError` that says what is wrong with the pattern.
        """
        root = "" if "://" in text else f"{under.rstrip('/')}/"
        outer, bang, inner = text.partition("!/")
        if bang and not outer.lower().endswith(ARCHIVES):
            raise ConfigError(f"{text}: before !/ there must be the name of an archive: {', '.join(ARCHIVES)}")
        if bang and "!/" in inner:
            raise ConfigError(f"{text}: an archive inside an archive is not read; unpack the outer one")
        uri = _Part.parse(outer, text, root)
        if "/" not in uri.prefix.partition("://")[2]:
            raise ConfigError(f"{text}: it must begin with a place, such as file:///folder/ or s3://bucket/")
        member = _Part.parse(inner, text) if bang else None
        captures = uri.captures + (member.captures if member else ())
        names = [capture.name for capture in captures]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"{text}: {{{twice[0]}}} stands twice; write * in one of the places")
        return cls(text, uri.prefix, captures, uri, member)

    @property
    def has_members(self) -> bool:
        """Whether files inside archives are meant."""
        return self._member is not None

    def takes(self, uri: str) -> bool:
        """Whether this file is meant, or is an archive in which files that are meant may be."""
        return self._uri.greedy.fullmatch(uri) is not None

    def match(self, file: FileVersion) -> tuple[tuple[str, Value], ...] | None:
        """What the names of a file say, in the order of `captures`; None for a file that is not meant.

        Raises `PlanError` for a name that is meant and cannot be read, or could be read two ways.
        """
        if (file.member is None) != (self._member is None):
            return None
        found = self._uri.values(file.uri, file)
        if found is None or self._member is None or file.member is None:
            return found
        inside = self._member.values(file.member, file)
        return None if inside is None else found + inside


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of a pattern. repeats: how often it may stand: "", or "*", "+", of which a reading takes few or many."""

    regex: str
    repeats: str = ""
    literal: str = ""
    capture: Capture | None = None

    def as_regex(self, lazy: bool) -> str:
        inside = self.regex + self.repeats + ("?" if lazy and self.repeats else "")
        return f"({inside})" if self.capture else inside


@dataclass(frozen=True, slots=True)
class _Part:
    """A pattern of a uri, or of a path in an archive. A name with one reading has the same one lazily and greedily."""

    prefix: str
    captures: tuple[Capture, ...]
    lazy: re.Pattern[str]
    greedy: re.Pattern[str]

    @classmethod
    def parse(cls, text: str, whole: str, root: str = "") -> _Part:
        tokens = [_literal(root), *_tokens(text, whole)]
        _refuse_neighbours(tokens, whole)
        prefix = ""
        for token in tokens:
            if not token.literal and token.regex:
                break
            prefix += token.literal
        captures = tuple(token.capture for token in tokens if token.capture)
        lazy, greedy = ("".join(token.as_regex(lazy) for token in tokens) for lazy in (True, False))
        return cls(prefix, captures, re.compile(lazy, re.DOTALL), re.compile(greedy, re.DOTALL))

    def values(self, name: str, file: FileVersion) -> tuple[tuple[str, Value], ...] | None:
        few, many = self.lazy.fullmatch(name), self.greedy.fullmatch(name)
        if few is None or many is None:
            return None
        for capture, one, other in zip(self.captures, few.groups(), many.groups(), strict=True):
            if one != other:
                raise PlanError(
                    f"{file}: {{{capture.name}}} could be {one!r} or {other!r}: write a pattern that leaves one reading"
                )
        return tuple((c.name, _value(c, text, file)) for c, text in zip(self.captures, few.groups(), strict=True))


def _value(capture: Capture, text: str, file: FileVersion) -> Value:
    if capture.type == "text":
        return text
    try:
        found = datetime.strptime(text, capture.format)
    except ValueError:
        raise PlanError(
            f"{file}: {{{capture.name}}}: {text!r} is no date as {capture.format} writes it: rename the file, or write "
            "a pattern that leaves it out"
        ) from None
    return found if capture.type == "timestamp" else found.date()


def _tokens(text: str, whole: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        special = _BEGINS_SPECIAL.search(text, at)
        if special is None or special.start() > at:
            end = special.start() if special else len(text)
            yield _literal(text[at:end])
            at = end
            continue
        token, at = _special(text, at, whole)
        yield token


def _special(text: str, at: int, whole: str) -> tuple[_Token, int]:
    """The token that begins here with a character that has a meaning, and where the next one begins."""
    if text[at : at + 2] in ("{{", "}}"):
        return _literal(text[at]), at + 2
    if text[at] == "}":
        raise ConfigError(f"{whole}: }} without {{; a brace that is part of a name is written }}}}")
    if text[at] == "{":
        return _capture(text, at, whole)
    if text[at] == "[":
        return _one_of(text, at, whole)
    if text[at] == "?":
        return _Token("[^/]"), at + 1
    if text.startswith("**", at):
        begins = at == 0 or text[at - 1] == "/"
        if begins and text.startswith("**/", at):
            return _Token("(?:[^/]*/)", "*"), at + 3
        if begins and len(text) == at + 2:
            return _Token(".", "*"), at + 2
        raise ConfigError(f"{whole}: ** stands for whole folders: write /**/, or /** at the end")
    return _Token("[^/]", "*"), at + 1


def _literal(text: str) -> _Token:
    return _Token(re.escape(text), literal=text)


def _one_of(text: str, at: int, whole: str) -> tuple[_Token, int]:
    """`[abc]`, `[a-z]`, `[!a]`; a `]` that is meant stands first."""
    negated = text.startswith("[!", at)
    begin = at + (2 if negated else 1)
    end = text.find("]", begin + 1)
    inside = text[begin:end] if end > 0 else ""
    if not inside or "/" in inside:
        raise ConfigError(f"{whole}: [ without ]; a bracket that is part of a name is written [[]")
    pieces = []
    while inside:
        if len(inside) > 2 and inside[1] == "-":
            if inside[0] > inside[2]:
                raise ConfigError(f"{whole}: [{inside[:3]}] has no characters: write the smaller one first")
            pieces.append(f"{re.escape(inside[0])}-{re.escape(inside[2])}")
            inside = inside[3:]
        else:
            pieces.append(re.escape(inside[0]))
            inside = inside[1:]
    return _Token(f"(?!/)[{'^' if negated else ''}{''.join(pieces)}]"), end + 1


def _capture(text: str, at: int, whole: str) -> tuple[_Token, int]:
    end = text.find("}", at)
    if end < 0:
        raise ConfigError(f"{whole}: {{ without }}; a brace that is part of a name is written {{{{")
    name, colon, wanted = text[at + 1 : end].partition(":")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ConfigError(f"{whole}: {{{name}}}: a name is letters, digits and _, a letter first")
    if not colon:
        return _Token("[^/]", "+", capture=Capture(name, "text")), end + 1
    return _dated(name, wanted, whole), end + 1


def _dated(name: str, wanted: str, whole: str) -> _Token:
    parts = re.split(r"%(.?)", wanted, flags=re.DOTALL)
    directives = parts[1::2]
    regex = re.escape(parts[0])
    for directive, text in zip(directives, parts[2::2], strict=True):
        if directive not in _DIGITS:
            raise ConfigError(
                f"{whole}: {{{name}:{wanted}}}: %{directive} is not known; there are: %{' %'.join(_DIGITS)}"
            )
        regex += f"[0-9]{{{_DIGITS[directive]}}}" + re.escape(text)
    if len(set(directives)) < len(directives):
        raise ConfigError(f"{whole}: {{{name}:{wanted}}}: a part of a date stands twice")
    if not {"Y", "y"} & set(directives):
        raise ConfigError(f"{whole}: {{{name}:{wanted}}}: a date needs its year, %Y")
    timed = {"H", "M", "S"} & set(directives)
    return _Token(regex, capture=Capture(name, "timestamp" if timed else "date", wanted))


def _refuse_neighbours(tokens: list[_Token], whole: str) -> None:
    """Of two pieces of any length without a character between, nothing says where the first one ends."""
    parts = [token for token in tokens if token.regex]
    for one, other in pairwise(parts):
        capture = one.capture or other.capture
        if capture and one.repeats and other.repeats and "/" not in one.regex.replace("[^/]", ""):
            raise ConfigError(f"{whole}: nothing says where {{{capture.name}}} ends: write a character between")
