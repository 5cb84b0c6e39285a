"""The fingerprint of a full snapshot: equal content, equal text, whatever order the rows came in.

Guarantee: two snapshots with different rows have different fingerprints but for a collision of two 64-bit sums and
the row count together; a doubled or a missing row changes it. It is computed by DuckDB over the landing files,
without the landing columns, streaming. Another version of DuckDB may hash otherwise: then the table is loaded once
more, and nothing is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from el.slice import LANDING


def fingerprint(files: Sequence[Path], schema: pa.Schema) -> str:
    """Of the rows in these landing files; `schema` (names and types of the source columns) is part of it."""
    shape = hashlib.sha256(str([(field.name, str(field.type)) for field in schema]).encode()).hexdigest()[:16]
    prefix = f"duckdb-{duckdb.__version__}:{shape}"
    if not files:
        return f"{prefix}:0"
    landing = ", ".join(field.name for field in LANDING)
    with duckdb.connect(config={"memory_limit": "256MB"}) as connection:
        found = connection.execute(
            f"""SELECT count(*), sum(hash(row_)::HUGEINT), bit_xor(hash(row_, 1))
                FROM (SELECT t AS row_ FROM (SELECT * EXCLUDE ({landing}) FROM read_parquet(?)) AS t)""",
            [[str(path) for path in files]],
        ).fetchone()
    assert found is not None
    return f"{prefix}:{found[0]}:{found[1]}:{found[2]}"
