"""The texts of many documents at once: the same as `extended.text_of` writes of each, by numpy and Arrow.

All documents are walked in step, an element of each at a time. Those that have the same type and name there are one
group, whose values become text together. Documents with rare types, or unlike all others, are left to `text_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from el.connectors.documents.text import quoted
from el.connectors.mongodb.together_values import VALUES, Bytes, Values

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# Fewer are sooner looked at one by one.
FEW = 128
_DEEPEST = 60
_OBJECT, _ARRAY, _END = 0x03, 0x04, 0x00


@dataclass(slots=True)
class Together:
    """What was found. left: which documents have to be looked at by themselves; of them the rest says nothing."""

    documents: pa.StringArray
    keys: pa.StringArray  # "" where there is none
    has_key: Bools
    doubt: Bools
    left: Bools


def texts_of(data: bytes, starts: Ints) -> Together:
    """The texts of documents that stand one after another, and begin there."""
    walk = _Walk(Bytes(data), starts)
    walk.through()
    return walk.found()


@dataclass(slots=True)
class _Level:
    """The object or array that each document is in, at one depth."""

    is_array: Bools
    number: Ints  # of all objects and arrays, which this one is
    count: Ints  # of its elements so far
    end: Ints

    @classmethod
    def of(cls, documents: int) -> _Level:
        zeros = [np.zeros(documents, np.int64) for _ in range(3)]
        return cls(np.zeros(documents, np.bool_), *zeros)


@dataclass(slots=True)
class _Pool:
    """Texts that parts of documents are made of: what stands in many of them, and values."""

    constants: dict[str, int] = field(default_factory=dict)
    values: list[pa.StringArray] = field(default_factory=list)
    size: int = 0

    def constant(self, text: str) -> int:
        """Its number; those of constants are below 0, and of values from 0 on."""
        return -1 - self.constants.setdefault(text, len(self.constants))

    def add(self, values: pa.StringArray) -> Ints:
        self.values.append(values)
        self.size += len(values)
        return np.arange(self.size - len(values), self.size)

    def taken(self, numbers: Ints) -> pa.StringArray:
        constants = pa.array(list(self.constants), pa.string())
        places = np.where(numbers < 0, -1 - numbers, numbers + len(constants))
        return pa.concat_arrays([constants, *self.values]).take(pa.array(places))


class _Walk:
    def __init__(self, data: Bytes, starts: Ints) -> None:
        documents = len(starts)
        self.data = data
        self.at = starts + 4
        self.depth = np.zeros(documents, np.int64)
        self.parts = np.zeros(documents, np.int64)  # of each, how many so far
        self.key_from = np.full(documents, -1)
        self.key_to = np.full(documents, -1)
        self.doubt = np.zeros(documents, np.bool_)
        self.left = np.zeros(documents, np.bool_)
        self.levels = [_Level.of(documents)]
        self.levels[0].end = starts + data.ints(starts)
        self.levels[0].number = np.arange(documents)
        self.objects = documents
        self.names: dict[bytes, int] = {}
        self.named: list[tuple[Ints, Ints]] = []  # numbers of objects with names in them, and of which document
        self.pool = _Pool()
        self.told: list[tuple[Ints, Ints, Ints]] = []  # documents, which of their parts, the three texts of it
        self._tell(np.arange(documents), "{")

    def through(self) -> None:
        """Step by step, until all have ended or are left."""
        active = np.arange(len(self.at))
        while len(active):
            if len(active) < FEW:
                self.left[active] = True
                return
            rest = active
            for _ in range(max(4, len(active) // FEW)):
                if not len(rest):
                    break
                rest = self._group(rest)
            self.left[rest] = True
            active = active[(self.depth[active] >= 0) & ~self.left[active]]

    def _group(self, rest: Ints) -> Ints:
        """One step of those that are as the first one is; the others."""
        first = int(rest[0])
        depth = int(self.depth[first])
        level = self.levels[depth]
        at = int(self.at[first])
        kind = self.data.whole[at]
        element = self.data.whole[at : at + 1 if kind == _END else self.data.whole.index(0, at + 1) + 1]
        same = (self.depth[rest] == depth) & (level.is_array[rest] == level.is_array[first])
        same &= self.data.begin_with(self.at[rest], element)
        group = rest[same]
        if kind == _END:
            self._close(group, level)
        else:
            self._element(group, level, depth, element)
        others: Ints = rest[~same]
        return others

    def _close(self, group: Ints, level: _Level) -> None:
        if level is self.levels[0]:
            self._key_ends(group)
        self._tell(group, "]" if level.is_array[group[0]] else "}")
        self.at[group] += 1
        self.left[group[self.at[group] != level.end[group]]] = True
        self.depth[group] -= 1

    def _element(self, group: Ints, level: _Level, depth: int, element: bytes) -> None:
        kind, name = element[0], element[1:-1]
        values = self.at[group] + len(element)
        if depth == 0:
            self._key_ends(group)
        begin = self._begin(group, level, name, depth)
        level.count[group] += 1
        if kind in (_OBJECT, _ARRAY):
            self._tell(group, "{" if kind == _OBJECT else "[", begin)
            self._open(group, values, kind == _ARRAY, depth + 1)
        elif kind in VALUES:
            found: Values = VALUES[kind](self.data, values)
            self.at[group] = values + found.sizes
            if found.doubt is not None:
                self.doubt[group[found.doubt]] = True
            if found.left is not None:
                self.left[group[found.left]] = True
            self._tell(group, found.before, begin, found.texts, found.after)
        else:
            self.left[group] = True

    def _begin(self, group: Ints, level: _Level, name: bytes, depth: int) -> Sequence[str]:
        """What stands in front of the value: in the first element of an object or array, and in others."""
        if level.is_array[group[0]]:
            number = int(name) if name.isdigit() and len(name) < 10 and str(int(name)).encode() == name else -1
            self.doubt[group[level.count[group] != number]] = True
            return "", ","
        try:
            shown = f"{quoted(name.decode('utf-8'))}:"
        except UnicodeDecodeError:
            self.left[group] = True
            shown = ""
        if name.startswith(b"$"):
            self.doubt[group] = True
        known = self.names.setdefault(name, len(self.names))
        self.named.append(((level.number[group] << 24) + known, group))
        if name != b"_id" or depth:
            return shown, f",{shown}"
        # A part of its own, so that the value stands alone.
        self._tell(group, "", (shown, f",{shown}"), counted=level.count[group])
        new = group[self.key_from[group] < 0]
        self.key_from[new] = self.parts[new]
        self.doubt[new[level.count[new] > 0]] = True
        return "", ""

    def _open(self, group: Ints, values: Ints, is_array: bool, depth: int) -> None:
        if depth >= _DEEPEST:
            self.left[group] = True
            return
        if depth >= len(self.levels):
            self.levels.append(_Level.of(len(self.at)))
        level = self.levels[depth]
        level.is_array[group] = is_array
        level.number[group] = self.objects + np.arange(len(group))
        level.count[group] = 0
        level.end[group] = values + self.data.ints(values)
        self.objects += len(group)
        self.at[group] = values + 4
        self.depth[group] = depth

    def _key_ends(self, group: Ints) -> None:
        ended = group[(self.key_from[group] >= 0) & (self.key_to[group] < 0)]
        self.key_to[ended] = self.parts[ended]

    def _tell(
        self,
        group: Ints,
        before: str,
        begin: Sequence[str] = ("", ""),
        texts: pa.StringArray | None = None,
        after: str = "",
        counted: Ints | None = None,
    ) -> None:
        """A part of each document of the group: what is in front of its value, the value, and what is behind."""
        three = np.empty((len(group), 3), np.int64)
        wanted = [self.pool.constant(f"{each}{before}") for each in begin]
        three[:, 0] = wanted[0]
        if begin[0] != begin[1]:
            count = counted if counted is not None else self._counted(group) - 1
            three[count > 0, 0] = wanted[1]
        three[:, 1] = self.pool.constant("") if texts is None else self.pool.add(texts)
        three[:, 2] = self.pool.constant(after)
        self.told.append((group, self.parts[group], three))
        self.parts[group] += 1

    def _counted(self, group: Ints) -> Ints:
        """How many elements there are by now in what each of them is in."""
        return self.levels[int(self.depth[group[0]])].count[group]

    def found(self) -> Together:
        self._find_doubles()
        starts = np.concatenate([[0], np.cumsum(self.parts)])
        numbers = np.empty((int(starts[-1]), 3), np.int64)
        for group, part, three in self.told:
            numbers[starts[group] + part] = three
        texts = self.pool.taken(numbers.reshape(-1))
        has_key = self.key_from >= 0
        first = np.where(has_key, starts[:-1] + self.key_from, 0)
        sizes = np.where(has_key, self.key_to - self.key_from, 0)
        sizes[self.left] = 0
        return Together(_joined(texts, starts), _keys(texts, first, sizes), has_key, self.doubt, self.left)

    def _find_doubles(self) -> None:
        """A name that comes twice in one object."""
        if not self.named:
            return
        numbers = np.concatenate([number for number, _ in self.named])
        order = np.sort(numbers)
        twice = np.unique(order[1:][order[1:] == order[:-1]])
        if len(twice):
            documents = np.concatenate([group for _, group in self.named])
            self.doubt[documents[np.isin(numbers, twice)]] = True


def _joined(texts: pa.StringArray, starts: Ints) -> pa.StringArray:
    """Three texts a part, one document behind another: the bytes stand there already, in one run each."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
    bounds = np.ascontiguousarray(offsets[starts * 3])
    return pa.Array.from_buffers(pa.string(), len(starts) - 1, [None, pa.py_buffer(bounds), texts.buffers()[2]])


def _keys(texts: pa.StringArray, first: Ints, sizes: Ints) -> pa.StringArray:
    """The runs of parts that are the keys, each a stretch of the bytes that stand there."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
    begin, end = offsets[first * 3], offsets[(first + sizes) * 3]
    return Bytes.stretches(texts.buffers()[2], np.where(sizes > 0, begin, 0), np.where(sizes > 0, end, 0))
