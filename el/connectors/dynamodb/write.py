"""A write into a table: one transaction with the ledger's entry in it, so that it is whole with its run, or not.

Guarantees: the same run_id has one effect, also after an answer that was lost: the ledger's entry is put on the
condition that it is not there. A transaction takes 100 items and 4 MB; `write_each` takes more, and says what is
weaker. DynamoDB API, "TransactWriteItems".
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.dynamodb.errors import code_of, statement_error
from el.connectors.dynamodb.write_items import Item, Items
from el.connectors.dynamodb.write_tables import LEDGER, RUN, make_ledger, make_table, parts_of
from el.connectors.sql.incoming import as_batches, released
from el.connectors.sql.write_job import WriteJob
from el.errors import ElError, WriteError

# With the ledger's entry the 100 that a transaction takes; and below its 4 MB what el counts a little differently.
MOST_ITEMS, MOST_BYTES = 99, 3_900_000
# Another transaction is in the way, or capacity is short: nothing was written, and it may go later.
_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_WAIT_SECONDS = 30.0


class Write:
    """One `write_buffer` or `write_each`. Raises `WriteError`."""

    def __init__(self, client: Any, job: WriteJob) -> None:
        self.client, self.job = client, job
        self._run = f"{job.target}|{job.run_id}"
        if job.mode is WriteMode.REPLACE:
            raise WriteError(f"{job.target}: a transaction cannot empty a table of any size: append, or merge")

    def of(self, data: ArrowStream) -> WriteResult:
        """Write all of `data` in one transaction, or nothing."""
        job = self.job
        try:
            with released(data):
                found = self._gather(data)
            make_ledger(self.client)
            if self._entry(self._run) is not None:
                return job.done_before()
            done = self._transaction(self._run, found, {"row_count": {"N": str(len(found))}})
        except (ClientError, BotoCoreError) as error:
            return self._after(error)
        return job.done(len(found)) if done else job.done_before()

    def each(self, data: ArrowStream) -> WriteResult:
        """Write `data` part by part: each part is a transaction with an entry of its own in the ledger."""
        job, rows, parts = self.job, 0, 0
        try:
            make_ledger(self.client)
            if self._entry(self._run) is not None:
                return job.done_before()
            with released(data):
                for part in _parts(self._items(data)):
                    self._part(parts, part)
                    parts, rows = parts + 1, rows + len(part)
            self._transaction(self._run, (), {"row_count": {"N": str(rows)}})
            with suppress(ClientError, BotoCoreError):
                self._forget(parts)
        except (ClientError, BotoCoreError, WriteError) as error:
            found = error if isinstance(error, WriteError) else statement_error(error, writing=True)
            again = f"; {rows:,} items or more are written: the same run_id with the same data writes the others"
            raise WriteError(f"{_bare(found)}{again}", retryable=found.retryable) from None
        return job.done(rows)

    def _gather(self, data: ArrowStream) -> list[Item]:
        found: list[Item] = []
        size = 0
        for item in self._items(data):
            found.append(item)
            size += item.size
            if len(found) > MOST_ITEMS or size > MOST_BYTES:
                raise WriteError(
                    f"{self.job.target}: a transaction takes {MOST_ITEMS} items and 4 MB at most: divide it, each part "
                    "with a run_id of its own, or use write_each, which writes part by part"
                )
        return found

    def _items(self, data: ArrowStream) -> Iterator[Item]:
        job = self.job
        schema, batches = as_batches(data, own_types=True)
        key = parts_of(self.client, job.target.name)
        if key is None:
            if not job.create:
                raise WriteError(f"there is no table {job.target}")
            key = make_table(self.client, job.target, schema, job.key)
        names = [part.column for part in key]
        if job.key and set(job.key) != set(names):
            raise WriteError(f"{job.target}: the table's key is {', '.join(names)}, not {', '.join(job.key)}")
        items = Items(job.target, schema, key)
        self._whole, self._named = items.whole, key[0].attribute
        if job.mode is WriteMode.MERGE and not items.whole and len(schema.names) == len(names):
            raise WriteError(f"{job.target}: the data has no column but the key: there is nothing to merge")
        for batch in batches:
            yield from items.of(batch)

    def _part(self, number: int, items: Sequence[Item]) -> None:
        """One part, once. Raises `WriteError` where this run wrote something else as this part."""
        digest = hashlib.sha256(repr([item.attributes for item in items]).encode()).hexdigest()
        name = self._name(number)
        if self._transaction(name, items, {"digest": {"S": digest}}):
            return
        entry = self._entry(name) or {}
        if entry.get("digest", {}).get("S") != digest:
            raise WriteError(
                f"{self.job.target}: the run_id {self.job.run_id} was begun with other data, or in another order"
            )

    def _transaction(self, run: str, items: Sequence[Item], entry: dict[str, Any]) -> bool:
        """The items and an entry in the ledger; False if the entry is there already."""
        moment = {"S": datetime.now(UTC).isoformat(timespec="seconds")}
        put = {"TableName": LEDGER, "Item": {RUN: {"S": run}, "written_at": moment, **entry}}
        asked = [{"Put": {**put, **self._not_there(RUN)}}, *(self._asked(item) for item in items)]
        until, wait = time.monotonic() + _WAIT_SECONDS, 0.05
        token = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run}|{asked!r}"))
        while True:
            try:
                self.client.transact_write_items(TransactItems=asked, ClientRequestToken=token)
                return True
            except ClientError as error:
                reasons = [str(each.get("Code", "None")) for each in error.response.get("CancellationReasons", ())]
                if reasons and reasons[0] == "ConditionalCheckFailed":
                    return False
                passing = code_of(error) == "TransactionInProgressException" or (
                    bool(reasons) and set(reasons) <= {"None", *_PASSING}
                )
                if not passing or time.monotonic() > until:
                    self._refuse(error, items)
            time.sleep(wait)
            wait = min(wait * 2, 2.0)

    def _asked(self, item: Item) -> dict[str, Any]:
        name = self.job.target.name
        if self.job.mode is WriteMode.APPEND:
            return {"Put": {"TableName": name, "Item": item.attributes, **self._not_there(self._named)}}
        if self._whole:
            return {"Put": {"TableName": name, "Item": item.attributes}}
        fields = [(each, value) for each, value in item.attributes.items() if each not in item.key]
        return {
            "Update": {
                "TableName": name,
                "Key": item.key,
                "UpdateExpression": "SET " + ", ".join(f"#n{at} = :v{at}" for at in range(len(fields))),
                "ExpressionAttributeNames": {f"#n{at}": each for at, (each, _) in enumerate(fields)},
                "ExpressionAttributeValues": {f":v{at}": value for at, (_, value) in enumerate(fields)},
            }
        }

    def _not_there(self, name: str) -> dict[str, Any]:
        return {"ConditionExpression": "attribute_not_exists(#key)", "ExpressionAttributeNames": {"#key": name}}

    def _refuse(self, error: ClientError, items: Sequence[Item]) -> NoReturn:
        """Why a transaction was cancelled, by item."""
        for reason, item in zip(error.response.get("CancellationReasons", [])[1:], items, strict=False):
            code = str(reason.get("Code", "None"))
            if code == "None":
                continue
            if code == "ConditionalCheckFailed":
                why = "it is there already: merge writes over it"
            else:
                why = f"{code}: {reason.get('Message') or 'no reason given'}"
            raise WriteError(
                f"{self.job.target}: nothing was written: the item {item.shown}: {why}", retryable=code in _PASSING
            )
        raise error

    def _entry(self, run: str) -> dict[str, Any] | None:
        found = self.client.get_item(TableName=LEDGER, Key={RUN: {"S": run}}, ConsistentRead=True).get("Item")
        return dict(found) if found is not None else None

    def _name(self, part: int) -> str:
        return f"{self._run}|{part:08d}"

    def _forget(self, parts: int) -> None:
        """The entries of the parts, once the run has its own."""
        for number in range(parts):
            self.client.delete_item(TableName=LEDGER, Key={RUN: {"S": self._name(number)}})

    def _after(self, error: Exception) -> WriteResult:
        """What came of a write that failed. It may have taken effect all the same: the ledger tells."""
        found = statement_error(error, writing=True)
        if found.retryable:
            with suppress(ClientError, BotoCoreError):
                if self._entry(self._run) is not None:
                    return self.job.done_before()
        text = f"{self.job.target}: {_bare(found)}"
        if found.retryable:
            text += f"; whether it was written is not known: the same run_id ({self.job.run_id}) again has one effect"
        raise WriteError(text, retryable=found.retryable) from None


def _parts(items: Iterator[Item]) -> Iterator[list[Item]]:
    """As much as a transaction takes, each."""
    part: list[Item] = []
    size = 0
    for item in items:
        if part and (len(part) == MOST_ITEMS or size + item.size > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += item.size
    if part:
        yield part


def _bare(error: ElError) -> str:
    return str(error).removeprefix("data is not in stable state: ")
