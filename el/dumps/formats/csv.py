"""CSV: every value a text exactly as it stands; an empty field is NULL, and a quoted empty one is ''.

Guarantees: what is read does not depend on what the file looks like: nothing is sniffed. A record with more or fewer
fields than the header, bytes that are no text, and a quote that is never closed are refused with record and byte. The
records are counted by their line ends and quotes, apart from the parser; where the two differ, or a quote stands where
none is expected, the part of the file is read once more, field by field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from el.dumps.formats.base import ROW, Format, Reading, Reject
from el.dumps.formats.csv_chunks import Chunk, Chunks, is_plain
from el.dumps.formats.csv_dialect import Dialect
from el.dumps.formats.csv_strict import StrictReader
from el.errors import RecordRefused

# Of a chunk that is parsed by one thread while another one parses the next.
_BLOCK = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CsvFormat(Format):
    """Delimited text. columns: the names where the file has no header."""

    dialect: Dialect = field(default_factory=Dialect)
    header: bool = True
    columns: tuple[str, ...] = ()

    def read(self, path: Path, rejects: int = 0) -> Reading:
        chunks = Chunks(path, self.dialect)
        reading = Reading(pa.schema([]), iter(()))
        names = self._header(chunks, reading) if self.header else self.columns
        reading.schema = pa.schema([pa.field(name, pa.string()) for name in names])
        reading.batches = _Rows(self.dialect, chunks, reading, rejects).batches()
        return reading

    def _header(self, chunks: Chunks, reading: Reading) -> tuple[str, ...]:
        found = chunks.first_record()
        if found is None:
            chunks.close()
            raise RecordRefused("it is empty: it has no header, not even a line")
        reader = StrictReader(self.dialect, None)
        record = reader.record(found)
        names = tuple(text or "" for text in record.fields)
        if reason := record.reason or _no_header(names, reader.outside_quotes(found), self.dialect):
            chunks.close()
            raise RecordRefused(f"header, byte 0: {reason}")
        reading.header = record.fields
        if not is_plain(found, self.dialect):
            reading.odd = _odd(0)
        return names


def _odd(at: int) -> str:
    return f"near byte {at:,} quotes, line ends or bytes stand as another reader may take them otherwise"


def _no_header(names: tuple[str, ...], plain: str, dialect: Dialect) -> str | None:
    """Why this first line is none: of a blank one the first row would be lost, of all in one line every row."""
    if not any(name.strip() for name in names):
        return "the first line has no names: where there is no header, say `header: false` and the `columns`"
    meant = ("\t", dialect.delimiter)
    odd = next((character for character in plain if character < " " and character not in meant), None)
    if odd is None:
        return None
    hint = "`newline` than el.yml says" if odd == "\r" else "`encoding` than el.yml says, or of a packed file"
    return f"the character {odd!r} stands among the names: it is a sign of another {hint}"


class _Rows:
    """The rows of a file, chunk by chunk."""

    def __init__(self, dialect: Dialect, chunks: Chunks, reading: Reading, rejects: int) -> None:
        self.dialect = dialect
        self.chunks = chunks
        self.reading = reading
        self.most = rejects
        # Columns are told by their place: a header may have a name twice.
        self.places = [str(number) for number in range(len(reading.schema))]
        self.schema = pa.schema([*reading.schema, pa.field(ROW, pa.int64())])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Raises `RecordRefused` at the first bad record beyond those that may be left out."""
        with self.chunks:
            for chunk in self.chunks:
                # A blank line is a value where there is one column, and nothing elsewhere.
                blank = 0 if len(self.places) == 1 else chunk.blank_lines
                first = self.reading.records + 1
                parsed = self._parsed(chunk, chunk.records - blank) if chunk.regular else None
                if parsed is None:
                    self.reading.odd = self.reading.odd or _odd(chunk.start)
                    yield from self._strictly(chunk, first)
                    continue
                if chunk.blank_lines:
                    self.reading.odd = self.reading.odd or f"behind byte {chunk.start:,} it has a blank line"
                self.reading.records += chunk.records - blank
                self.reading.blank_lines += blank
                yield from self._numbered(parsed, first)

    def _parsed(self, chunk: Chunk, records: int) -> pa.Table | None:
        """None where the parser finds something wrong, or another number of records than were counted."""
        if not records:
            return pa.schema([pa.field(name, pa.string()) for name in self.places]).empty_table()
        for block in (_BLOCK, len(chunk.data) + 1):
            try:
                table = self._parse(chunk, block)
            except pa.ArrowInvalid as error:
                if "straddling" in str(error):
                    # A record that is longer than a block.
                    continue
                return None
            return table if table.num_rows == records else None
        return None

    def _parse(self, chunk: Chunk, block: int) -> pa.Table:
        dialect = self.dialect
        # Of an empty field behind the last delimiter of a file the parser says that it had quotes, if another one had.
        data = chunk.data if chunk.data.endswith((b"\n", b"\r")) else chunk.data + b"\n"
        return pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(column_names=self.places, block_size=block),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                double_quote=dialect.escape is None,
                escape_char=dialect.escape or False,
                newlines_in_values=dialect.quote is not None,
                ignore_empty_lines=len(self.places) > 1,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(self.places, pa.string()),
                null_values=list(dialect.null),
                strings_can_be_null=bool(dialect.null),
                quoted_strings_can_be_null=False,
            ),
        )

    def _numbered(self, table: pa.Table, first: int) -> Iterator[pa.RecordBatch]:
        for batch in table.to_batches():
            rows = pa.array(np.arange(first, first + batch.num_rows, dtype=np.int64))
            first += batch.num_rows
            yield pa.RecordBatch.from_arrays([*batch.columns, rows], schema=self.schema)

    def _strictly(self, chunk: Chunk, first: int) -> Iterator[pa.RecordBatch]:
        """The chunk, field by field: what is wrong with which record is known only so."""
        values: list[list[str | None]] = [[] for _ in self.places]
        rows: list[int] = []
        number = first
        for record in StrictReader(self.dialect, len(self.places)).records(chunk.data, final=chunk.final):
            if record.blank and len(self.places) > 1:
                self.reading.blank_lines += 1
                continue
            if record.reason is None:
                rows.append(number)
                for column, text in zip(values, record.fields, strict=True):
                    column.append(text)
            else:
                offset = self.chunks.offset_of(chunk, record.start)
                data = self.chunks.original(chunk.data[record.start : record.end])
                self._reject(Reject(number, offset, data, record.reason), fatal=record.fatal)
            number += 1
        self.reading.records += number - first
        if rows:
            columns = [pa.array(column, pa.string()) for column in values]
            yield pa.RecordBatch.from_arrays([*columns, pa.array(rows, pa.int64())], schema=self.schema)

    def _reject(self, reject: Reject, *, fatal: bool) -> None:
        if fatal or len(self.reading.rejects) >= self.most:
            raise RecordRefused(f"record {reject.row:,}, byte {reject.offset:,}: {reject.reason}")
        self.reading.rejects.append(reject)
