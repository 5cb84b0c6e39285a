"""What raw holds of a row, and the parquet files in which rows wait to be loaded.

Guarantee: files that were closed are whole; `discard` leaves none behind. Memory is bounded by one row group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from el.extraction.digest import Digest, Digester, Way
from el.extraction.file_sizes import FileSizes
from el.extraction.fingerprint import RowHash, RowHasher
from el.planning.columns import TableComment
from el.planning.keys import KEY_FIELD, KeyRule

LOAD_ID = "_dlt_load_id"
LANDING = (
    pa.field(LOAD_ID, pa.string()),
    pa.field("_el_op", pa.string()),
    pa.field("_el_position", pa.string()),
    pa.field("_el_extracted_at", pa.timestamp("us")),
)


def raw_columns(schema: pa.Schema, equal: KeyRule | None) -> pa.Schema:
    """These source columns and what raw holds behind them: the key where it does not compare by bytes, and where a
    row is from."""
    return pa.schema([*schema, *([KEY_FIELD] if equal else []), *LANDING])


# Rows are gathered to about this much before they become a row group: small groups cost every later reader.
ROW_GROUP_BYTES = 24 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A closed parquet file: rows in it, bytes of it on disk; the digest of its rows, where it was made of them."""

    path: Path
    rows: int
    bytes: int
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class LandedTable:
    """A raw table's part of a package: its full schema with the landing columns, its files, what raw says of it."""

    name: str
    schema: pa.Schema
    files: tuple[LandedFile, ...]
    comment: TableComment | None = None
    documents: frozenset[str] = frozenset()  # the columns that are JSON in the warehouse, not text


class LandingFiles:
    """The parquet files of one slice: `prefix` and a number; each is closed once it has its size."""

    def __init__(
        self, prefix: Path, schema: pa.Schema, sizes: FileSizes, hashed: Sequence[str] = (), digest: Way | None = None
    ) -> None:
        """hashed: the columns whose values are hashed, row by row. digest: the way to make it, where it is wanted."""
        self._prefix = prefix
        self._schema = schema
        self._sizes = sizes
        self._hashed = list(hashed)
        self._files: list[LandedFile] = []
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._arrow_bytes = self._disk_bytes = 0  # of the row groups that were written
        self._writer: pq.ParquetWriter | None = None
        self._sink: pa.NativeFile | None = None
        self._path: Path | None = None
        self._rows = 0
        self.hashed = RowHash() if hashed else None
        self._hasher = RowHasher() if hashed else None
        self._digest: Digest | None = None
        self._digester = Digester(digest, schema) if digest else None

    def write(self, batch: pa.RecordBatch) -> None:
        for part in self._parts(batch):
            self._waiting.append(part)
            self._waiting_bytes += part.nbytes
            if self._waiting_bytes >= self._room():
                self._flush()
                if self._sink is not None and self._sink.tell() >= self._sizes.of(len(self._files)):
                    self._finish()

    def _parts(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The batch; where a file is smaller than one may be, cut where the file is full."""
        while self._sizes.least is not None and batch.num_rows > 1:
            left = self._room() - self._waiting_bytes
            if batch.nbytes <= left:
                break
            rows = min(batch.num_rows, -(-batch.num_rows * left // batch.nbytes))
            yield batch.slice(0, rows)
            batch = batch.slice(rows)
        yield batch

    def _room(self) -> int:
        """Bytes of Arrow that make a row group: what the file still takes, if it is compressed as others were.

        Where it is not, the file gets half as large again at most.
        """
        if self._sizes.least is None:
            return ROW_GROUP_BYTES
        size = self._sizes.of(len(self._files))
        left = size - (self._sink.tell() if self._sink is not None else 0)
        by_byte = self._arrow_bytes / self._disk_bytes if self._disk_bytes else 1
        return min(ROW_GROUP_BYTES, max(size // 8, min(left + size // 2, int(left * by_byte))))

    def close(self) -> tuple[LandedFile, ...]:
        self._flush()
        self._finish()
        self._forget()
        return tuple(self._files)

    def discard(self) -> None:
        self._waiting.clear()
        self._forget()
        if self._writer is not None:
            self._writer.close()
        if self._sink is not None:
            self._sink.close()
        for path in [*(file.path for file in self._files), *([self._path] if self._path else [])]:
            path.unlink(missing_ok=True)

    def _forget(self) -> None:
        for engine in (self._hasher, self._digester):
            if engine is not None:
                engine.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting, schema=self._schema)
        if self._writer is None:
            self._path = self._prefix.with_name(f"{self._prefix.name}-{len(self._files):04d}.parquet")
            self._sink = pa.OSFile(str(self._path), "wb")
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                compression="snappy",
                use_dictionary=_repetitive(table),
                write_statistics=False,
            )
        assert self._sink is not None
        before = self._sink.tell()
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._arrow_bytes += self._waiting_bytes
        self._disk_bytes += self._sink.tell() - before
        if self._hasher is not None and self.hashed is not None:
            self.hashed += self._hasher.of(table.select(self._hashed))
        if self._digester is not None:
            found = self._digester.of(table)
            self._digest = found if self._digest is None else self._digest + found
        self._rows += table.num_rows
        self._waiting.clear()
        self._waiting_bytes = 0

    def _finish(self) -> None:
        if self._writer is None or self._sink is None or self._path is None:
            return
        self._writer.close()
        size = self._sink.tell()
        self._sink.close()
        self._files.append(LandedFile(self._path, self._rows, size, self._digest))
        self._writer = self._sink = self._path = self._digest = None
        self._rows = 0


def _repetitive(table: pa.Table) -> list[str]:
    """The text columns worth a dictionary, by a sample: looking up what hardly repeats costs most of the writing."""
    sample = table.slice(0, 10_000)
    return [
        field.name
        for field, column in zip(sample.schema, sample.columns, strict=True)
        if pa.types.is_string(field.type) and pc.count_distinct(column).as_py() * 10 <= sample.num_rows
    ]
