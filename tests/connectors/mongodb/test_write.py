"""A write is whole with its run_id or not there; what BSON does not hold is refused before."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import bson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from el.cli.app import main
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.mongodb import MongoDb
from el.connectors.mongodb.stream import RAW
from el.connectors.mongodb.write import Write
from el.connectors.mongodb.write_documents import Documents
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.errors import AccessDenied, WriteError
from tests.conformance.line import line_to
from tests.servers.mongodb import server, shared

ROOT = Path(__file__).parents[3]


class Store:
    """A database of the shared server's. `client` is the tests' own way to it."""

    def __init__(self, output: dict[str, Any]) -> None:
        self.name = f"w{uuid.uuid4().hex[:12]}"
        self.output = {**output, "database": self.name}
        self.client: Any = MongoClient(port=output["port"], directConnection=True)
        self.scores: Any = self.client[self.name].scores

    def put(self, data: Any, mode: WriteMode = WriteMode.APPEND, *, run_id: str = "", **options: Any) -> Any:
        with open_connector(self.output) as target:
            assert isinstance(target, MongoDb)
            asked = {"create": True, **options}
            name = TableName(self.name, asked.pop("table", "scores"))
            return target.write_buffer(name, data, mode, run_id=run_id or uuid.uuid4().hex, **asked)

    def held(self) -> dict[Any, dict[str, Any]]:
        return {each.pop("_id"): each for each in self.scores.find()}


@pytest.fixture
def store() -> Iterator[Store]:
    found = Store(shared())
    yield found
    found.client.drop_database(found.name)
    found.client.close()


def test_every_kind_of_value_stands_there_with_all_its_digits(store: Store) -> None:
    moment = datetime(2024, 2, 29, 12, 0, 0, 5_000)
    store.put(
        pa.table(
            {
                "_id": pa.array([1], pa.int64()),
                "whole": pa.array([2**63 - 1]),
                "small": pa.array([-(2**31)], pa.int32()),
                "unsigned": pa.array([2**63 - 1], pa.uint64()),
                "money": pa.array([Decimal("12345678901234567890.10")], pa.decimal128(38, 2)),
                "ratio": pa.array([0.1]),
                "single": pa.array([0.1], pa.float32()),
                "far": pa.array([-math.inf]),
                "yes": pa.array([True]),
                "text": ["Größe 😀\0"],
                "bytes": pa.array([b"\x00\xff"], pa.binary()),
                "day": pa.array([date(1, 1, 1)]),
                "at": pa.array([moment], pa.timestamp("us")),
                "instant": pa.array([moment.replace(tzinfo=UTC)], pa.timestamp("ns", "Europe/Vienna")),
                "list": pa.array([[1, None]], pa.list_(pa.int64())),
                "inside": pa.array([{"a": [{"b": b""}], "none": None}]),
                "kind": pa.array(["a"]).dictionary_encode(),
                "uuid": pa.array([uuid.UUID(int=7).bytes], pa.uuid()),
                "none": pa.array([None], pa.string()),
            }
        )
    )
    (found,) = store.scores.find()
    assert found == {
        "_id": 1,
        "whole": 2**63 - 1,
        "small": -(2**31),
        "unsigned": 2**63 - 1,
        "money": Decimal128("12345678901234567890.10"),
        "ratio": 0.1,
        "single": 0.10000000149011612,
        "far": -math.inf,
        "yes": True,
        "text": "Größe 😀\0",
        "bytes": b"\x00\xff",
        "day": datetime(1, 1, 1),
        "at": moment,
        "instant": moment,
        "list": [1, None],
        "inside": {"a": [{"b": b""}], "none": None},
        "kind": "a",
        "uuid": bson.Binary(uuid.UUID(int=7).bytes, 4),
        "none": None,
    }
    assert str(found["money"]) == "12345678901234567890.10"
    assert [type(found[name]) for name in ("_id", "whole", "small", "unsigned")] == [Int64, Int64, int, Int64]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            {"n": pa.array([2**64 - 1], pa.uint64())},
            r"scores\.n: 18446744073709551615 is beyond the whole numbers of 64",
        ),
        ({"n": pa.array([Decimal("1" * 35)], pa.decimal128(38, 0))}, r"scores\.n: 1{35} has more than the 34 digits"),
        ({"n": pa.array([1], pa.timestamp("us"))}, r"scores\.n: a moment has more digits than the milliseconds"),
        ({"n": pa.array([{"m": [1]}], pa.struct([("m", pa.list_(pa.timestamp("ns")))]))}, r"scores\.n\.m: a moment"),
        ({"n": pa.array([1], pa.time64("us"))}, r"scores\.n: BSON has no type for time64"),
        ({"n": pa.array([1], pa.duration("s"))}, r"scores\.n: BSON has no type for duration"),
        ({"n": pa.array([{"t": 1}], pa.struct([("t", pa.time32("s"))]))}, r"scores\.n\.t: BSON has no type for time32"),
        ({"a.b": [1]}, r"scores\.a\.b: a field's name .* has no dot"),
        ({"$set": [1]}, r"scores\.\$set: a field's name"),
        ({"_id": [1, 1]}, "has key _id=1 more than once"),
        ({"_id": pa.array([None], pa.int64())}, "key column '_id' has NULL"),
        ({"_id": ["plain text"]}, "a key is text of Extended JSON"),
        ({"document": ['{"a": 1, "a": 2}']}, "has a field's name twice"),
        ({"document": ['{"a": {"$symbol": "s"}}']}, "is a deprecated type"),
        ({"document": ["[1]"]}, "it is no document in Extended JSON"),
        ({"document": ['{"a": {"$numberDecimal": "1e"}}']}, "it is no document in Extended JSON"),
        *(
            ({"document": [f'{{"a": [{value}]}}']}, says)
            for value, says in (
                ("12345678901234567.89", "is a number that a float of 64 bits does not keep"),
                ("1e400", "is a number that a float of 64 bits does not keep"),
                ("1e-400", "is a number that a float of 64 bits does not keep"),
                ('{"$numberDouble": "0.12345678901234567890"}', "does not keep"),
                ('{"$numberDouble": "1e400"}', "does not keep"),
                ('{"$numberInt": "2147483648"}', r"is no \$numberInt of 32 bits"),
                ('{"$numberInt": "1_0"}', r"is no \$numberInt"),
                ('{"$numberInt": 1.5}', r"is no \$numberInt"),
                ('{"$numberLong": " 7"}', r"is no \$numberLong"),
                ('{"$date": "2024-01-01T00:00:00.123456Z"}', "more digits than the milliseconds"),
            )
        ),
        ({"document": ['{"t": {"$timestamp": {"t": 0, "i": 0}}}']}, "for a timestamp of 0"),
        ({"document": ['{"_id": 1}', '{"_id": {"$numberDouble": "1.0"}}']}, "more than once"),
        ({"document": ['{"_id": {"a": {"b": 1}}}', '{"_id": {"a": {"b": 1.0}}}']}, "more than once"),
        ({"document": [json.dumps({"v": "x" * 16 * 2**20})]}, "is larger than the 16 MB"),
        ({"document": [7]}, "it is the text of Extended JSON, not int64"),
    ],
)
def test_what_bson_or_the_driver_would_change_is_refused_by_name(store: Store, data: Any, says: str) -> None:
    with pytest.raises(WriteError, match=f"data is not in stable state: .*{says}"):
        store.put(pa.table(data))
    assert store.scores.count_documents({}) == 0


DOCUMENTS = (
    '{"_id":{"$oid":"0123456789abcdef01234567"},"b":{"$numberLong":"1"},"a":{"$numberInt":"1"}}',
    '{"_id":"text","d":{"$numberDecimal":"1.50E+3"},"n":{"$numberDouble":"-0.0"},"e":{},"l":[],"z":null}',
    '{"_id":{"a":{"$numberInt":"1"}},"at":{"$date":{"$numberLong":"-62135596800000"}},"i":{"$numberDouble":"NaN"}}',
    '{"_id":{"$binary":{"base64":"AP8=","subType":"80"}},"r":{"$regularExpression":{"pattern":"^a","options":"i"}}}',
    '{"_id":{"$numberDecimal":"7.0"},"ref":{"$ref":"c","$id":{"$numberInt":"1"},"$db":"d","x":true}}',
    '{"_id":true,"t":{"$timestamp":{"t":1,"i":2}},"c":{"$code":"f()"},"min":{"$minKey":1},"max":{"$maxKey":1}}',
)


def test_documents_are_written_as_their_text_says_and_read_as_they_were_written(store: Store) -> None:
    from el.connectors.mongodb.extended import text_of

    store.put(pa.table({"document": list(DOCUMENTS)}))
    found = [text_of(each.raw) for each in store.scores.with_options(codec_options=RAW).find()]
    assert sorted(each.document for each in found) == sorted(DOCUMENTS)
    # What was read is written as it was, with its key beside it.
    keys = [each.key for each in found]
    again = pa.table({"_id": keys, "document": [each.document for each in found]})
    store.put(again, WriteMode.REPLACE)
    same = [text_of(each.raw) for each in store.scores.with_options(codec_options=RAW).find()]
    assert sorted(each.document for each in same) == sorted(DOCUMENTS)
    with pytest.raises(WriteError, match="another `_id` than its row"):
        store.put(pa.table({"_id": keys[:1], "document": [found[1].document]}), WriteMode.REPLACE)


@pytest.mark.parametrize(
    "key", ['{"$gt": 0}', '{"$in": [1]}', '{"$regularExpression": {"pattern": "", "options": ""}}', '["a", 1]']
)
@pytest.mark.parametrize("mode", [WriteMode.APPEND, WriteMode.MERGE])
def test_a_key_that_the_server_would_take_for_a_condition_writes_over_nothing(
    store: Store, key: str, mode: WriteMode
) -> None:
    before = [{"_id": 1, "v": "mine"}, {"_id": "a", "v": "mine"}]
    store.scores.insert_many(before)
    for data in ({"_id": [key], "v": ["other"]}, {"document": [f'{{"_id": {key}, "v": "other"}}']}):
        with pytest.raises(WriteError, match="no array, no pattern and no object"):
            store.put(pa.table(data), mode)
    assert list(store.scores.find()) == before


def test_a_reference_is_a_key() -> None:
    (batch,) = pa.table({"_id": ['{"$ref": "c", "$id": 1}']}).to_batches()
    (made,) = Documents(TableName("shop", "scores"), batch.schema).of(batch)
    assert bson.decode(made.raw) == {"_id": bson.DBRef("c", 1)}


def test_what_was_read_is_written_back_with_all_its_columns(store: Store) -> None:
    likeness = bson.encode({"_id": 2, "a": {"$oid": "0" * 24}})
    store.scores.insert_many([RawBSONDocument(bson.encode({"_id": 1, "a": "x"})), RawBSONDocument(likeness)])
    with open_connector(store.output) as source:
        assert isinstance(source, MongoDb)
        read = source.read_buffer(ReadRequest(table=TableName(store.name, "scores"))).to_arrow()
    assert read.column("_el_raw").to_pylist() == [None, likeness]
    for mode in (WriteMode.REPLACE, WriteMode.MERGE):
        store.put(read, mode)
        assert [each.raw for each in store.scores.with_options(codec_options=RAW).find().sort("_id")] == [
            bson.encode({"_id": 1, "a": "x"}),
            likeness,
        ]
    for wrong, says in (([b"", b"no"], "no document in BSON"), ([likeness, likeness], "another `_id` than its row")):
        with pytest.raises(WriteError, match=says):
            store.put(read.set_column(2, "_el_raw", pa.array(wrong, pa.binary())), WriteMode.MERGE)


def test_plain_numbers_and_days_of_a_text_are_written_as_they_are(store: Store) -> None:
    numbers = '[0.1, 1e2, -0.0, 1.50, 5e-324, {"$numberDouble": "1E+2"}, 0.10000000000000001]'
    at = '{"$date": "2024-01-01T00:00:00.120000Z"}'
    store.put(pa.table({"document": [f'{{"_id": 1, "f": {numbers}, "at": {at}}}']}))
    (found,) = store.scores.find()
    assert found["f"] == [0.1, 100.0, -0.0, 1.5, 5e-324, 100.0, 0.1]
    assert found["at"] == datetime(2024, 1, 1, 0, 0, 0, 120_000)


def test_the_same_run_changes_nothing_and_another_one_does(store: Store) -> None:
    data = pd.DataFrame({"_id": [1, 2], "v": ["a", "b"]})
    first = store.put(data, run_id="one")
    assert (first.rows, first.already_done) == (2, False)
    store.scores.update_one({"_id": 1}, {"$set": {"v": "changed since"}})
    again = store.put(data, run_id="one")
    assert (again.rows, again.already_done) == (0, True)
    assert store.held()[1] == {"v": "changed since"}
    assert store.put(data, WriteMode.MERGE, run_id="two", key=("_id",)).rows == 2
    assert store.held()[1] == {"v": "a"}


def test_append_takes_no_key_that_is_there_merge_keeps_other_fields_replace_other_documents(store: Store) -> None:
    store.scores.insert_one({"_id": 2, "kept": 1, "v": 1})
    data = pl.DataFrame({"_id": [1, 2], "v": [7, None]})
    with pytest.raises(
        WriteError, match=r"a document of the data is there already, by its _id: merge .*; nothing was written"
    ):
        store.put(data)
    assert set(store.held()) == {2}
    store.put(data, WriteMode.MERGE)
    assert store.held() == {1: {"v": 7}, 2: {"kept": 1, "v": None}}
    store.put(pl.DataFrame({"_id": [2], "v": [8]}), WriteMode.REPLACE)
    assert store.held() == {2: {"v": 8}}
    store.put(pl.DataFrame({"_id": [2], "v": [8]}).clear(), WriteMode.REPLACE)
    assert store.held() == {}


def test_without_a_key_each_row_is_a_document_of_its_own_once(store: Store) -> None:
    data = pa.table({"v": [1, 1]})
    store.put(data, run_id="one")
    store.put(data, run_id="one")
    assert [each["v"] for each in store.held().values()] == [1, 1]
    with pytest.raises(WriteError, match="merge needs the key: a column `_id`"):
        store.put(data, WriteMode.MERGE)
    with pytest.raises(WriteError, match="merged by `_id`, not by v"):
        store.put(data, WriteMode.MERGE, key=("v",))
    with pytest.raises(WriteError, match="a document without `_id` cannot be merged"):
        store.put(pa.table({"document": ['{"v": 1}']}), WriteMode.MERGE)


def test_a_collection_is_made_with_the_write_or_not_at_all(store: Store) -> None:
    database = store.client[store.name]
    with pytest.raises(WriteError, match=r"there is no collection w\w+\.scores"):
        store.put(pa.table({"_id": [1]}), create=False)
    with pytest.raises(WriteError, match="more than once"):
        store.put(pa.table({"_id": [1, 1]}))
    assert "scores" not in database.list_collection_names()
    store.put(pa.table({"_id": pa.array([], pa.int64())}))
    assert "scores" in database.list_collection_names()
    database.create_collection("seen", viewOn="scores", pipeline=[])
    with pytest.raises(WriteError, match="a view is not written"):
        store.put(pa.table({"_id": [1]}), table="seen")


def test_a_rule_of_the_collection_that_refuses_one_document_leaves_nothing(store: Store) -> None:
    database = store.client[store.name]
    database.create_collection("scores", validator={"v": {"$lt": 10}})
    with pytest.raises(WriteError, match="failed validation"):
        store.put(pa.table({"_id": list(range(20)), "v": list(range(20))}))
    assert store.held() == {}
    assert store.put(pa.table({"_id": [1], "v": [1]})).rows == 1


def test_a_write_has_a_size(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("el.connectors.mongodb.write.MOST_DOCUMENTS", 10)
    assert store.put(pa.table({"_id": list(range(10))})).rows == 10
    with pytest.raises(WriteError, match="a transaction takes 10 documents and 64 MB at most: divide it"):
        store.put(pa.table({"_id": list(range(20, 31))}))
    monkeypatch.setattr("el.connectors.mongodb.write.MOST_BYTES", 1_000)
    with pytest.raises(WriteError, match="divide it"):
        store.put(pa.table({"_id": [99], "v": ["x" * 1_000]}))
    assert len(store.held()) == 10


def at_once(store: Store, monkeypatch: pytest.MonkeyPatch, writes: list[dict[str, Any]]) -> list[Any]:
    """What comes of writes whose transactions have all begun before the first of them writes."""
    begun, transaction, met = threading.Barrier(len(writes)), Write._transaction, threading.local()

    def together(self: Write, session: Any, *arguments: Any, **named: Any) -> bool:
        if not getattr(met, "already", False):
            met.already = True
            self._ledger.find_one({}, session=session)
            begun.wait(60)
        return transaction(self, session, *arguments, **named)

    monkeypatch.setattr(Write, "_transaction", together)
    with ThreadPoolExecutor(len(writes)) as pool:
        return list(pool.map(lambda write: store.put(**write), writes, timeout=120))


@pytest.mark.parametrize("made", [False, True])
def test_writers_of_one_collection_follow_each_other(store: Store, monkeypatch: pytest.MonkeyPatch, made: bool) -> None:
    """Each replaces the collection: what is left is of one of them, whole. Its first writers make it, too."""
    if made:
        store.client[store.name].create_collection("scores")
    tables = [pa.table({"_id": [number * 1_000 + each for each in range(50)]}) for number in range(3)]
    at_once(store, monkeypatch, [{"data": table, "mode": WriteMode.REPLACE} for table in tables])
    assert len(store.held()) == 50
    assert len({key // 1_000 for key in store.held()}) == 1


def test_of_one_run_that_is_written_by_several_at_once_one_has_an_effect(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = at_once(store, monkeypatch, [{"data": pa.table({"v": [1, 2]}), "run_id": "one"}] * 3)
    assert sorted((each.rows, each.already_done) for each in found) == [(0, True), (0, True), (2, False)]
    assert len(store.held()) == 2


def test_a_transaction_that_another_one_was_in_the_way_of_is_done_again_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, transaction = [], Write._transaction

    def passing(self: Write, *arguments: Any, **named: Any) -> bool:
        calls.append(1)
        done = transaction(self, *arguments, **named)
        if len(calls) == 1:
            raise OperationFailure("WriteConflict", 112, {"errorLabels": ["TransientTransactionError"]})
        return done

    monkeypatch.setattr(Write, "_transaction", passing)
    assert store.put(pa.table({"v": [1, 2]})).rows == 2
    assert (len(calls), len(store.held())) == (2, 2)


@pytest.mark.parametrize("lost", ["before", "the answer to a statement", "the answer to the commit"])
def test_a_line_that_is_cut_leaves_all_or_nothing_and_the_same_run_ends_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    data = pa.table({"_id": list(range(500))})
    store.put(pa.table({"_id": [-1]}))
    transaction = Write._transaction
    with line_to("127.0.0.1", store.output["port"]) as line:
        cuts = []

        def cut(self: Write, *arguments: Any, **named: Any) -> bool:
            if not cuts and lost != "the answer to the commit":
                cuts.append(line.cut() if lost == "before" else line.cut_after(1))
            done = transaction(self, *arguments, **named)
            if not cuts:
                cuts.append(line.cut_after(1))
            return done

        monkeypatch.setattr(Write, "_transaction", cut)
        target: Any = open_connector({**store.output, "port": line.port})
        with target:
            result = target.write_buffer(TableName(store.name, "scores"), data, run_id="cut")
    monkeypatch.undo()
    # The driver does the transaction again, or asks for the commit again: it is there once.
    assert result.rows == 500 or result.already_done
    assert len(store.held()) == 501
    assert store.put(data, run_id="cut").already_done


@pytest.mark.parametrize("at", ["before the rows", "before the commit", "after the commit"])
def test_a_process_that_is_killed_leaves_all_or_nothing(store: Store, at: str) -> None:
    code = f"""
import os, signal
import pyarrow as pa
from pymongo.client_session import ClientSession
from el.connectors.mongodb.write import Write
from el.connectors.mongodb.write_documents import Documents
from tests.connectors.mongodb.test_write import die_at
from el.connectors.catalog import TableName
from el.connectors.registry import open_connector
die_at({at!r})
name, data = TableName({store.name!r}, "scores"), pa.table({{"_id": list(range(100))}})
with open_connector({store.output!r}) as target:
    target.write_buffer(name, data, run_id="k", create=True)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False, timeout=60)
    assert done.returncode == -9
    # The server would keep the transaction of whoever went away for a minute (transactionLifetimeLimitSeconds).
    store.client.admin.command("killAllSessions", [])
    assert len(store.held()) == (100 if at == "after the commit" else 0)
    assert store.put(pa.table({"_id": list(range(100))}), run_id="k").already_done is (at == "after the commit")
    assert len(store.held()) == 100


def die_at(where: str) -> None:
    """Let this process end there, in the next write."""
    import signal

    from pymongo.synchronous.client_session import ClientSession
    from pymongo.synchronous.collection import Collection

    def dying(method: Any, *, before: bool) -> Any:
        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            if not before:
                method(self, *arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        return call

    if where == "before the rows":
        Collection.bulk_write = dying(Collection.bulk_write, before=True)  # type: ignore[method-assign]
    else:
        commit = dying(ClientSession.commit_transaction, before=where == "before the commit")
        ClientSession.commit_transaction = commit  # type: ignore[method-assign]


def test_a_server_without_transactions_is_refused_and_written_document_by_document_where_asked() -> None:
    with server("--standalone") as output:
        store = Store(output)
        with pytest.raises(WriteError, match=r"a standalone server has no transactions.*rs\.initiate\(\).*write_each"):
            store.put(pa.table({"_id": [1], "v": [1]}))
        assert store.held() == {}
        name, data = TableName(store.name, "scores"), pa.table({"_id": list(range(2_500)), "v": [1] * 2_500})
        with open_connector(store.output) as target:
            assert isinstance(target, MongoDb)
            with pytest.raises(WriteError, match="there is no collection"):
                target.write_each(name, data, run_id="one")
            store.client[store.name].create_collection("scores")
            store.scores.create_index("v", unique=True)
            with pytest.raises(WriteError, match=r"by its v; .*and maybe more are written: the same run_id again"):
                target.write_each(name, data, run_id="one")
            assert 0 < len(store.held()) < 2_500
            store.scores.drop_indexes()
            assert target.write_each(name, data, run_id="one").rows == 2_500
            store.scores.update_one({"_id": 1}, {"$set": {"v": 2}})
            assert target.write_each(name, data, run_id="one").already_done
        assert len(store.held()) == 2_500
        assert store.held()[1] == {"v": 2}


def test_roles_that_only_read_write_nothing(store: Store) -> None:
    store.scores.insert_one({"_id": 1})
    output = {**store.output, "access": "staging", "staging_data": [store.name]}
    with open_connector(output) as target:
        assert isinstance(target, MongoDb)
        for write in (target.write_buffer, target.write_each):
            with pytest.raises(AccessDenied):
                write(TableName(store.name, "scores"), pa.table({"_id": [2]}), run_id="one")
    assert set(store.held()) == {1}


def test_a_file_of_scores_is_written_from_the_command_line(
    store: Store, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {"target": "it", "outputs": {"it": store.output}}
    (folder / "profiles.yml").write_text(yaml.safe_dump({"scores": outputs}))
    pq.write_table(pa.table({"_id": ['"a"', '{"$numberLong":"7"}'], "score": [0.5, 1.0]}), folder / "scores.parquet")
    command = ["write", f"{store.name}.scores", str(folder / "scores.parquet"), "--profile", "scores", "--create"]
    assert main(command) == 0
    assert main(command) == 0
    assert "was written before; nothing was changed" in capsys.readouterr().out
    assert store.held() == {"a": {"score": 0.5}, 7: {"score": 1.0}}
