"""The fingerprint of a full snapshot: equal content, equal text, in whatever order and slices the rows came.

Guarantee: two snapshots with different rows have different fingerprints but for a collision of two 64-bit sums and
the row count together; a doubled or a missing row changes it. DuckDB hashes the rows as they are landed, without the
landing columns. Another version of DuckDB may hash otherwise: then the table is loaded once more, and nothing is lost.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from el.connectors.sql.engine import session


@dataclass(frozen=True, slots=True)
class RowHash:
    """What is known of a set of rows: how many, the sum of their 64-bit hashes, and these hashed again by XOR."""

    rows: int = 0
    total: int = 0
    mixed: int = 0

    def __add__(self, other: RowHash) -> RowHash:
        return RowHash(self.rows + other.rows, self.total + other.total, self.mixed ^ other.mixed)

    def text(self, schema: pa.Schema) -> str:
        """The fingerprint of these rows; `schema` (names and types of the source columns) is part of it."""
        shape = hashlib.sha256(str([(field.name, str(field.type)) for field in schema]).encode()).hexdigest()[:16]
        prefix = f"duckdb-{duckdb.__version__}:{shape}"
        return f"{prefix}:{self.rows}:{self.total}:{self.mixed}" if self.rows else f"{prefix}:0"


class RowHasher:
    """Hashes rows; one of its own for each thread that does."""

    def __init__(self) -> None:
        self._connection = session()

    def of(self, rows: pa.Table) -> RowHash:
        """Of these rows, all of their columns."""
        # By numbers: a name given here could be that of a column, which then would be hashed alone.
        names = [f"c{number}" for number in range(rows.num_columns)]
        self._connection.register("landed", pa.table([_told_apart(column) for column in rows.columns], names=names))
        row = ", ".join(names)
        count, total, mixed = self._connection.execute(
            "SELECT count(*), coalesce(sum(h::HUGEINT), 0), coalesce(bit_xor(hash(h)), 0) "
            f"FROM (SELECT hash({row}) AS h FROM landed)"
        ).fetchall()[0]
        self._connection.unregister("landed")
        return RowHash(count, total, mixed)

    def close(self) -> None:
        self._connection.close()


def _told_apart(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats as their bits: DuckDB takes 0.0 and -0.0 for the same."""
    bits = {pa.float64(): pa.int64(), pa.float32(): pa.int32()}.get(column.type)
    return column if bits is None else pa.chunked_array([chunk.view(bits) for chunk in column.chunks], bits)
