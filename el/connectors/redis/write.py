"""A write into strings or hashes: one script, with the ledger's entry in the same step, so that it is whole or not.

MULTI does not undo a command that failed, and neither does a script: so the script looks first at all that could be
refused (the types of the keys, the rights where the server tells them), and writes only then. Redis does nothing else
meanwhile, so a write has a limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.catalog import TableName
from el.connectors.redis.client import Client
from el.connectors.redis.config import KeyTable, KeyType
from el.connectors.redis.errors import statement_error
from el.connectors.redis.script import WRITE
from el.connectors.sql.incoming import as_batches, released
from el.connectors.sql.write_job import as_mode, refuse_run_id
from el.errors import WriteError

LEDGER = "_el_writes"
MOST_VALUES, MOST_BYTES = 200_000, 64 * 1024 * 1024
_LONG = {"key", "field", "value"}
_TAKEN = (KeyType.STRING, KeyType.HASH)


@dataclass(slots=True)
class Entry:
    """What a key shall hold. values: of a hash the fields, of a string one without a name; None takes a field away."""

    values: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    expires_ms: int | None = None

    def arguments(self) -> Iterator[bytes | int]:
        """How many are set, name and value of each; how many are taken away, their names; when the key expires."""
        put = [(name, value) for name, value in self.values if value is not None]
        gone = [name for name, value in self.values if value is None]
        yield len(put)
        for name, value in put:
            yield name
            yield value
        yield len(gone)
        yield from gone
        yield -1 if self.expires_ms is None else self.expires_ms


class Write:
    """One `write_buffer`. Raises `WriteError`."""

    def __init__(self, client: Client, table: KeyTable, target: TableName, mode: WriteMode, run_id: str) -> None:
        self.client = client
        self.table = table
        self.target = target
        self.mode = as_mode(mode)
        self.run_id = run_id
        refuse_run_id(run_id)
        if self.mode is WriteMode.REPLACE:
            raise WriteError(
                f"{target}: replace would have to remove keys without a bound in one step: append, or merge"
            )
        if table.stream is not None or table.type not in _TAKEN:
            raise WriteError(f"{target}: strings and hashes are written: give the table `type: string` or `type: hash`")

    def of(self, data: ArrowStream, key: Sequence[str]) -> WriteResult:
        """Write all of `data`, or nothing."""
        if tuple(key) not in ((), ("key",)):
            raise WriteError(f"{self.target}: the key is the column `key`, not {', '.join(key)}")
        with released(data):
            schema, batches = as_batches(data)
            self._check(schema)
            entries, rows = self._gather(schema, batches)
        return self._apply(entries, rows)

    def _check(self, schema: pa.Schema) -> None:
        names = schema.names
        if len(set(names)) != len(names) or "key" not in names:
            raise WriteError(
                f"{self.target}: the data needs a column `key`, and each name once; it has {', '.join(names)}"
            )
        if self.table.type is KeyType.STRING and set(names) - {"expires_at"} != {"key", "value"}:
            raise WriteError(f"{self.target}: a string is `key`, `value` and, if it expires, `expires_at`")
        if self.table.type is KeyType.HASH and not set(names) - {"key", "expires_at"}:
            raise WriteError(f"{self.target}: the data has no column but the key: each other one is a field")
        for column in schema:
            if column.name != "expires_at" and not _can_be_bytes(column.type):
                raise WriteError(f"{self.target}.{column.name}: {column.type} has no one text: cast it before")
        if "expires_at" in names and not pa.types.is_timestamp(schema.field("expires_at").type):
            raise WriteError(f"{self.target}.expires_at: it is a moment, not {schema.field('expires_at').type}")

    def _gather(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> tuple[dict[bytes, Entry], int]:
        long = self.table.type is KeyType.HASH and set(schema.names) - {"expires_at"} == _LONG
        found: dict[bytes, Entry] = {}
        fields: set[tuple[bytes, bytes]] = set()
        rows = values = size = 0
        for batch in batches:
            columns = {c.name: _as_bytes(batch.column(c.name)) for c in schema if c.name != "expires_at"}
            expires = _expiries(batch)
            for row, key in enumerate(columns["key"]):
                self._refuse_key(key, found, again=long)
                entry = found.setdefault(key, Entry(expires_ms=expires[row]))
                added = self._values(columns, row, long=long)
                if long:
                    self._refuse_field(key, added[0][0], fields)
                    self._refuse_expiry(key, entry, expires[row])
                entry.values += added
                values += len(added)
                size += len(key) + sum(len(name) + len(value or b"") for name, value in added)
            rows += batch.num_rows
            if values + len(found) > MOST_VALUES or size > MOST_BYTES:
                raise WriteError(
                    f"{self.target}: a write is of {MOST_VALUES:,} values and {MOST_BYTES // 2**20} MB at most, since "
                    "the server does nothing else meanwhile: divide it, each part with a run_id of its own"
                )
        return found, rows

    def _values(self, columns: dict[str, list[Any]], row: int, *, long: bool) -> list[tuple[bytes, bytes | None]]:
        if self.table.type is KeyType.STRING:
            value = columns["value"][row]
            if value is None:
                raise WriteError(f"{self.target}.value: a string cannot be NULL")
            return [(b"", value)]
        if long:
            name = columns["field"][row]
            if name is None:
                raise WriteError(f"{self.target}.field: a field has a name, not NULL")
            return [(name, columns["value"][row])]
        return [(name.encode(), values[row]) for name, values in columns.items() if name != "key"]

    def _refuse_key(self, key: bytes | None, found: dict[bytes, Entry], *, again: bool) -> None:
        if key is None:
            raise WriteError(f"{self.target}: key column 'key' has NULL in the data")
        if key in found and not again:
            raise WriteError(f"{self.target}: the data has key key={key!r} more than once")
        if key.startswith(b"_el_"):
            raise WriteError(f"{self.target}: {key!r} is a name of el's own")

    def _refuse_field(self, key: bytes, name: bytes, fields: set[tuple[bytes, bytes]]) -> None:
        if (key, name) in fields:
            raise WriteError(f"{self.target}: the data has key key={key!r}, field={name!r} more than once")
        fields.add((key, name))

    def _refuse_expiry(self, key: bytes, entry: Entry, expires_ms: int | None) -> None:
        if entry.expires_ms != expires_ms:
            raise WriteError(
                f"{self.target}.expires_at: the fields of key={key!r} say different moments, and a key has one"
            )

    def _apply(self, entries: dict[bytes, Entry], rows: int) -> WriteResult:
        ledger, node = self._place(list(entries))
        run = f"{self.target}|{self.run_id}".encode()
        arguments: list[Any] = [str(self.mode), str(self.table.type), run, rows]
        for entry in entries.values():
            arguments += entry.arguments()
        try:
            said = node.execute_command("EVAL", WRITE, len(entries) + 1, *entries, ledger, *arguments)
        except Exception as error:
            raise self._unknown(error) from None
        outcome = bytes(said[0]).decode()
        if outcome == "done":
            return WriteResult(0, self.mode, self.run_id, already_done=True)
        if outcome == "written":
            return WriteResult(rows, self.mode, self.run_id)
        raise WriteError(f"{self.target}: nothing was written: {_why(outcome, said[1:])}")

    def _unknown(self, error: Exception) -> WriteError:
        found = statement_error(error, writing=True)
        text = str(found).removeprefix("data is not in stable state: ")
        if found.retryable:
            text += f"; whether it was written is not known: the same run_id ({self.run_id}) again has one effect"
        return WriteError(f"{self.target}: {text}", retryable=found.retryable)

    def _place(self, keys: Sequence[bytes]) -> tuple[bytes, Any]:
        """The ledger's key, and the server. In a cluster all keys have to lie in one slot, and the ledger with them."""
        if not self.client.config.cluster or not keys:
            return LEDGER.encode(), self.client.at(LEDGER.encode())
        tags = {_tag(key) for key in keys}
        if len(tags) > 1 or b"}" in next(iter(tags)):
            raise WriteError(
                f"{self.target}: in a cluster the keys of one write need one hash tag, as in {{42}}:a: what lies in "
                "several slots cannot be written in one step"
            )
        return LEDGER.encode() + b"{" + tags.pop() + b"}", self.client.at(keys[0])


def _tag(key: bytes) -> bytes:
    """What of a key decides about its slot: Redis cluster specification, "Hash tags"."""
    _, brace, rest = key.partition(b"{")
    inside, end, _ = rest.partition(b"}")
    return inside if brace and end and inside else key


def _can_be_bytes(type_: pa.DataType) -> bool:
    kinds = (
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary),
        *(pa.types.is_fixed_size_binary, pa.types.is_integer, pa.types.is_decimal, pa.types.is_floating),
        *(pa.types.is_boolean, pa.types.is_date, pa.types.is_timestamp, pa.types.is_null),
    )
    return any(kind(type_) for kind in kinds)


def _as_bytes(values: pa.Array) -> list[Any]:
    """Text in UTF-8, numbers in all their digits, moments in ISO 8601; bytes as they are."""
    type_ = values.type
    if pa.types.is_timestamp(type_):
        values = pc.replace_substring(values.cast(pa.string()), " ", "T")
    elif not (pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_)):
        values = values.cast(pa.string())
    found: list[Any] = values.cast(pa.binary()).to_pylist()
    return found


def _expiries(batch: pa.RecordBatch) -> list[int | None]:
    if "expires_at" not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column("expires_at")
    moments: list[int | None] = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64()).to_pylist()
    return moments


def _why(outcome: str, more: Sequence[Any]) -> str:
    shown = [repr(bytes(each)) for each in more]
    if outcome == "exists":
        return f"{shown[0]} is there already: merge writes over it"
    if outcome == "type":
        return f"{shown[0]} is a {bytes(more[1]).decode()}"
    return f"the login lacks the right to {bytes(more[0]).decode()} {shown[1]}"
