"""A write into a collection: one transaction with the ledger's entry in it, so that it is whole with its run, or not.

Guarantees: the same run_id has one effect, also after a commit of which nobody knows; el's writers of one collection
follow each other. A standalone server has no transactions, and is refused: `write_each` is for it, and says what is
weaker. MongoDB, "Transactions": "Production considerations".
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, CollectionInvalid, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.mongodb.write_documents import KEY, Documents
from el.connectors.sql.incoming import as_batches, released
from el.connectors.sql.write_job import WriteJob
from el.errors import ElError, WriteError

if TYPE_CHECKING:
    from el.connectors.mongodb import MongoDb

LEDGER = "_el_writes"
# A transaction lives for 60 seconds, and the server keeps all of it in its cache.
MOST_DOCUMENTS, MOST_BYTES = 100_000, 64 * 1024 * 1024
_MAJORITY = WriteConcern("majority")
_DUPLICATE = 11000
_EACH = 1_000


@dataclass(frozen=True, slots=True)
class _Data:
    documents: list[RawBSONDocument]
    whole: bool  # they are documents as they stand; else fields


class Write:
    """One `write_buffer` or `write_each`. Raises `WriteError`."""

    def __init__(self, source: MongoDb, job: WriteJob) -> None:
        self.source, self.job = source, job
        target = job.target
        database = source.client[target.schema]
        options: dict[str, Any] = {
            "write_concern": _MAJORITY,
            "read_concern": ReadConcern("majority"),
            "read_preference": ReadPreference.PRIMARY,
        }
        self._collection = database.get_collection(target.name, **options)
        self._ledger = database.get_collection(LEDGER, **options)
        self._run = {"target": str(target), "run_id": job.run_id}
        self._lock = {"target": str(target), "run_id": ""}

    def of(self, data: ArrowStream) -> WriteResult:
        """Write all of `data` in one transaction, or nothing."""
        job = self.job
        if self.source.standalone:
            raise WriteError(
                f"{job.target}: a standalone server has no transactions: make it a replica set of one (rs.initiate()), "
                "or use write_each, which writes document by document"
            )
        with released(data):
            found = self._gather(data)
        try:
            there = self._there()
            if self._ledger.find_one({KEY: self._run}) is not None:
                return job.done_before()
            self._make_lock()
            with self.source.client.start_session() as session:
                done = session.with_transaction(
                    lambda held: self._transaction(held, found, there=there),
                    read_concern=ReadConcern("snapshot"),
                    write_concern=_MAJORITY,
                    read_preference=ReadPreference.PRIMARY,
                )
        except PyMongoError as error:
            return self._after(error)
        return job.done(len(found.documents)) if done else job.done_before()

    def each(self, data: ArrowStream) -> WriteResult:
        """Write `data` document by document, each of them whole."""
        job, rows = self.job, 0
        try:
            self._there()
            entry = self._ledger.find_one({KEY: self._run})
            if entry is not None and entry.get("written_at") is not None:
                return job.done_before()
            begun = {"$setOnInsert": {"mode": "each", "begun_at": datetime.now(UTC)}}
            self._ledger.update_one({KEY: self._run}, begun, upsert=True)
            with released(data):
                schema, batches = as_batches(data, own_types=True)
                documents = Documents(job.target, schema)
                self._refuse_merge(documents)
                for batch in batches:
                    for begin in range(0, batch.num_rows, _EACH):
                        part = list(documents.of(batch.slice(begin, _EACH)))
                        self._collection.bulk_write([_merged(each, documents.whole) for each in part])
                        rows += len(part)
            done = {"$set": {"row_count": rows, "written_at": datetime.now(UTC)}}
            self._ledger.update_one({KEY: self._run}, done)
        except (PyMongoError, WriteError) as error:
            text = self._said(error) if isinstance(error, PyMongoError) else _bare(error)
            retryable = self._retryable(error)
            again = f"; {rows:,} documents and maybe more are written: the same run_id again writes all of them"
            raise WriteError(f"{text}{again}", retryable=retryable) from None
        return job.done(rows)

    def _gather(self, data: ArrowStream) -> _Data:
        schema, batches = as_batches(data, own_types=True)
        documents = Documents(self.job.target, schema)
        if self.job.mode is WriteMode.MERGE:
            self._refuse_merge(documents)
        found: list[RawBSONDocument] = []
        size = 0
        for batch in batches:
            for document in documents.of(batch):
                found.append(document)
                size += len(document.raw)
                if len(found) > MOST_DOCUMENTS or size > MOST_BYTES:
                    raise WriteError(
                        f"{self.job.target}: a transaction takes {MOST_DOCUMENTS:,} documents and "
                        f"{MOST_BYTES // 2**20} MB at most: divide it, each part with a run_id of its own"
                    )
        return _Data(found, documents.whole)

    def _refuse_merge(self, documents: Documents) -> None:
        if self.job.key not in ((), (KEY,)):
            raise WriteError(f"{self.job.target}: documents are merged by `{KEY}`, not by {', '.join(self.job.key)}")
        if not documents.keyed and not documents.whole:
            raise WriteError(f"{self.job.target}: merge needs the key: a column `{KEY}`")
        documents.needs_key = True

    def _there(self) -> bool:
        """Whether the collection is there; `WriteError` where it has to be, or takes no transaction."""
        target, database = self.job.target, self._collection.database
        kind = next((each["type"] for each in database.list_collections(filter={"name": target.name})), None)
        if kind is None and not self.job.create:
            raise WriteError(f"there is no collection {target}")
        if kind not in (None, "collection"):
            raise WriteError(f"{target}: a {kind} is not written")
        return kind is not None

    def _make_lock(self) -> None:
        """The ledger and this target's own entry, which its writers lock; before the transaction, since those that make
        them at once would be in each other's way."""
        database = self._ledger.database
        if not list(database.list_collections(filter={"name": LEDGER})):
            with suppress(CollectionInvalid):
                database.create_collection(LEDGER)
        with suppress(DuplicateKeyError):
            self._ledger.update_one({KEY: self._lock}, {"$setOnInsert": {"mode": "lock"}}, upsert=True)

    def _transaction(self, session: Any, data: _Data, *, there: bool) -> bool:
        """False if another writer had applied this run first."""
        ledger, job = self._ledger, self.job
        ledger.update_one({KEY: self._lock}, {"$inc": {"writes": 1}}, session=session)
        if ledger.find_one({KEY: self._run}, session=session) is not None:
            return False
        entry = {KEY: self._run, "mode": str(job.mode), "row_count": len(data.documents)}
        ledger.insert_one({**entry, "written_at": datetime.now(UTC)}, session=session)
        if not there and not data.documents:
            self._collection.database.create_collection(job.target.name, session=session)
        if job.mode is WriteMode.REPLACE:
            self._collection.delete_many({}, session=session)
        made: list[Any]
        if job.mode is WriteMode.MERGE:
            made = [_merged(each, data.whole) for each in data.documents]
        else:
            made = [InsertOne(each) for each in data.documents]
        if made:
            self._collection.bulk_write(made, session=session)
        return True

    def _after(self, error: PyMongoError) -> WriteResult:
        """What came of a write that failed. The commit may have taken effect all the same: the ledger tells."""
        unknown = self._retryable(error) or error.has_error_label("UnknownTransactionCommitResult")
        if unknown:
            with suppress(PyMongoError):
                if self._ledger.find_one({KEY: self._run}) is not None:
                    return self.job.done_before()
        text = self._said(error)
        if not unknown:
            text += "; nothing was written"
        else:
            text += f"; whether it was written is not known: the same run_id ({self.job.run_id}) again has one effect"
        raise WriteError(text, retryable=unknown) from None

    def _said(self, error: PyMongoError) -> str:
        target = self.job.target
        if isinstance(error, BulkWriteError):
            found: dict[str, Any] = next(iter((error.details or {}).get("writeErrors") or []), {})
            if found.get("code") == _DUPLICATE:
                by = ", ".join(found.get("keyPattern") or {KEY: 1})
                help_ = ": merge writes over it" if by == KEY else ""
                return f"{target}: a document of the data is there already, by its {by}{help_}"
            return f"{target}: {str(found.get('errmsg') or error).splitlines()[0][:200]}"
        return f"{target}: {_bare(self.source.translate(error, writing=True))}"

    def _retryable(self, error: Exception) -> bool:
        found = error if isinstance(error, ElError) else self.source.translate(error, writing=True)
        return found.retryable


def _merged(document: RawBSONDocument, whole: bool) -> UpdateOne | ReplaceOne[Any]:
    """A document in the place of the one with its key; or its fields over those of that one."""
    if whole:
        return ReplaceOne({KEY: document[KEY]}, document, upsert=True)
    fields = {name: value for name, value in document.items() if name != KEY}
    return UpdateOne({KEY: document[KEY]}, {"$set": fields} if fields else {"$setOnInsert": {}}, upsert=True)


def _bare(error: ElError) -> str:
    return str(error).removeprefix("data is not in stable state: ")
