"""The digest of what raw holds of a load, by the warehouse, in the statement that counts its rows.

See `el.extraction.digest` for what it is of, and how the landed side makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.storages.load_package import ParsedLoadJobFileName

from el.extraction.digest import SEPARATOR, Digest, Digester, Extremes, Way, digested, floats_of, hash_of, texts_of
from el.extraction.landing import LandedFile, LandedTable


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a table has to hold of a load. digest: None where rows are counted alone."""

    rows: int
    digest: Digest | None = None
    schema: pa.Schema | None = None  # the landed columns, where there is a digest


@dataclass(frozen=True, slots=True)
class Held:
    """What a table holds of a load."""

    rows: int
    total: int = 0
    floats: Mapping[str, Extremes] | None = None


@dataclass(frozen=True, slots=True)
class Summing:
    """How one warehouse sums up. texts: its texts of values, by kind of type; number: of the row's text, MD5 alone."""

    way: Way
    texts: Mapping[str, str]
    number: str = ""
    by_default: bool = False  # whether it costs so little that nobody has to ask for it

    def columns(self, schema: pa.Schema, quoted: Mapping[str, str]) -> list[str]:
        """The aggregates: the sum as text, and of each float three. quoted: the columns' names in SQL."""
        schema = digested(schema)
        names = [quoted[name] for name in schema.names]
        if self.way == "hash":
            return [f"CAST(SUM(CAST({hash_of(names, schema.types)} AS HUGEINT)) AS VARCHAR)"]
        text = f"CONCAT_WS({SEPARATOR}, {', '.join(texts_of(names, schema.types, self.texts))})"
        found = [f"TO_VARCHAR(SUM({self.number.replace('{text}', text)}))"]
        for column in (quoted[name] for name in floats_of(schema)):
            found += [f"COUNT({column})", f"MIN({column})", f"MAX({column})"]
        return found

    def held(self, rows: object, found: Sequence[object], schema: pa.Schema | None) -> Held:
        """What the answer to these aggregates says."""
        count = int(str(rows))
        if schema is None:
            return Held(count)
        names = [] if self.way == "hash" else floats_of(digested(schema))
        floats = {
            name: Extremes(int(str(found[3 * n + 1])), _float(found[3 * n + 2]), _float(found[3 * n + 3]))
            for n, name in enumerate(names)
        }
        return Held(count, 0 if found[0] is None else int(str(found[0])), floats)


def _float(value: object) -> float | None:
    return None if value is None else float(str(value))


def differs(table: str, wanted: Wanted, held: Held) -> str | None:
    """What raw holds otherwise than was sent, in words."""
    if held.rows != wanted.rows:
        return f"{table} has {held.rows:,} of {wanted.rows:,} rows"
    if wanted.digest is None or wanted.schema is None:
        return None
    if held.total != wanted.digest.total:
        return f"{table} has {held.rows:,} rows, and in them other values than were read"
    floats = held.floats or {}
    for name, extremes in wanted.digest.floats.items():
        if not extremes.same(floats.get(name, Extremes())):
            return f"{table} has other values in {name} than were read"
    return None


def digest_of(table: LandedTable, way: Way) -> Digest:
    """Of all rows of a landed table. What was made while they landed counts; other files are read once more."""
    digester = Digester(way, table.schema)
    try:
        found = digester.of(table.schema.empty_table())
        for file in table.files:
            found += file.digest if file.digest is not None else digester.of_file(file.path)
        return found
    finally:
        digester.close()


def wanted_of(sent: Mapping[str, Wanted], digests: Mapping[str, str], folder: Path) -> dict[str, Wanted]:
    """What these tables have to give, by their digests in the ledger and the landed columns in a package's folder.

    A digest of another version of DuckDB, which a package has that waited, is made anew of the package's files.
    """
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("completed_jobs/*.parquet")):
        files.setdefault(ParsedLoadJobFileName.parse(path.name).table_name, []).append(path)
    found = {}
    for table, text in digests.items():
        digest, paths = Digest.of_text(text), files.get(table, [])
        schemas = [pq.read_schema(path) for path in paths]
        columns = {column.name: column for schema in schemas for column in schema}
        schema = pa.schema(list(columns.values()))
        if digest.outdated:
            landed = tuple(LandedFile(path, 0, 0) for path in paths)
            digest = digest_of(LandedTable(table, schema, landed), "hash")
        if paths and digest.comparable:
            found[table] = Wanted(sent[table].rows, digest, schema)
    return found
