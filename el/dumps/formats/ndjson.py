"""JSON, a document a line: the text of each document in one column, as it stands.

Guarantee: a line that is no JSON is refused with its number and its byte. Which fields a document has is asked in the
warehouse, where VARIANT or JSON is one cast away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.sql.engine import session
from el.dumps.formats.base import ROW, Format, Reading, Reject
from el.dumps.formats.csv_chunks import Chunk, Chunks
from el.dumps.formats.csv_dialect import Dialect
from el.errors import RecordRefused

COLUMN = "document"
# DuckDB's parser takes NaN, Infinity and a comma before a closing bracket: where they may stand. In a text they may.
_LENIENT = r"(?i)(^|[:\[,\s+-])(nan|inf(inity)?)([,\]}\s]|$)|,\s*[\]}]"
# Line ends part documents, and nothing else is special.
_LINES = Dialect(delimiter="\x00", quote=None, null=())


@dataclass(frozen=True, slots=True)
class NdjsonFormat(Format):
    """UTF-8, as the format asks for."""

    def read(self, path: Path, rejects: int = 0) -> Reading:
        reading = Reading(pa.schema([pa.field(COLUMN, pa.string())]), iter(()))
        reading.batches = _batches(Chunks(path, _LINES), reading, rejects)
        return reading


def _batches(chunks: Chunks, reading: Reading, most: int) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([*reading.schema, pa.field(ROW, pa.int64())])
    with chunks, session() as connection:
        for chunk in chunks:
            lines = _lines(chunk)
            numbers = np.arange(reading.records + 1, reading.records + 1 + len(lines), dtype=np.int64)
            reading.records += chunk.records - chunk.blank_lines
            reading.blank_lines += chunk.blank_lines
            if chunk.blank_lines:
                reading.odd = reading.odd or f"behind byte {chunk.start:,} it has a blank line"
            good = _documents(connection, lines, chunk)
            for at in np.flatnonzero(~good):
                start, end = lines[at]
                reject = Reject(int(numbers[at]), chunk.start + int(start), chunk.data[start:end], "it is no JSON")
                if len(reading.rejects) >= most:
                    raise RecordRefused(f"record {reject.row:,}, byte {reject.offset:,}: {reject.reason}")
                reading.rejects.append(reject)
            if good.any():
                texts = _texts(chunk, lines[good])
                yield pa.RecordBatch.from_arrays([texts, pa.array(numbers[good])], schema=schema)


def _lines(chunk: Chunk) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Where each line that is not blank begins and ends, without its line end."""
    data = np.frombuffer(chunk.data, np.uint8)
    ends = np.flatnonzero(data == 10)
    if not chunk.data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate(([0], ends[:-1] + 1))
    returns = (ends > starts) & (data[np.maximum(ends - 1, 0)] == 13)
    ends = ends - returns
    both: np.ndarray[tuple[int, int], np.dtype[np.int64]] = np.stack([starts, ends], axis=1)
    return both[ends > starts]  # type: ignore[no-any-return]


def _texts(chunk: Chunk, lines: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> pa.Array:
    """The lines as an Arrow array over the chunk's own bytes."""
    data = np.frombuffer(chunk.data, np.uint8)
    lengths = lines[:, 1] - lines[:, 0]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    # The bytes between the lines are left out.
    kept = np.zeros(len(data) + 1, np.int8)
    np.add.at(kept, lines[:, 0], 1)
    np.add.at(kept, lines[:, 1], -1)
    body = data[np.cumsum(kept[:-1]).astype(bool)]
    return pa.Array.from_buffers(pa.utf8(), len(lines), [None, pa.py_buffer(offsets), pa.py_buffer(body)])


def _documents(
    connection: duckdb.DuckDBPyConnection, lines: np.ndarray[tuple[int, int], np.dtype[np.int64]], chunk: Chunk
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Of each line, whether it is a JSON document in UTF-8."""
    if not len(lines):
        return np.zeros(0, bool)
    texts = _texts(chunk, lines)
    good = np.ones(len(lines), bool)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        for at, (start, end) in enumerate(lines):
            try:
                chunk.data[start:end].decode()
            except UnicodeDecodeError:
                good[at] = False
        texts = pc.if_else(pa.array(good), texts, pa.scalar("null"))
    asked = pa.table({"text": texts})  # noqa: F841
    valid = connection.execute("SELECT json_valid(text) FROM asked").fetchnumpy()
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.asarray(next(iter(valid.values())), bool)
    for at in pc.indices_nonzero(pc.match_substring_regex(texts, _LENIENT)).to_pylist():
        found[at] = found[at] and _is_strict(texts[at].as_py())
    return good & found


def _is_strict(text: str) -> bool:
    """Whether it is JSON as the RFC has it. For the few documents that look as if they were more."""
    try:
        json.loads(text, parse_constant=_refused, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _refused(word: str) -> None:
    raise ValueError(word)
