"""A cluster of two nodes, and a master that a sentinel names: read whole, written where it can be one step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis

from el.connectors.catalog import TableName
from el.connectors.redis import Redis
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.errors import WriteError
from tests.servers.place import Process, free_port
from tests.servers.redis import PASSWORD, binary, server

TABLES: dict[str, Any] = {
    "all": "*",
    "scores": {"match": "*score", "type": "hash"},
    "events": {"stream": "events"},
}


def client_of(output: dict[str, Any]) -> Any:
    return redis.Redis(port=output["port"], password=PASSWORD, protocol=2)


def until(ready: Any) -> None:
    ends = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        outputs = [
            stack.enter_context(server("valkey", "--cluster-enabled", "yes", "--cluster-port", str(free_port())))
            for _ in range(2)
        ]
        first, second = (client_of(output) for output in outputs)
        first.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        second.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        first.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 1)
        second.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 2)
        bus = second.execute_command("CONFIG", "GET", "cluster-port")
        port = next(iter(bus.values())) if isinstance(bus, dict) else bus[1]
        first.execute_command("CLUSTER", "MEET", "127.0.0.1", outputs[1]["port"], port)
        for client in (first, second):
            until(lambda client=client: "cluster_state:ok" in _text(client.execute_command("CLUSTER", "INFO")))
        yield {**outputs[0], "cluster": True, "tables": TABLES}


def _text(answer: Any) -> str:
    if isinstance(answer, dict):
        return "\n".join(f"{key}:{value}" for key, value in answer.items())
    return bytes(answer).decode()


def test_every_node_of_a_cluster_is_read_and_a_stream_where_it_lies(cluster: dict[str, Any]) -> None:
    with open_connector(cluster) as source:
        assert isinstance(source, Redis)
        assert len(source.client.nodes) == 2
        for number in range(200):
            source.client.at(b"k%d" % number).execute_command("SET", b"k%d" % number, b"%d" % number)
        source.client.at(b"events").execute_command("XADD", "events", "1-1", "f", "1", "f", "2")
        rows = source.read_buffer(ReadRequest(table=TableName("db0", "all"))).to_arrow().to_pylist()
        assert sorted(row["key"] for row in rows if row["type"] == "string") == sorted(b"k%d" % n for n in range(200))
        entries = source.read_buffer(ReadRequest(table=TableName("db0", "events"))).to_arrow()
        assert entries.column("value").to_pylist() == [b"1", b"2"]
        assert all(int(node.execute_command("DBSIZE")) > 50 for node in source.client.nodes)


def test_a_write_to_a_cluster_is_of_one_slot_or_is_refused(cluster: dict[str, Any]) -> None:
    scores = TableName("db0", "scores")
    with open_connector(cluster) as target:
        assert isinstance(target, Redis)
        for number in range(4):
            data = pa.table({"key": [f"{{{number}}}:a:score", f"{{{number}}}:b:score"], "v": ["1", "2"]})
            assert target.write_buffer(scores, data, run_id="one").rows == 2
            assert target.write_buffer(scores, data, run_id="one").already_done
        with pytest.raises(WriteError, match="one hash tag"):
            target.write_buffer(scores, pa.table({"key": ["a:score", "b:score"], "v": ["1", "2"]}), run_id="two")
        found = target.read_buffer(ReadRequest(table=scores)).to_arrow()
        assert found.num_rows == 8


def test_the_master_is_the_one_that_a_sentinel_names(tmp_path: Path) -> None:
    with server("redis") as output:
        client_of(output).set("k", "v")
        port = free_port()
        (tmp_path / "sentinel.conf").write_text(
            f"port {port}\nsentinel monitor shop 127.0.0.1 {output['port']} 1\nsentinel auth-pass shop {PASSWORD}\n"
        )
        command = [str(binary("redis")), str(tmp_path / "sentinel.conf"), "--sentinel"]
        process = Process(command, port, tmp_path / "output")
        try:
            place = {"sentinels": [f"127.0.0.1:{port}"], "sentinel_master": "shop", "port": 1}
            with open_connector({**output, **place, "tables": TABLES}) as source:
                assert isinstance(source, Redis)
                rows = source.read_buffer(ReadRequest(table=TableName("db0", "all"))).to_arrow().to_pylist()
                assert [row["key"] for row in rows] == [b"k"]
                assert source.ping().server.startswith("shop by ")
        finally:
            process.stop()
