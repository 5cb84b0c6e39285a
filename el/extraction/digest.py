"""The digest of rows that land: one sum over all of them, in which no order matters, and which raw has to give again.

Each row is one number of 64 bits, made of all its values together: so a value that moved to another row or column, a
NULL for an empty text and a lost row beside a doubled one give another sum. There are two ways to make it. HASH is
DuckDB's `hash`, where raw is DuckDB's too, of the same version. MD5 is for any other warehouse: the lower half of the
MD5 of the row's text, which is its values' texts with SEPARATOR between them and NOTHING for NULL. Floats have no text
that two engines write alike: MD5 leaves them out, and their number, least and greatest value are compared instead.

Left out are the load's id, by which the rows are found, and the moment at which they were read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types as of

from el.connectors.sql.engine import session

Way = Literal["hash", "md5"]
SEPARATOR, NOTHING = "chr(31)", "chr(30)"
# A warehouse makes the text of a row, and its texts have an end.
WIDEST_ROW = 16 * 1024 * 1024
_OWN = ("_dlt_load_id", "_el_extracted_at")
_BATCH_ROWS = 65_536
_BY_HASH = f"duckdb-{duckdb.__version__}"
# By kind of type, a value's text as DuckDB writes it.
TEXTS: Mapping[str, str] = {
    "whole": "CAST({column} AS VARCHAR)",
    "decimal": "CAST({column} AS VARCHAR)",
    "bool": "CAST({column} AS VARCHAR)",
    "text": "CAST({column} AS VARCHAR)",
    "bytes": "hex({column})",
    "date": "strftime({column}, '%Y-%m-%d')",
    "time": "strftime(DATE '2000-01-01' + {column}, '%H:%M:%S.%f')",
    "moment": "strftime({column}, '%Y-%m-%d %H:%M:%S.%f')",
    "instant": "strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')",
}
# By kind of type, what DuckDB hashes: raw may hold a wider type than lands. It takes 0.0 and -0.0 for the same.
_HASHED: Mapping[str, str] = {
    "whole": "TRY_CAST({column} AS HUGEINT)",
    "decimal": "TRY_CAST({column} AS DECIMAL({precision}, {scale}))",
    "text": "CAST({column} AS VARCHAR)",
    "float": "TRY_CAST({column} AS DOUBLE), signbit({column})",
}


def kind_of(type_: pa.DataType) -> str:
    """The kind of a landing type; "" for one that no digest knows."""
    if of.is_integer(type_) or (of.is_decimal(type_) and not type_.scale):
        return "whole"
    if of.is_timestamp(type_):
        return "moment" if type_.tz is None else "instant"
    tests = (
        ("decimal", of.is_decimal),
        ("float", of.is_floating),
        ("bool", of.is_boolean),
        ("date", of.is_date),
        ("time", of.is_time),
        ("text", of.is_string),
        ("text", of.is_large_string),
        ("bytes", of.is_binary),
        ("bytes", of.is_large_binary),
    )
    return next((kind for kind, test in tests if test(type_)), "")


def digested(schema: pa.Schema) -> pa.Schema:
    """The columns of a landed table that its digest is of, by name: files have them in different orders."""
    return pa.schema(sorted((c for c in schema if c.name not in _OWN), key=lambda column: column.name))


def floats_of(schema: pa.Schema) -> list[str]:
    """The columns that MD5 leaves out."""
    return [column.name for column in schema if kind_of(column.type) == "float"]


def hash_of(columns: Sequence[str], types: Sequence[pa.DataType]) -> str:
    """DuckDB's expression for a row's number by HASH; columns: quoted names."""
    parts = [
        filled(_HASHED.get(kind_of(type_), "{column}"), column, type_)
        for column, type_ in zip(columns, types, strict=True)
    ]
    return f"hash({', '.join(parts)})"


def texts_of(columns: Sequence[str], types: Sequence[pa.DataType], forms: Mapping[str, str]) -> list[str]:
    """The texts that MD5 is made of, by these forms of one engine; never NULL."""
    named = [(forms[kind], c, t) for c, t in zip(columns, types, strict=True) if (kind := kind_of(t)) in forms]
    return [f"COALESCE({filled(form, column, type_)}, {NOTHING})" for form, column, type_ in named]


def filled(form: str, column: str, type_: pa.DataType) -> str:
    if of.is_decimal(type_) and type_.precision == type_.scale:
        # DuckDB writes no zero before the point where the type has no digit there.
        column = f"CAST({column} AS DECIMAL({type_.precision + 1}, {type_.scale}))"
    text = form.replace("{column}", column)
    if of.is_decimal(type_):
        text = text.replace("{precision}", str(type_.precision)).replace("{scale}", str(type_.scale))
    return text


@dataclass(frozen=True, slots=True)
class Extremes:
    """Of a column of floats: how many values it has, the least and the greatest of them."""

    count: int = 0
    least: float | None = None
    greatest: float | None = None

    def __add__(self, other: Extremes) -> Extremes:
        return Extremes(
            self.count + other.count,
            min(_there(self.least, other.least), key=_order, default=None),
            max(_there(self.greatest, other.greatest), key=_order, default=None),
        )

    def same(self, other: Extremes) -> bool:
        """NaN is NaN."""
        return repr((self.count, _order(self.least), _order(self.greatest))) == repr(
            (other.count, _order(other.least), _order(other.greatest))
        )


def _there(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def _order(value: float | None) -> tuple[bool, float]:
    """NaN is greater than all other values, and -0.0 is 0.0."""
    return (True, 0.0) if value is None or value != value else (False, value + 0.0)


@dataclass(frozen=True, slots=True)
class Digest:
    """What is known of rows. by: the way; of HASH with DuckDB's version. widest: the longest text that MD5 is of."""

    by: str
    total: int = 0
    floats: Mapping[str, Extremes] = field(default_factory=dict)
    widest: int = 0

    def __add__(self, other: Digest) -> Digest:
        names = dict.fromkeys((*self.floats, *other.floats))
        floats = {name: self.floats.get(name, Extremes()) + other.floats.get(name, Extremes()) for name in names}
        return Digest(self.by, self.total + other.total, floats, max(self.widest, other.widest))

    @property
    def outdated(self) -> bool:
        """Whether DuckDB is another version by now, and may hash otherwise."""
        return self.by not in (_BY_HASH, "md5")

    @property
    def comparable(self) -> bool:
        """Whether the warehouse can make the text of each row."""
        return self.widest <= WIDEST_ROW

    def text(self) -> str:
        """As the ledger has it, in JSON."""
        floats = {name: [each.count, each.least, each.greatest] for name, each in self.floats.items()}
        more: dict[str, object] = {"floats": floats} if floats else {}
        if self.widest > WIDEST_ROW:
            more["not_compared"] = {"a row's text has bytes": self.widest}
        return json.dumps({"by": self.by, "sum": str(self.total), **more})

    @staticmethod
    def of_text(text: str) -> Digest:
        found = json.loads(text)
        floats = {name: Extremes(*each) for name, each in found.get("floats", {}).items()}
        return Digest(found["by"], int(found["sum"]), floats, max(found.get("not_compared", {}).values(), default=0))


class Digester:
    """Makes the digest of rows; one of its own for each thread that does."""

    def __init__(self, way: Way, schema: pa.Schema) -> None:
        """schema: the landed columns; those that rows lack are NULL."""
        self._way, self._schema = way, digested(schema)
        self._by = "md5" if way == "md5" else _BY_HASH
        self._connection = session()
        # By numbers: a name could be that of the table here.
        names = [f"c{number}" for number in range(len(self._schema))]
        self._names = names
        if way == "hash":
            row = hash_of(names, self._schema.types)
            self._sql = f"SELECT sum(CAST({row} AS HUGEINT)) FROM landed"
        else:
            texts = ", ".join(texts_of(names, self._schema.types, TEXTS))
            self._sql = (
                "SELECT unhex(substr(md5(t), 17)) AS n, strlen(t) AS w "
                f"FROM (SELECT concat_ws({SEPARATOR}, {texts}) AS t FROM landed)"
            )

    def of(self, rows: pa.Table) -> Digest:
        if not rows.num_rows:
            return Digest(self._by)
        columns = [
            rows.column(name) if name in rows.schema.names else pa.chunked_array([pa.nulls(rows.num_rows, type_)])
            for name, type_ in zip(self._schema.names, self._schema.types, strict=True)
        ]
        self._connection.register("landed", pa.table(columns, names=self._names))
        try:
            if self._way == "hash":
                return Digest(self._by, int(self._connection.execute(self._sql).fetchall()[0][0]))
            found = self._connection.sql(self._sql).to_arrow_table()
            return Digest(self._by, _sum(found.column(0)), self._floats(), _greatest(found.column(1)))
        finally:
            self._connection.unregister("landed")

    def of_file(self, path: Path) -> Digest:
        """Of the rows of a parquet file."""
        found = Digest(self._by)
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                found += self.of(pa.Table.from_batches([batch]))
        return found

    def close(self) -> None:
        self._connection.close()

    def _floats(self) -> dict[str, Extremes]:
        places = {name: f"c{self._schema.get_field_index(name)}" for name in floats_of(self._schema)}
        if not places:
            return {}
        asked = ", ".join(f"count({c}), min({c})::DOUBLE, max({c})::DOUBLE" for c in places.values())
        row = self._connection.execute(f"SELECT {asked} FROM landed").fetchall()[0]
        return {name: Extremes(*row[3 * n : 3 * n + 3]) for n, name in enumerate(places)}


def _sum(numbers: pa.ChunkedArray) -> int:
    """Of numbers of eight bytes each, the greatest first: DuckDB's function that gives numbers takes twice as long."""
    total = 0
    for part in numbers.chunks:
        data = np.frombuffer(part.buffers()[2], ">u8", len(part), part.offset * 8).astype(np.uint64)
        low, high = data & np.uint64(0xFFFFFFFF), data >> np.uint64(32)
        total += int(low.sum()) + (int(high.sum()) << 32)
    return total


def _greatest(lengths: pa.ChunkedArray) -> int:
    return int(lengths.to_numpy().max())
