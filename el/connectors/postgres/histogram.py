"""What ANALYZE noted of how a column's values lie (PostgreSQL Documentation, "pg_stats")."""

from __future__ import annotations

from el.connectors.catalog import SourceType
from el.connectors.sql.dialect import Dialect

# Values that many rows have are none of the histogram's, between each two of which lie as many of the other rows. Of a
# table with parts it is that of all of them.
_HISTOGRAM = """SELECT {shown}, CAST(h.below AS text), CAST(h.equal AS text) FROM pg_catalog.pg_stats AS s, LATERAL (
SELECT b AS v, CASE WHEN place > 1 THEN GREATEST(0, 1 - s.null_frac - COALESCE((SELECT sum(f) FROM
unnest(s.most_common_freqs) AS f), 0)) / (array_length(s.histogram_bounds, 1) - 1) ELSE 0 END AS below, 0 AS equal
FROM unnest(CAST(CAST(s.histogram_bounds AS text) AS {type}[])) WITH ORDINALITY AS x (b, place)
UNION ALL SELECT v, 0, f
FROM unnest(CAST(CAST(s.most_common_vals AS text) AS {type}[]), s.most_common_freqs) AS x (v, f)) AS h
WHERE to_regclass(format('%I.%I', s.schemaname, s.tablename)) = to_regclass(?) AND s.attname = CAST(? AS name)
AND s.inherited = EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent =
to_regclass(format('%I.%I', s.schemaname, s.tablename))) ORDER BY h.v"""
_READ_AS = {"smallint": "numeric", "integer": "numeric", "bigint": "numeric", "char": "bpchar", "varchar": "text"}


def histogram(type_: SourceType, dialect: Dialect) -> str:
    """The query of a column's values in canonical text, each with what share of the rows lies below it, and has it.

    Its parameters are the table, as it is written in SQL, and the column.
    """
    return _HISTOGRAM.format(shown=dialect.as_text("h.v", type_), type=_READ_AS.get(type_.name, type_.name))
