"""A write is whole or not there, with its run_id in the same transaction; part by part, each part once."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.dynamodb import write
from el.connectors.dynamodb.items import text_of
from el.connectors.dynamodb.write import LEDGER, Write
from el.connectors.sql.write_job import WriteJob
from el.errors import WriteError
from tests.conformance.line import line_to
from tests.connectors.dynamodb.conftest import Store
from tests.servers.dynamodb import client_of, make_table, shared

ROOT = Path(__file__).parents[3]


class Table:
    """A table of one test, with a key `id`."""

    def __init__(self, client: Any, type_: str = "S", sort: str | None = None) -> None:
        self.client, self.name = client, TableName("dynamodb", f"t{uuid.uuid4().hex[:12]}")
        make_table(client, self.name.name, id=type_, **({"at": sort} if sort else {}))

    def put(self, data: Any, mode: str = "append", *, run_id: str = "", each: bool = False, **options: Any) -> Any:
        job = WriteJob(self.name, WriteMode(mode), tuple(options.get("key", ())), run_id or uuid.uuid4().hex)
        found = Write(options.get("client", self.client), job)
        return found.each(data) if each else found.of(data)

    def items(self) -> dict[str, Any]:
        found = self.client.get_paginator("scan").paginate(TableName=self.name.name, ConsistentRead=True)
        return {str(next(iter(item["id"].values()))): item for page in found for item in page["Items"]}


@pytest.fixture
def client(store: Store) -> Any:
    return store.client


@pytest.fixture
def table(client: Any) -> Table:
    return Table(client)


def rows(*numbers: int, **more: Any) -> pa.Table:
    return pa.table({"id": [str(number) for number in numbers], "n": pa.array(numbers, pa.int64()), **more})


def test_every_kind_of_value_stands_there_in_all_its_digits(table: Table) -> None:
    data = pa.table(
        {
            "id": ["1"],
            "whole": pa.array([2**64 - 1], pa.uint64()),
            "money": pa.array([Decimal("12345678901234567890123456789012345.678")], pa.decimal128(38, 3)),
            "padded": pa.array([Decimal("1.500")], pa.decimal128(10, 3)),
            "ratio": [0.1],
            "tiny": [1e-130],
            "yes": [True],
            "none": pa.array([None], pa.string()),
            "empty": [""],
            "bytes": pa.array([b"\x00\xff"], pa.binary()),
            "list": pa.array([[1, None]], pa.list_(pa.int64())),
            "map": pa.array([{"a": "x", "b": None}], pa.struct([("a", pa.string()), ("b", pa.float64())])),
        }
    )
    table.put(data)
    assert table.items()["1"] == {
        "id": {"S": "1"},
        "whole": {"N": "18446744073709551615"},
        "money": {"N": "12345678901234567890123456789012345.678"},
        "padded": {"N": "1.5"},
        "ratio": {"N": "0.1"},
        "tiny": {"N": f"0.{'0' * 129}1"},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "empty": {"S": ""},
        "bytes": {"B": b"\x00\xff"},
        "list": {"L": [{"N": "1"}, {"NULL": True}]},
        "map": {"M": {"a": {"S": "x"}, "b": {"NULL": True}}},
    }


def test_a_document_is_written_as_the_item_of_which_it_is_the_text(table: Table) -> None:
    item = {
        "id": {"S": "7"},
        "n": {"N": "12345678901234567890123456789012345678"},
        "sets": {"L": [{"NS": ["1", "2.5"]}, {"SS": ["a", "b"]}, {"BS": [b"\x00", b"\xff"]}]},
        "m": {"M": {"x": {"B": b"\xff"}, "e": {"S": ""}}},
        "null": {"NULL": True},
        "no": {"BOOL": False},
    }
    text = text_of(item).decode()
    table.put(pa.table({"id": ["7"], "document": [text]}))
    assert text_of(table.items()["7"]).decode() == text
    table.put(pa.table({"document": ['{"id":{"S":"7"},"n":{"N":"1E+2"}}']}), "merge")
    assert table.items()["7"] == {"id": {"S": "7"}, "n": {"N": "100"}}, "a document is the whole item"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"id": ["1", "1"]}, "the data has key id='1' more than once"),
        ({"id": [None, "1"]}, "row 1: key column 'id' has NULL"),
        ({"id": ["1", ""]}, "row 2: key column 'id' is empty"),
        ({"id": [1]}, "key column 'id' is of type S in the table, and of N in the data"),
        ({"id": ["x" * 2049]}, "more than the 2,048 bytes of a key"),
        ({"n": [1]}, "key column 'id' is not in the data"),
        ({"id": ["1"], "f": [math.nan]}, "nan"),
        ({"id": ["1"], "f": [1e200]}, "beyond what a number of DynamoDB's holds"),
        ({"id": ["1"], "f": pa.array([Decimal("1" * 39)], pa.decimal256(39, 0))}, "no number of at most 38 digits"),
        ({"id": ["1"], "f": pa.array([0], pa.date32())}, "DynamoDB has no type for date32"),
        ({"id": ["1"], "f": ["x" * 410_000]}, "400 KB is the most"),
        ({"id": ["1"], "document": ['{"id":{"S":"2"}}']}, "the document has another `id` than its row"),
        ({"document": ['{"id":{"S":"2"},"n":{"N":7}}']}, "no item in DynamoDB JSON"),
        ({"document": ['{"id":{"S":"2"},"s":{"SS":[]}}']}, "a set is neither empty"),
        ({"document": ['{"id":{"S":"2"},"s":{"NS":["1","1.0"]}}']}, "has it a value twice"),
        ({"document": ['{"id":{"S":"2"},"a":{"S":"1"},"a":{"S":"2"}}']}, "a name twice"),
        ({"document": pa.array([None], pa.string())}, "no item in DynamoDB JSON"),
    ],
    ids=range(17),
)
def test_what_cannot_be_written_as_it_is_is_refused_and_nothing_is_there(table: Table, data: Any, says: str) -> None:
    with pytest.raises(WriteError, match=says):
        table.put(pa.table(data))
    assert table.items() == {}


def test_the_same_run_changes_nothing_and_another_one_does(table: Table) -> None:
    data = pd.DataFrame({"id": ["1", "2"], "v": ["a", "b"]})
    first = table.put(data, run_id="one")
    assert (first.rows, first.already_done) == (2, False)
    table.client.put_item(TableName=table.name.name, Item={"id": {"S": "1"}, "v": {"S": "changed since"}})
    again = table.put(data, run_id="one")
    assert (again.rows, again.already_done) == (0, True)
    assert table.items()["1"]["v"] == {"S": "changed since"}
    table.put(data, "merge", run_id="two")
    assert table.items()["1"]["v"] == {"S": "a"}


def test_append_takes_no_item_that_is_there_and_merge_keeps_what_it_does_not_name(table: Table) -> None:
    table.client.put_item(TableName=table.name.name, Item={"id": {"S": "2"}, "old": {"S": "kept"}, "n": {"N": "9"}})
    with pytest.raises(WriteError, match=r"stable state: .*nothing was written: the item id='2': it is there already"):
        table.put(rows(1, 2))
    assert list(table.items()) == ["2"]
    table.put(rows(1, 2), "merge", key=("id",))
    assert table.items()["2"] == {"id": {"S": "2"}, "old": {"S": "kept"}, "n": {"N": "2"}}
    with pytest.raises(WriteError, match="append, or merge"):
        table.put(rows(1), "replace")


def test_a_number_that_is_read_as_text_is_written_as_the_key_that_it_is(client: Any) -> None:
    table = Table(client, "N", "B")
    data = pa.table({"id": ["1.50"], "at": pa.array([b"\x00"], pa.binary()), "v": [1]})
    table.put(data)
    assert table.items()["1.5"] == {"id": {"N": "1.5"}, "at": {"B": b"\x00"}, "v": {"N": "1"}}
    with pytest.raises(WriteError, match=r"the key is|table's key is id, at, not id"):
        table.put(data, "merge", key=("id",))


def test_a_table_that_is_not_there_is_made_where_that_is_asked(client: Any) -> None:
    name = TableName("dynamodb", f"new{uuid.uuid4().hex[:8]}")
    with pytest.raises(WriteError, match=r"there is no table dynamodb\.new"):
        Write(client, WriteJob(name, WriteMode.APPEND, ("id",), "one")).of(rows(1))
    assert Write(client, WriteJob(name, WriteMode.APPEND, ("id", "n"), "one", True)).of(rows(1)).rows == 1
    assert client.describe_table(TableName=name.name)["Table"]["KeySchema"][1] == {
        "AttributeName": "n",
        "KeyType": "RANGE",
    }


def test_beyond_what_a_transaction_takes_nothing_is_written_and_write_each_does_it(table: Table) -> None:
    with pytest.raises(WriteError, match=r"a transaction takes 99 items and 4 MB at most.*write_each"):
        table.put(rows(*range(100)))
    big = rows(*range(12), text=["x" * 390_000] * 12)
    with pytest.raises(WriteError, match="99 items and 4 MB"):
        table.put(big)
    assert table.items() == {}
    assert table.put(rows(*range(99))).rows == 99
    assert table.put(rows(*range(250)), "merge", each=True, run_id="all").rows == 250
    assert len(table.items()) == 250
    assert table.put(rows(*range(250)), "merge", each=True, run_id="all").already_done
    ledger = table.client.scan(TableName=LEDGER, ConsistentRead=True)["Items"]
    own = [entry["run"]["S"] for entry in ledger if entry["run"]["S"].startswith(f"{table.name}|all")]
    assert own == [f"{table.name}|all"], "the entries of the parts are gone once the run has its own"


def test_a_part_that_was_written_is_not_written_again(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Write._part

    def broken(self: Write, number: int, items: Any) -> None:
        if number == 2:
            raise WriteError("the line is gone", retryable=True)
        whole(self, number, items)

    monkeypatch.setattr(Write, "_part", broken)
    with pytest.raises(WriteError, match=r"198 items or more are written: the same run_id with the same data") as told:
        table.put(rows(*range(250)), each=True, run_id="parts")
    assert told.value.retryable
    monkeypatch.undo()
    assert len(table.items()) == 198
    table.client.put_item(TableName=table.name.name, Item={"id": {"S": "0"}, "n": {"N": "77"}})
    with pytest.raises(WriteError, match="was begun with other data"):
        table.put(rows(*range(1, 251)), each=True, run_id="parts")
    assert table.put(rows(*range(250)), each=True, run_id="parts").rows == 250
    assert len(table.items()) == 250
    assert table.items()["0"]["n"] == {"N": "77"}, "its part was written before, and what came since stays"


@pytest.mark.parametrize("lost", ["the line", "the answer"])
def test_a_line_that_is_cut_leaves_all_or_nothing_and_the_same_run_ends_it(
    table: Table, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    port = int(shared()["endpoint"].rpartition(":")[2])
    transaction = Write._transaction
    with line_to("127.0.0.1", port) as line:
        far = client_of({**shared(), "endpoint": f"http://127.0.0.1:{line.port}"})

        def cut(self: Write, *arguments: Any) -> bool:
            if lost == "the line":
                line.cut()
            else:
                line.cut_after(1)
            return transaction(self, *arguments)

        monkeypatch.setattr(Write, "_transaction", cut)
        told = ""
        try:
            table.put(rows(*range(50)), run_id="cut", client=far)
        except WriteError as error:
            told = str(error)
    monkeypatch.undo()
    there = len(table.items())
    assert there in (0, 50)
    assert there == 50 or "the same run_id (cut) again has one effect" in told
    assert table.put(rows(*range(50)), run_id="cut").already_done is (there == 50)
    assert len(table.items()) == 50


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_is_killed_leaves_all_or_nothing(table: Table, when: str) -> None:
    code = f"""
import os, signal
import pyarrow as pa
from tests.servers.dynamodb import client_of
from el.connectors.dynamodb.write import Write
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.sql.write_job import WriteJob
whole = Write._transaction
def killed(self, *arguments):
    if {when == "after"}:
        whole(self, *arguments)
    os.kill(os.getpid(), signal.SIGKILL)
Write._transaction = killed
data = pa.table({{"id": [str(n) for n in range(50)], "n": list(range(50))}})
Write(client_of({shared()!r}), WriteJob({table.name!r}, WriteMode.APPEND, (), "killed")).of(data)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False, timeout=60)
    assert done.returncode == -9
    assert len(table.items()) == (50 if when == "after" else 0)
    assert table.put(rows(*range(50)), run_id="killed").already_done is (when == "after")
    assert len(table.items()) == 50


def test_whoever_is_in_the_way_is_waited_for_and_then_named(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        """A client whose transactions are in another one's way so many times."""

        def __init__(self, times: int) -> None:
            self.times = times

        def __getattr__(self, name: str) -> Any:
            return getattr(table.client, name)

        def transact_write_items(self, **asked: Any) -> Any:
            if self.times:
                self.times -= 1
                reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "it is busy"}]
                error = {
                    "Error": {"Code": "TransactionCanceledException", "Message": ""},
                    "CancellationReasons": reasons,
                }
                raise write.ClientError(error, "TransactWriteItems")
            return table.client.transact_write_items(**asked)

    monkeypatch.setattr(write.time, "sleep", lambda seconds: None)
    assert table.put(rows(1), client=Busy(3)).rows == 1
    monkeypatch.setattr(write, "_WAIT_SECONDS", -1.0)
    with pytest.raises(WriteError, match=r"the item id='2': TransactionConflict: it is busy") as told:
        table.put(rows(2), client=Busy(1))
    assert told.value.retryable
    assert list(table.items()) == ["1"]
