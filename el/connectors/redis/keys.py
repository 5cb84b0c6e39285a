"""The keys of a table and what they hold, in pages: each key once, each value as its bytes are.

A key and its expiry are asked for right after one another. A container of more than `WHOLE` elements, or larger than a
batch, is scanned, a list of so many read in pieces: what is added or taken away meanwhile may be missed, as with keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ResponseError

from el.connectors.misfits import Misfits
from el.connectors.redis.client import Command, refused, scanned, together
from el.connectors.redis.config import KeyTable, KeyType
from el.connectors.redis.seen import Seen
from el.connectors.redis.tables import OWN
from el.errors import ReadError

PAGE = 1_000  # keys
WHOLE = 10_000  # elements of a container that are read by one command
FEW = 16  # elements of a container whose bytes are not asked for
_SIZES = {
    KeyType.STRING: "STRLEN",
    KeyType.HASH: "HLEN",
    KeyType.LIST: "LLEN",
    KeyType.SET: "SCARD",
    KeyType.ZSET: "ZCARD",
    KeyType.STREAM: "XLEN",
}
_ALL: dict[KeyType, tuple[str, tuple[bytes | str | int, ...]]] = {
    KeyType.STRING: ("GET", ()),
    KeyType.HASH: ("HGETALL", ()),
    KeyType.LIST: ("LRANGE", (0, -1)),
    KeyType.SET: ("SMEMBERS", ()),
    KeyType.ZSET: ("ZRANGE", (0, -1, "WITHSCORES")),
    KeyType.STREAM: ("XRANGE", ("-", "+")),
}
_SCANS = {KeyType.HASH: "HSCAN", KeyType.SET: "SSCAN", KeyType.ZSET: "ZSCAN"}
_PAIRS = (KeyType.HASH, KeyType.ZSET)
_NAMES = {each.value: each for each in KeyType}
_TIMES = {True: "PEXPIRETIME", False: "PTTL"}
_GONE = -2  # what PEXPIRETIME and PTTL say of a key that is not there any longer


def behind(id_: bytes) -> bytes:
    """The id that follows one of a stream: "(" in front of an id, which excludes it, is known from Redis 6.2 on."""
    milliseconds, _, number = id_.partition(b"-")
    first, second = int(milliseconds), int(number or 0) + 1
    return b"%d-%d" % ((first, second) if second < 2**64 else (first + 1, 0))


@dataclass(slots=True)
class Held:
    """A key and what it holds, or a part of it. found: as the server gives it, names and values one after the other."""

    key: bytes
    type: KeyType
    found: Any
    expires_ms: int | None = None  # since 1970
    first: int = 0  # the place of the first element
    element_expiries: dict[bytes, int] = field(default_factory=dict)


@dataclass(slots=True)
class KeyReader:
    """Reads the keys of one table from one server. absolute, of_fields: it knows PEXPIRETIME, and HPEXPIRETIME."""

    node: Any
    table: KeyTable
    misfits: Misfits
    batch_bytes: int
    seen: Seen
    slots: bool = False  # one command takes keys of one slot alone
    absolute: bool = True
    of_fields: bool = True

    def held(self) -> Iterator[Held]:
        """All keys of the table, once each. A key that is gone meanwhile is left out."""
        assert self.table.match is not None
        for page in scanned(self.node, ("SCAN",), ("MATCH", self.table.match), PAGE):
            keys = [key for key in self.seen.new(page) if not key.startswith(OWN)]
            yield from self._page(keys)

    def _page(self, keys: Sequence[bytes]) -> Iterator[Held]:
        group: list[tuple[bytes, KeyType]] = []
        taken = 0
        for key, type_, elements, size in self._weighed(self._sized(keys)):
            large = type_ is not KeyType.STRING and (elements > WHOLE or size > self.batch_bytes)
            # A document is whole, however large.
            if large and not (self.table.document and type_ is KeyType.HASH):
                at_once = self.batch_bytes * elements // max(size, 1)
                yield from self._in_parts(key, type_, min(max(at_once, 1), WHOLE))
                continue
            if group and taken + size > self.batch_bytes:
                yield from self._whole(group)
                group, taken = [], 0
            group.append((key, type_))
            taken += size
        yield from self._whole(group)

    def _weighed(self, sized: Sequence[tuple[bytes, KeyType, int]]) -> Iterator[tuple[bytes, KeyType, int, int]]:
        """With their bytes: of a container with many elements by the server's estimate, which takes a sample."""
        asked = [key for key, type_, elements in sized if type_ is not KeyType.STRING and elements > FEW]
        told = dict(zip(asked, together(self.node, [("MEMORY", "USAGE", key) for key in asked]), strict=True))
        for key, type_, elements in sized:
            size = elements if type_ is KeyType.STRING else elements * (self.batch_bytes // WHOLE)
            known = told.get(key)
            # Without the right to ask, and of what is gone, by the number of its elements.
            yield key, type_, elements, max(size, known) if isinstance(known, int) else size

    def _sized(self, keys: Sequence[bytes]) -> list[tuple[bytes, KeyType, int]]:
        """With their types, and how large they are: bytes of a string, elements of others."""
        one = self.table.type
        typed = self._typed(keys) if one is None else [(key, one) for key in keys]
        found, others = [], []
        for (key, type_), size in zip(typed, together(self.node, [(_SIZES[t], k) for k, t in typed]), strict=True):
            error = refused(size)
            if error is not None and not str(error).startswith("WRONGTYPE"):
                raise error
            if error is None:
                found.append((key, type_, int(size)))
            else:
                others.append(key)
        # Of another type than the table's, which is counted; or of another one since.
        again = [key for key, _ in self._typed(others)]
        return found + (self._sized(again) if again else [])

    def _typed(self, keys: Sequence[bytes]) -> list[tuple[bytes, KeyType]]:
        """Their types; a key that is gone, or is of another type than the table's, is left out, this one counted."""
        found: list[tuple[bytes, KeyType]] = []
        for key, said in zip(keys, together(self.node, [("TYPE", key) for key in keys]), strict=True):
            if (error := refused(said)) is not None:
                raise error
            name = bytes(said).decode()
            if name == "none":
                continue
            if name not in _NAMES:
                self.misfits.add("key", 1, f"it is a {name}, which el does not read", repr(key), left_out=True)
            elif self.table.type not in (None, _NAMES[name]):
                self.misfits.add("key", 1, f"it is a {name}, not a {self.table.type}", repr(key), left_out=True)
            else:
                found.append((key, _NAMES[name]))
        return found

    def _whole(self, group: Sequence[tuple[bytes, KeyType]]) -> Iterator[Held]:
        values, expiries = self._answers(group)
        held, again = [], []
        for (key, type_), found, left in zip(group, values, expiries, strict=True):
            if (error := refused(found)) is not None:
                if not str(error).startswith("WRONGTYPE"):
                    raise error
                # It became another type since.
                again.append(key)
            elif found is not None and found != [] and left != _GONE:
                held.append(Held(key, type_, found, self._moment(left)))
        self._add_expiries([each for each in held if each.type is KeyType.HASH])
        yield from held
        if again:
            yield from self._page(again)

    def _answers(self, group: Sequence[tuple[bytes, KeyType]]) -> tuple[list[Any], list[Any]]:
        """What these keys hold, and when they expire."""
        times: list[Command] = [(_TIMES[self.absolute], key) for key, _ in group]
        if not group:
            return [], []
        if not self.slots and all(type_ is KeyType.STRING for _, type_ in group):
            # Of what is no string any longer it says nothing, as of what is gone.
            values, *expiries = together(self.node, [("MGET", *(key for key, _ in group)), *times])
            if (error := refused(values)) is not None:
                raise error
            return list(values), expiries
        commands = [(_ALL[type_][0], key, *_ALL[type_][1]) for key, type_ in group]
        answers = together(self.node, [each for pair in zip(commands, times, strict=True) for each in pair])
        return answers[::2], answers[1::2]

    def _in_parts(self, key: bytes, type_: KeyType, at_once: int) -> Iterator[Held]:
        try:
            yield from self._parts(key, type_, at_once)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            raise ReadError(
                f"{key!r} was a {type_} and became another type while it was read", retryable=True
            ) from None

    def _parts(self, key: bytes, type_: KeyType, at_once: int) -> Iterator[Held]:
        page = min(at_once, PAGE)
        expires = self._moment(self.node.execute_command(_TIMES[self.absolute], key))
        if type_ in _SCANS:
            for found in self._scanned(key, type_, page):
                held = Held(key, type_, found, expires)
                self._add_expiries([held] if type_ is KeyType.HASH and found else [])
                yield held
        elif type_ is KeyType.LIST:
            first = 0
            while found := self.node.execute_command("LRANGE", key, first, first + at_once - 1):
                yield Held(key, type_, found, expires, first)
                first += at_once
        else:
            after: bytes = b"-"
            while found := self.node.execute_command("XRANGE", key, after, "+", "COUNT", page):
                yield Held(key, type_, found, expires)
                after = behind(found[-1][0])

    def _scanned(self, key: bytes, type_: KeyType, at_once: int) -> Iterator[list[Any]]:
        seen = Seen()
        for page in scanned(self.node, (_SCANS[type_], key), at_once=at_once):
            if type_ not in _PAIRS:
                yield seen.new(page)
                continue
            values = dict(zip(page[::2], page[1::2], strict=True))
            yield [each for name in seen.new(list(values)) for each in (name, values[name])]

    def _add_expiries(self, hashes: Sequence[Held]) -> None:
        """When fields expire by themselves, on servers that know it."""
        if not self.of_fields or self.table.document or not hashes:
            return
        names = [each.found[::2] for each in hashes]
        asked = [("HPEXPIRETIME", h.key, "FIELDS", len(n), *n) for h, n in zip(hashes, names, strict=True)]
        for held, fields, times in zip(hashes, names, together(self.node, asked), strict=True):
            if (error := refused(times)) is not None:
                if "unknown command" in str(error):
                    self.of_fields = False
                    return
                if not str(error).startswith("WRONGTYPE"):
                    raise error
                continue
            # None of a key that is gone meanwhile.
            known = zip(fields, times or (), strict=False)
            held.element_expiries = {name: int(time) for name, time in known if int(time) >= 0}

    def _moment(self, answer: Any) -> int | None:
        if (error := refused(answer)) is not None:
            raise ReadError(f"{error}") from None
        found = int(answer)
        if found < 0:
            return None
        if self.absolute:
            return found
        seconds, micros = (int(each) for each in self.node.execute_command("TIME"))
        return seconds * 1000 + micros // 1000 + found
