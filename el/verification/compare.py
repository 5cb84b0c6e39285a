"""Two sets of parquet files compared: a digest for each range of keys, then only the rows of ranges that differ.

Guarantees: ranges are by the hash of the key, so that no collation's order matters; each column is compared value by
value (0.0 and -0.0, NULL and empty, blanks at the end and case are told apart); equal rows of a table without a key
keep their number. DuckDB compares with a bound on its memory, and no Python object is made of a value but those shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from el.extraction.landing import LANDING, LandedFile
from el.loading.canonical import DUCKDB
from el.verification.report import Sample

RANGES = 1024
Digests = Mapping[int, tuple[int, int]]
"""Range -> how many rows it has, and the sum of their numbers."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Shape:
    """What is compared: `schema`, of which `key` (names) tells rows apart; () where nothing does.

    told_by: the columns by which keys are equal, of the files; `key` itself, or a column beside the schema.
    """

    schema: pa.Schema
    key: tuple[str, ...]
    told_by: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The columns that are read: those that are compared, and those beside them by which keys are equal."""
        return list(dict.fromkeys((*self.schema.names, *self.told_by)))

    def key_types(self) -> list[pa.DataType]:
        """Of `told_by`; what stands beside the schema is text."""
        names = set(self.schema.names)
        return [self.schema.field(name).type if name in names else pa.string() for name in self.told_by]


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows by what is wrong with them; columns: in how many rows each differs. in_full: as of `Counts`."""

    source: int
    raw: int
    late: int
    missing: int = 0
    extra: int = 0
    different: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    in_full: int | None = None

    @property
    def any(self) -> int:
        return self.missing + self.extra + self.different


class Comparison:
    """One comparison, in a session of DuckDB's."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, shape: Shape, *, values: bool) -> None:
        """values: samples have the values that differ."""
        self.engine, self.shape, self.values = engine, shape, values
        self.columns = [f"c{number}" for number in range(len(shape.schema))]
        self.keys = [f"k{number}" for number in range(len(shape.told_by))]

    def take(self, source: Sequence[LandedFile], late: Sequence[LandedFile]) -> None:
        """The source's side. late: files with the keys that are left out on both sides; so are rows of the source that
        are marked as deleted.
        """
        self._late(source, late)
        self._side("s", source, LANDING[1].name)

    def late_numbers(self, most: int) -> list[int] | None:
        """The numbers of the late keys; None if there are more than this, or a key has none."""
        number = DUCKDB.row(self.keys, self.shape.key_types())
        if number is None or self._number("SELECT count(*) FROM late") > most:
            return None
        return [row[0] for row in self.engine.execute(f"SELECT {number} FROM late").fetchall()]

    def digests(self) -> Digests:
        """Of the source's side, as the warehouse makes them of raw."""
        row, part = DUCKDB.row(self.columns, self.shape.schema.types), self._numbered_part()
        found = self.engine.execute(f"SELECT {part} AS part, count(*), sum({row}) FROM s GROUP BY part").fetchall()
        return {int(part): (int(count), int(total)) for part, count, total in found}

    def _numbered_part(self) -> str:
        return f"({DUCKDB.row(self.keys, self.shape.key_types())} % {RANGES})"

    def against(self, raw: Sequence[LandedFile], within: Sequence[int] | None = None) -> Difference:
        """Compare with raw's side; within: the ranges of keys' numbers that raw's files have, the others are equal."""
        self._side("r", raw, None)
        source, held, late = (self._number(f"SELECT count(*) FROM {name}") for name in ("s", "r", "late"))
        sides = Difference(source, held, late)
        if within is not None and not within:
            return sides
        if within is not None:
            near = f"{self._numbered_part()} IN ({', '.join(map(str, within)) or '-1'})"
            self.engine.execute(f"CREATE TEMP TABLE near AS SELECT * FROM s WHERE {near}")
            self.engine.execute("CREATE OR REPLACE TEMP VIEW s AS SELECT * FROM near")
        ranges = self._ranges()
        if not ranges:
            return sides
        chosen = ", ".join(map(str, ranges))
        return self._joined(chosen, sides) if self.keys else self._counted(chosen, sides)

    def _number(self, sql: str) -> int:
        return int(self.engine.execute(sql).fetchall()[0][0])

    def _late(self, source: Sequence[LandedFile], late: Sequence[LandedFile]) -> None:
        """The keys that are late, of either read; of a table without a key the number of its late rows."""
        op = LANDING[1].name
        keys = self.shape.told_by
        parts = []
        if source:
            wanted = [*keys, op]
            parts.append(
                f"SELECT {self._named(keys)} FROM {read_columns(source, wanted, 'l')} WHERE {_place(wanted, op)} = 'D'"
            )
        if late and keys:
            parts.append(f"SELECT {self._named(keys)} FROM {read_columns(late, list(keys), 'l')}")
        found = " UNION ALL ".join(parts) or f"SELECT {self._named(keys, empty=True)} WHERE false"
        distinct = "DISTINCT" if keys else ""
        self.engine.execute(f"CREATE TEMP TABLE late AS SELECT {distinct} * FROM ({found}) AS f")

    def _named(self, keys: Sequence[str], *, empty: bool = False) -> str:
        if not keys:
            return "1 AS k"
        return ", ".join(f"{'NULL' if empty else f'l{n}'} AS k{n}" for n in range(len(keys)))

    def _side(self, name: str, files: Sequence[LandedFile], op: str | None) -> None:
        """A view of one side, without late keys: columns by number, floats as text, in which 0.0 is not -0.0."""
        shape = self.shape
        wanted = [*shape.schema.names, *shape.told_by, *([op] if op else [])]
        given = [f"f{number}" for number in range(len(wanted))]
        made = [
            f"{place}::VARCHAR AS {column}" if pa.types.is_floating(type_) else f"{place} AS {column}"
            for place, column, type_ in zip(given, self.columns, shape.schema.types, strict=False)
        ]
        keys = zip(given[len(self.columns) :], self.keys, strict=False)
        made += [f"{place} AS {key}" for place, key in keys]
        if not files:
            empty = shape.schema.empty_table().rename_columns(self.columns)
            self.engine.register(f"none_{name}", empty)
            types = dict(zip(shape.schema.names, self.columns, strict=True))
            beside = [f"{types.get(k, 'NULL::VARCHAR')} AS {n}" for k, n in zip(shape.told_by, self.keys, strict=True)]
            self.engine.execute(f"CREATE TEMP VIEW {name} AS SELECT {', '.join(['*', *beside])} FROM none_{name}")
            return
        kept = f" WHERE {given[-1]} <> 'D'" if op else ""
        select = f"SELECT {', '.join(made)} FROM {read_columns(files, wanted, 'f')}{kept}"
        if self.keys and self._number("SELECT count(*) FROM late"):
            select = f"SELECT * FROM ({select}) AS a ANTI JOIN late USING ({', '.join(self.keys)})"
        self.engine.execute(f"CREATE TEMP VIEW {name} AS {select}")

    def _ranges(self) -> list[int]:
        """The ranges whose digests differ: how many rows, the sum of their hashes, and these hashed again by XOR."""
        told = ", ".join(self.keys or self.columns)
        digest = (
            f"SELECT (hash({told}) % {RANGES})::INTEGER AS part, count(*), sum(h::HUGEINT), bit_xor(hash(h)) "
            f"FROM (SELECT *, hash({', '.join(self.columns)}) AS h FROM {{side}}) AS d GROUP BY part"
        )
        one, other = ({row[0]: row[1:] for row in self.engine.execute(digest.format(side=s)).fetchall()} for s in "sr")
        return sorted(part for part in {*one, *other} if one.get(part) != other.get(part))

    def _joined(self, within: str, sides: Difference) -> Difference:
        """Of the ranges that differ, the rows of both sides by their keys."""
        keys, columns = ", ".join(self.keys), self.columns
        near = f"WHERE hash({keys}) % {RANGES} IN ({within})"
        any_differs = " OR ".join(f"d{n}" for n in range(len(columns)))
        differ = [f"s.{column} IS DISTINCT FROM r.{column} AS d{n}" for n, column in enumerate(columns)]
        shown = [f"s.{column} AS s{n}, r.{column} AS r{n}" for n, column in enumerate(columns)]
        # A row that the scan met twice is one row; one that stands twice in raw is one too many.
        self.engine.execute(
            f"CREATE TEMP TABLE found AS SELECT * FROM (SELECT {keys}, s.there AS ins, r.there AS inr, r.nth AS nth, "
            f"{', '.join([*differ, *shown])} FROM (SELECT DISTINCT *, 1 AS there, 1 AS nth FROM s {near}) AS s "
            f"FULL JOIN (SELECT *, 1 AS there, row_number() OVER (PARTITION BY {keys}) AS nth FROM r {near}) AS r "
            f"USING ({keys}, nth)) AS j WHERE ins IS NULL OR inr IS NULL OR {any_differs}"
        )
        both = "ins IS NOT NULL AND inr IS NOT NULL"
        sums = [f"count(*) FILTER (d{n} AND {both})" for n in range(len(columns))]
        missing, extra, *each = self.engine.execute(
            f"SELECT count(*) FILTER (inr IS NULL), count(*) FILTER (ins IS NULL), {', '.join(sums)} FROM found"
        ).fetchall()[0]
        different = self._number(f"SELECT count(*) FROM found WHERE {both}")
        names = self.shape.schema.names
        found = {name: number for name, number in zip(names, each, strict=True) if number}
        samples = self._samples()
        return replace(sides, missing=missing, extra=extra, different=different, columns=found, samples=samples)

    def write_repair(self, source: Sequence[LandedFile], changed: Path, gone: Path) -> tuple[LandedFile, LandedFile]:
        """Of what was found: the source's rows that raw lacks or has otherwise, as read; raw's further keys."""
        keys, told_by, names = ", ".join(self.keys), self.shape.told_by, self.shape.schema.names
        held = pq.read_schema(source[0].path).names if source else []
        every = [f"h{number}" for number in range(len(held))]
        marks = ", ".join(f"h{held.index(name)} AS {key}" for name, key in zip(told_by, self.keys, strict=True) if held)
        wanted = f"SELECT {keys} FROM found WHERE ins IS NOT NULL"
        if source:
            rows = f"SELECT {', '.join(every)}, {marks} FROM {_whole(source)}"
            self._write(
                f"SELECT {', '.join(every)} FROM ({rows}) AS a SEMI JOIN ({wanted}) AS w USING ({keys})", changed
            )
        parts = [f"r{names.index(name)}" for name in self.shape.key]
        parts += [self.keys[0]] if set(told_by) - set(names) else []
        self._write(f"SELECT {', '.join(parts)} FROM found WHERE ins IS NULL AND coalesce(nth, 1) = 1", gone)
        return _landed(changed), _landed(gone)

    def _write(self, select: str, path: Path) -> None:
        self.engine.sql(select).write_parquet(str(path))

    def _samples(self) -> tuple[Sample, ...]:
        """Of each kind of difference some rows, as text."""
        names = self.shape.schema.names
        text = ", ".join(f"s{n}::VARCHAR, r{n}::VARCHAR, d{n}" for n in range(len(names)))
        order = ", ".join(f"coalesce(s{names.index(name)}, r{names.index(name)})" for name in self.shape.key)
        rows = self.engine.execute(
            f"SELECT ins, inr, coalesce(nth, 1), {text} FROM found QUALIFY row_number() OVER "
            f"(PARTITION BY ins, inr ORDER BY {order}) <= {SHOWN} ORDER BY ins IS NULL, {order} LIMIT {SHOWN}"
        ).fetchall()
        return tuple(self._sample(row) for row in rows)

    def _sample(self, row: tuple[object, ...]) -> Sample:
        ins, inr, nth, *rest = row
        pairs = {
            name: (_text(rest[3 * n]), _text(rest[3 * n + 1]), bool(rest[3 * n + 2]))
            for n, name in enumerate(self.shape.schema.names)
        }
        key = {name: pairs[name][0] if ins is not None else pairs[name][1] for name in self.shape.key}
        if ins is None:
            return Sample("doubled" if nth != 1 else "extra", key)
        if inr is None:
            return Sample("missing", key)
        differ = tuple(name for name, (_, _, other) in pairs.items() if other)
        values = {name: pairs[name][:2] for name in differ} if self.values else None
        return Sample("different", key, differ, values)

    def _counted(self, within: str, sides: Difference) -> Difference:
        """Of a table without a key: how many rows more or fewer of each content."""
        row = ", ".join(self.columns)
        near = f"WHERE hash({row}) % {RANGES} IN ({within})"
        self.engine.execute(
            f"CREATE TEMP TABLE found AS SELECT {row}, sum(n) AS n FROM (SELECT {row}, 1 AS n FROM s {near} "
            f"UNION ALL SELECT {row}, -1 FROM r {near}) AS u GROUP BY {row} HAVING sum(n) <> 0"
        )
        missing, extra = self.engine.execute(
            "SELECT coalesce(sum(n) FILTER (n > 0), 0)::BIGINT, coalesce(-sum(n) FILTER (n < 0), 0)::BIGINT FROM found"
        ).fetchall()[0]
        text = ", ".join(f"{column}::VARCHAR" for column in self.columns)
        rows = self.engine.execute(f"SELECT n > 0, {text} FROM found ORDER BY n DESC, {row} LIMIT {SHOWN}").fetchall()
        names = self.shape.schema.names
        samples = tuple(
            Sample(
                "missing" if more else "extra", dict(zip(names, map(_text, values), strict=True)) if self.values else {}
            )
            for more, *values in rows
        )
        return replace(sides, missing=missing, extra=extra, samples=samples)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def read_columns(files: Sequence[LandedFile], wanted: Sequence[str], prefix: str) -> str:
    """These columns of the files, by number: DuckDB takes two names for one that differ by case alone."""
    held = pq.read_schema(files[0].path).names
    names = [f"h{number}" for number in range(len(held))]
    paths = ", ".join("'" + str(file.path).replace("'", "''") + "'" for file in files)
    chosen = ", ".join(f"{names[held.index(name)]} AS {prefix}{n}" for n, name in enumerate(wanted))
    return f"(SELECT {chosen} FROM read_parquet([{paths}]) AS p({', '.join(names)})) AS {prefix}_"


def _whole(files: Sequence[LandedFile]) -> str:
    """All columns of the files, by number."""
    held = pq.read_schema(files[0].path).names
    paths = ", ".join("'" + str(file.path).replace("'", "''") + "'" for file in files)
    return f"read_parquet([{paths}]) AS p({', '.join(f'h{number}' for number in range(len(held)))})"


def _landed(path: Path) -> LandedFile:
    rows = pq.read_metadata(path).num_rows if path.exists() else 0
    return LandedFile(path, rows, path.stat().st_size if path.exists() else 0)


def _place(wanted: Sequence[str], name: str) -> str:
    return f"l{list(wanted).index(name)}"
