"""Arrow as the values of a store of documents: the way through lists and structs, which is the same for all.

A store says which plain types it has, what a value of each is, and how it writes a list and a struct.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from el.errors import WriteError

IS_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
IS_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
_IS_LIST = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def is_text(type_: pa.DataType) -> bool:
    """Whether its values are text."""
    held = type_.value_type if pa.types.is_dictionary(type_) else type_
    return any(is_(held) for is_ in IS_TEXT)


class ArrowValues(ABC):
    """What one store makes of Arrow. types: the name of its types; struct: what it calls a struct; null: its NULL."""

    types: ClassVar[str]
    struct: ClassVar[str]
    null: ClassVar[Any] = None

    @abstractmethod
    def knows(self, type_: pa.DataType) -> bool:
        """Whether it has a type for this one, which has no parts."""

    @abstractmethod
    def plain(self, array: pa.Array, name: str) -> list[Any]:
        """The values of a type that it knows. Raises `WriteError` for one that it does not hold."""

    def extended(self, array: pa.Array, name: str) -> list[Any]:
        """Those of an extension type."""
        return self.of(array.storage, name)

    def listed(self, values: list[Any]) -> Any:
        """A list."""
        return values

    def mapped(self, fields: dict[str, Any]) -> Any:
        """A struct."""
        return fields

    def refuse_type(self, type_: pa.DataType, name: str) -> None:
        """Raise `WriteError` for a type that the store has none for."""
        if isinstance(type_, pa.BaseExtensionType):
            self.refuse_type(type_.storage_type, name)
        elif pa.types.is_dictionary(type_) or any(is_(type_) for is_ in _IS_LIST):
            self.refuse_type(type_.value_type, name)
        elif pa.types.is_struct(type_):
            names = [field.name for field in type_]
            if len(set(names)) != len(names):
                raise WriteError(f"{name}: a struct with a field's name twice is no {self.struct}")
            for field in type_:
                self.refuse_type(field.type, f"{name}.{field.name}")
        elif not self.knows(type_):
            raise WriteError(f"{name}: {self.types} has no type for {type_}: cast it before")

    def of(self, array: pa.Array, name: str) -> list[Any]:
        """The values as the driver takes them. Raises `WriteError` for one that the store does not hold."""
        type_ = array.type
        if isinstance(type_, pa.BaseExtensionType):
            return self.extended(array, name)
        if pa.types.is_dictionary(type_):
            return self.of(array.dictionary.take(array.indices), name)
        if any(is_(type_) for is_ in _IS_LIST):
            return self._lists(array, name)
        return self._structs(array, name) if pa.types.is_struct(type_) else self.plain(array, name)

    def _lists(self, array: pa.Array, name: str) -> list[Any]:
        if pa.types.is_fixed_size_list(array.type):
            array = array.cast(pa.list_(array.type.value_type))
        inner = self.of(array.flatten(), name)
        at, found = 0, []
        for size in pc.list_value_length(array).to_pylist():
            found.append(self.null if size is None else self.listed(inner[at : at + size]))
            at += size or 0
        return found

    def _structs(self, array: pa.Array, name: str) -> list[Any]:
        parts = zip(array.type, array.flatten(), strict=True)
        columns = [self.of(each, f"{name}.{field.name}") for field, each in parts]
        names = [field.name for field in array.type]
        rows: Iterator[tuple[Any, ...]] = zip(*columns, strict=True) if columns else iter([()] * len(array))
        there = array.is_valid().to_pylist()
        return [
            self.mapped(dict(zip(names, row, strict=True))) if is_there else self.null
            for is_there, row in zip(there, rows, strict=True)
        ]
