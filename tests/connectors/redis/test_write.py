"""A write is whole or not there, with its run_id in the same step."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.redis import write
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.errors import NotPermitted, WriteError
from tests.conformance.line import line_to
from tests.connectors.redis.conftest import Store

ROOT = Path(__file__).parents[3]
HASHES: dict[str, Any] = {"scores": {"match": "score:*", "type": "hash"}}
STRINGS: dict[str, Any] = {"texts": {"match": "text:*", "type": "string"}}
SCORES, TEXTS = TableName("db0", "scores"), TableName("db0", "texts")


def put(store: Store, data: Any, mode: WriteMode = WriteMode.APPEND, *, run_id: str = "", **options: Any) -> Any:
    with store.opened(**HASHES, **STRINGS) as target:
        found = options.pop("target", SCORES)
        return target.write_buffer(found, data, mode, run_id=run_id or uuid.uuid4().hex, **options)


def test_every_kind_of_value_stands_there_in_all_its_digits(store: Store) -> None:
    put(
        store,
        pa.table(
            {
                "key": ["score:1"],
                "whole": pa.array([2**63 - 1]),
                "money": pa.array([Decimal("12345678901234567890.10")], pa.decimal128(38, 2)),
                "ratio": pa.array([0.1]),
                "far": pa.array([math.inf]),
                "yes": pa.array([True]),
                "text": ["Größe 😀"],
                "bytes": pa.array([b"\x00\xff"], pa.binary()),
                "day": pa.array([datetime(2024, 2, 29)], pa.timestamp("us")).cast(pa.date32()),
                "at": pa.array([datetime(2024, 2, 29, 12, 0, 0, 5)], pa.timestamp("us")),
                "none": pa.array([None], pa.string()),
            }
        ),
    )
    assert store.client.hgetall("score:1") == {
        b"whole": b"9223372036854775807",
        b"money": b"12345678901234567890.10",
        b"ratio": b"0.1",
        b"far": b"inf",
        b"yes": b"true",
        b"text": "Größe 😀".encode(),
        b"bytes": b"\x00\xff",
        b"day": b"2024-02-29",
        b"at": b"2024-02-29T12:00:00.000005",
    }


def test_what_was_read_can_be_written_as_it_was(store: Store) -> None:
    store.client.hset("score:1", mapping={b"a\xff": b"1", b"": b"2"})
    store.client.hset("score:2", mapping={b"b": b"\x00"})
    store.client.execute_command("PEXPIREAT", "score:2", 4102444800123)
    with store.opened(**HASHES) as source:
        found = source.read_buffer(ReadRequest(table=SCORES)).to_arrow().drop_columns(["field_expires_at"])
        before = {key: store.client.dump(key) for key in ("score:1", "score:2")}
        store.client.delete("score:1", "score:2")
        source.write_buffer(SCORES, found, run_id="again")
    assert store.client.hgetall("score:1") == {b"a\xff": b"1", b"": b"2"}
    assert store.client.dump("score:2") == before["score:2"]
    assert store.client.pexpiretime("score:2") == 4102444800123


def test_the_same_run_changes_nothing_and_another_one_does(store: Store) -> None:
    data = pd.DataFrame({"key": ["text:1", "text:2"], "value": ["a", "b"]})
    first = put(store, data, run_id="one", target=TEXTS)
    assert (first.rows, first.already_done) == (2, False)
    store.client.set("text:1", "changed since")
    again = put(store, data, run_id="one", target=TEXTS)
    assert (again.rows, again.already_done) == (0, True)
    assert store.client.get("text:1") == b"changed since"
    put(store, data, WriteMode.MERGE, run_id="two", target=TEXTS)
    assert store.client.get("text:1") == b"a"


def test_append_takes_no_key_that_is_there_and_merge_keeps_what_it_does_not_name(store: Store) -> None:
    store.client.hset("score:2", mapping={"old": "kept", "score": "1", "gone": "x"})
    data = pa.table({"key": ["score:1", "score:2"], "score": ["7", "8"], "gone": pa.array([None, None], pa.string())})
    with pytest.raises(WriteError, match=r"nothing was written: b'score:2' is there already"):
        put(store, data)
    assert store.client.keys("*") == [b"score:2"]
    put(store, data, WriteMode.MERGE, key=("key",))
    assert store.client.hgetall("score:2") == {b"old": b"kept", b"score": b"8"}
    assert store.client.hgetall("score:1") == {b"score": b"7"}


def test_a_key_of_another_type_leaves_nothing_written(store: Store) -> None:
    store.client.rpush("score:9", "a list")
    data = pa.table({"key": [f"score:{number}" for number in range(10)], "score": ["1"] * 10})
    for mode in (WriteMode.APPEND, WriteMode.MERGE):
        with pytest.raises(WriteError, match=r"b'score:9' is a list"):
            put(store, data, mode)
    assert store.client.keys("*") == [b"score:9"]


def test_a_right_that_is_missing_leaves_nothing_written(store: Store) -> None:
    store.client.execute_command(
        *("ACL", "SETUSER", "weak", "on", ">weak", "~*", "+@read", "+@connection", "+info", "+eval", "+hset"),
        *("+hexists", "+type"),
    )
    weak = Store({**store.output, "user": "weak", "password": "weak"}, store.client)
    moment = pa.array([datetime(2100, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("ms", "UTC"))
    data = pa.table({"key": ["score:1", "score:2"], "score": ["1", "2"], "expires_at": moment})
    with pytest.raises(WriteError, match="lacks the right to PEXPIREAT b'score:1'"):
        put(weak, data)
    assert store.client.keys("*") == []
    put(weak, data.drop_columns(["expires_at"]))
    store.client.execute_command("ACL", "SETUSER", "weak", "-eval")
    with pytest.raises((WriteError, NotPermitted), match=r"NOPERM|no permissions"):
        put(weak, data)
    store.client.execute_command("ACL", "DELUSER", "weak")


def test_a_write_beyond_the_limit_is_refused_before_anything_is_sent(store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(write, "MOST_VALUES", 10)
    data = pa.table({"key": [f"score:{number}" for number in range(6)], "score": ["1"] * 6})
    with pytest.raises(WriteError, match="10 values and 64 MB at most"):
        put(store, data)
    assert store.client.dbsize() == 0


@pytest.mark.parametrize(
    ("data", "mode", "says"),
    [
        ({"key": ["score:1", "score:1"], "a": ["1", "2"]}, "append", "more than once"),
        ({"key": [None], "a": ["1"]}, "append", "has NULL in the data"),
        ({"a": ["1"]}, "append", "needs a column `key`"),
        ({"key": ["score:1"]}, "append", "no column but the key"),
        ({"key": ["score:1"], "a": [[1]]}, "append", "has no one text"),
        ({"key": ["_el_writes"], "a": ["1"]}, "append", "a name of el's own"),
        ({"key": ["score:1"], "a": ["1"]}, "replace", "append, or merge"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(store: Store, data: Any, mode: str, says: str) -> None:
    with pytest.raises(WriteError, match=says):
        put(store, pa.table(data), WriteMode(mode))
    assert store.client.dbsize() == 0


@pytest.mark.parametrize("lost", ["the line", "the answer"])
def test_a_line_that_is_cut_leaves_all_or_nothing_and_the_same_run_ends_it(
    store: Store, monkeypatch: Any, lost: str
) -> None:
    data = pa.table({"key": [f"score:{number}" for number in range(500)], "score": ["1"] * 500})
    with line_to(store.output["host"], store.output["port"]) as line:
        target: Any = open_connector({**store.output, "port": line.port, "tables": HASHES})
        place = write.Write._place

        def cut(self: write.Write, keys: Any) -> Any:
            if lost == "the line":
                line.cut()
            else:
                line.cut_after(1)
            return place(self, keys)

        monkeypatch.setattr(write.Write, "_place", cut)
        told = ""
        with target:
            try:
                target.write_buffer(SCORES, data, run_id="cut")
            except WriteError as error:
                told = str(error)
    monkeypatch.undo()
    there = len(store.client.keys("score:*"))
    assert there in (0, 500)
    assert there == 500 or told
    # A line that is cut before is opened anew, before anything is sent.
    assert ("the same run_id (cut) again has one effect" in told) is (lost == "the answer")
    assert put(store, data, run_id="cut").already_done is (there == 500)
    assert len(store.client.keys("score:*")) == 500


def test_a_process_that_is_killed_leaves_all_or_nothing(store: Store) -> None:
    code = f"""
import os, signal, sys
import pyarrow as pa
from el.connectors.redis import write
from tests.connectors.redis.test_write import HASHES, SCORES
from el.connectors.registry import open_connector
data = pa.table({{"key": [f"score:{{n}}" for n in range(100)], "score": ["1"] * 100}})
write.Write._place = lambda self, keys: os.kill(os.getpid(), signal.SIGKILL)
with open_connector({{**{store.output!r}, "tables": HASHES}}) as target:
    target.write_buffer(SCORES, data, run_id="killed")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False, timeout=60)
    assert done.returncode == -9
    assert store.client.dbsize() == 0
