"""What the suite must know of a connector: one frozen value each.

What a connector's database does not have is `never`; what an engine, or its stand-in, does otherwise than the connector
promises is a gap. Each has its reason, and its test runs and must fail, so that what closes is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from el.errors import ElError

Output = dict[str, Any]


@dataclass(frozen=True)
class Held:
    """A column type as the database declares it, and edge values that it holds, as Arrow."""

    declared: str
    arrow: pa.DataType
    values: tuple[Any, ...]

    def array(self) -> pa.Array:
        return pa.array([*self.values, None], self.arrow)

    def __str__(self) -> str:
        return self.declared


@dataclass(frozen=True)
class Facts:
    """A connector, as the suite needs to know it.

    server: gives the profile output of a database to work in. real: who answers; a stand-in is none.
    whole, text: a whole-number and a text type for keys and names. held: see `Held`.
    ddl: statements that make tables `parent` and `child` in {schema}; never: what of them no catalog of it shows.
    refused: connections that fail: changes of the output, the error, what it says.
    line: whether a network lies between. detached: why what a killed process wrote may keep its locks for a while.
    never, gaps: test -> why not.
    """

    name: str
    scheme: str
    server: Callable[[], AbstractContextManager[Output]]
    whole: str
    text: str
    held: tuple[Held, ...]
    ddl: tuple[str, ...]
    refused: tuple[tuple[Mapping[str, Any], type[ElError], str], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    never: Mapping[str, str] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)
    line: bool = True
    detached: str = ""

    def __str__(self) -> str:
        return self.name
