"""What a file of text holds, as one number, which the warehouse can tell of what it read by itself.

Of each record a text is made: its number and its fields, with SEPARATOR between them and NOTHING for NULL, two
characters that no such file may hold. So NULL and '', a field that has moved, a blank that is lost and a row at another
place make another text. Of that text the lower half of its MD5 is taken, as a number (big endian); of all records the
sum, in which no order matters. A header is record 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR, NOTHING = "\x1f", "\x1e"
# A warehouse makes the text of a record to sum it, and its texts have an end.
WIDEST_RECORD = 16 * 1024 * 1024
# So many bytes go into one query: each costs about a millisecond by itself.
_AT_ONCE = 8 * 1024 * 1024
_LOWER_HALVES = "SELECT unhex(substr(md5(t), 17)) FROM part"


class ContentSum:
    """The number of one file, while it is read."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._texts: list[pa.Array] = []
        self._held = self._total = self._widest = 0

    def add(self, columns: Sequence[pa.Array], records: pa.Array) -> None:
        """columns: text; records: their numbers, from 1; 0 of a header."""
        # Behind the last field stands one that no record may have: the warehouse tells of what is too much.
        fields = [records.cast(pa.string()), *columns, pa.scalar(None, pa.string())]
        texts = pc.binary_join_element_wise(*fields, SEPARATOR, null_handling="replace", null_replacement=NOTHING)
        self._widest = max(self._widest, pc.max(pc.binary_length(texts)).as_py() or 0)
        self._texts.append(texts)
        self._held += texts.nbytes
        if self._held >= _AT_ONCE:
            self._sum()

    def result(self) -> tuple[int, int]:
        """The sum, and how many bytes the longest text of a record has."""
        if self._texts:
            self._sum()
        return self._total, self._widest

    def _sum(self) -> None:
        self._connection.register("part", pa.table({"t": pa.chunked_array(self._texts)}))
        try:
            halves = self._connection.sql(_LOWER_HALVES).to_arrow_table().column(0)
        finally:
            self._connection.unregister("part")
        self._texts, self._held = [], 0
        for part in halves.chunks:
            # Of values of eight bytes each: one array of them.
            data = np.frombuffer(part.buffers()[2], ">u8", len(part), part.offset * 8).astype(np.uint64)
            low, high = data & np.uint64(0xFFFFFFFF), data >> np.uint64(32)
            self._total += int(low.sum()) + (int(high.sum()) << 32)
