"""What a server, its settings and its line may do to a session, and what el lets them do."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from el.connectors.catalog import TableName
from el.connectors.mysql.driver import filled
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.errors import CertificateUntrusted, ConnectError, ElError, NotPermitted, ReadError
from tests.connectors.mysql.conftest import MySqlShop
from tests.servers.mariadb import HOSTILE


def test_the_servers_own_settings_do_not_reach_a_session(shop: MySqlShop) -> None:
    (row,) = shop.fetch("SELECT @@GLOBAL.sql_mode, @@GLOBAL.time_zone, @@sql_mode, @@time_zone, @@tx_isolation")
    assert set(HOSTILE) <= set(row[0].split(","))
    assert row[1] == "+05:30"
    assert not set(HOSTILE) & set(row[2].split(","))
    assert row[3:] == ("+00:00", "REPEATABLE-READ")
    shop.sql("SET GLOBAL sql_select_limit = 2, net_write_timeout = 1, sql_safe_updates = 1")
    try:
        with shop.another() as session:
            count = f"SELECT seq FROM {shop.schema}.seq_1_to_5"
            assert len(session.fetch(Statement(count))) == 5
            assert session.fetch(Statement("SELECT @@net_write_timeout, @@sql_safe_updates")) == [(7200, 0)]
    finally:
        shop.sql("SET GLOBAL sql_select_limit = DEFAULT, net_write_timeout = DEFAULT, sql_safe_updates = DEFAULT")


def test_a_line_is_encrypted_and_its_certificate_checked(shop: MySqlShop) -> None:
    assert shop.fetch("SHOW STATUS LIKE 'Ssl_version'")[0][1].startswith("TLS")
    refused = shop.another(ssl_ca=None)
    with pytest.raises(CertificateUntrusted, match="`ssl_ca`, or set `trust_cert: true`"), refused:
        pass
    with pytest.raises(CertificateUntrusted, match="there is no file"), shop.another(ssl_ca="/no/such/file"):
        pass
    with shop.another(ssl_ca=None, trust_cert=True) as trusting:
        assert trusting.fetch(Statement("SHOW STATUS LIKE 'Ssl_version'"))[0][1].startswith("TLS")  # type: ignore[attr-defined]
    with shop.another(encrypt=False) as plain:
        assert plain.fetch(Statement("SHOW STATUS LIKE 'Ssl_version'")) == [("Ssl_version", "")]


class Stranger:
    """A server that says one thing to who connects, and then another for each that it is asked."""

    def __init__(self, *says: bytes, capabilities: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.heard: list[bytes] = []
        flags = capabilities.to_bytes(4, "little")
        greeting = b"\x0a8.0.36\0" + (7).to_bytes(4, "little") + b"12345678\0" + flags[:2] + b"\x2d\x02\x00" + flags[2:]
        self._says = [greeting + b"\x15" + b"\0" * 10 + b"123456789012\0mysql_native_password\0", *says]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _ = self._listening.accept()
        client.settimeout(10)
        sequence = 0
        with client, client.makefile("rb") as file:
            for said in self._says:
                client.sendall(len(said).to_bytes(3, "little") + bytes([sequence]) + said)
                head = file.read(4)
                if len(head) < 4:
                    return
                self.heard.append(file.read(int.from_bytes(head[:3], "little")))
                sequence = head[3] + 1

    def output(self, **more: Any) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "login_timeout": 5, **more}


_PLUGINS, _SSL = 0x00080000 | 0x8200 | 0x00000200, 0x800


def test_a_server_that_offers_no_encryption_is_refused_before_a_password_is_sent(shop: MySqlShop) -> None:
    stranger = Stranger(capabilities=_PLUGINS)
    with pytest.raises(CertificateUntrusted, match="`encrypt: false` does without"), shop.another(**stranger.output()):
        pass
    assert stranger.heard in ([], [b""])


def test_a_password_in_clear_text_goes_over_no_open_line(shop: MySqlShop) -> None:
    asks = b"\xfemysql_clear_password\0"
    stranger = Stranger(asks, capabilities=_PLUGINS)
    with pytest.raises(ConnectError, match="clear text"), shop.another(**stranger.output(encrypt=False)):
        pass
    assert not any(shop.output["password"].encode() in heard for heard in stranger.heard)


def test_a_server_that_asks_for_a_file_gets_none(shop: MySqlShop, tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("Gehe1m")
    ok = b"\0\0\0\x02\0\0\0"
    # To the login, SET NAMES and autocommit it says yes; to the next statement, that it wants a file.
    stranger = Stranger(ok, ok, ok, b"\xfb" + str(secret).encode(), ok, capabilities=_PLUGINS)
    with pytest.raises(ElError), shop.another(**stranger.output(encrypt=False)):
        pass
    assert not any(b"Gehe1m" in heard for heard in stranger.heard)


def test_a_row_beyond_16_megabytes_comes_whole(shop: MySqlShop) -> None:
    """What a packet does not hold goes on in the next; both right at the border and far beyond it."""
    shop.sql("SET GLOBAL max_allowed_packet = 67108864")
    try:
        with shop.another() as session:
            sizes = (2**24 - 5, 2**24 - 4, 2**24 - 1, 2**24, 2**25 + 7)
            for size in sizes:
                query = f"SELECT 1 AS id, REPEAT('x', {size}) AS long_, 2 AS behind UNION ALL SELECT 3, 'y', NULL"
                found = session.read_buffer(ReadRequest(query=query)).to_arrow()  # type: ignore[arg-type]
                assert [len(text) for text in found.column("long_").to_pylist()] == [size, 1]
                assert found.column("behind").to_pylist() == [2, None]
    finally:
        shop.sql("SET GLOBAL max_allowed_packet = DEFAULT")


@pytest.mark.parametrize("length", [0, 1, 250, 251, 252, 253, 254, 255, 65_535, 65_536, 70_000])
def test_a_text_of_any_length_is_told_apart_from_its_neighbours(shop: MySqlShop, length: int) -> None:
    query = f"SELECT REPEAT('a', {length}) AS a, NULL AS b, 'c' AS c UNION ALL SELECT NULL, REPEAT('b', {length}), ''"
    found = shop.server.read_buffer(ReadRequest(query=query)).to_arrow()  # type: ignore[arg-type]
    assert found.to_pylist() == [
        {"a": "a" * length, "b": None, "c": "c"},
        {"a": None, "b": "b" * length, "c": ""},
    ]


def test_a_read_that_nobody_takes_to_its_end_is_ended_at_the_server(shop: MySqlShop) -> None:
    query = f"SELECT seq, REPEAT('x', 500) AS x FROM {shop.schema}.seq_1_to_100000000"
    buffer = shop.server.read_buffer(ReadRequest(query=query, batch_rows=100))  # type: ignore[arg-type]
    rows = iter(buffer)
    next(rows)
    begun = time.monotonic()
    with pytest.raises(ReadError, match="still reads rows"):
        shop.fetch("SELECT 1")
    buffer.close()
    assert time.monotonic() - begun < 10
    running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT seq%'"
    assert shop.fetch(running) == [(0,)]


def test_an_error_after_the_first_rows_is_an_error_and_not_the_end(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.broken (id INT PRIMARY KEY, v VARCHAR(9))",
        "INSERT INTO {schema}.broken SELECT seq, IF(seq = 9999, 'none', '{\"a\": 1}') FROM {schema}.seq_1_to_10000",
        "CREATE FUNCTION {schema}.f (v TEXT) RETURNS INT DETERMINISTIC "
        "IF v = 'none' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no more'; ELSE RETURN 1; END IF",
    )
    query = f"SELECT id, {shop.schema}.f(v) AS v FROM {shop.schema}.broken"
    with pytest.raises(ReadError, match="no more"):
        shop.server.read_buffer(ReadRequest(query=query)).to_arrow()  # type: ignore[arg-type]
    assert shop.fetch("SELECT 1") == [(1,)]


def test_a_session_that_the_server_ends_is_an_error_that_may_be_tried_again(shop: MySqlShop) -> None:
    with shop.another() as other:
        shop.sql(f"KILL {other.driver.connection.thread_id()}")
        with pytest.raises(ReadError) as ended:
            other.fetch(Statement("SELECT 1"))
        assert ended.value.retryable
        assert not other.is_open


def test_a_statement_that_takes_too_long_is_ended_and_names_the_setting(shop: MySqlShop) -> None:
    many = f"{shop.schema}.seq_1_to_1000000"
    with shop.another(query_timeout=1) as hurried, pytest.raises(ReadError, match="`query_timeout`") as ended:
        hurried.fetch(Statement(f"SELECT COUNT(*) FROM {many} AS a JOIN {many} AS b"))
    assert not ended.value.retryable


def test_a_right_that_is_missing_is_said(shop: MySqlShop) -> None:
    shop.sql("CREATE USER IF NOT EXISTS 'weak'@'%' IDENTIFIED BY 'weak-1'")
    with shop.another(user="weak", password="weak-1") as weak:
        with pytest.raises(NotPermitted, match=r"SELECT command denied"):
            weak.fetch(Statement("SELECT * FROM mysql.user"))
        with pytest.raises(NotPermitted, match="PROCESS"):
            weak.oldest_writer()


def test_a_transaction_that_writes_is_seen_with_its_age(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT PRIMARY KEY)")
    assert shop.server.oldest_writer() is None
    with shop.another() as other, other.transaction():
        other.execute(Statement(f"INSERT INTO {shop.schema}.t VALUES (1)"))
        time.sleep(1.1)
        writer = shop.server.oldest_writer()
        assert writer is not None
        assert 1 <= writer.age.total_seconds() < 60
    assert shop.server.local_clock()
    clock = shop.server.clock()
    assert clock is not None
    assert len(clock) == len("2024-02-29T12:00:00.123456")


def test_all_reads_of_one_moment_see_one_state_and_nothing_is_written(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.a (id INT PRIMARY KEY)", "CREATE TABLE {schema}.b (id INT PRIMARY KEY)")
    with shop.another() as reader:
        with reader.at_one_moment():
            shop.sql("INSERT INTO {schema}.a VALUES (1)", "INSERT INTO {schema}.b VALUES (1)")
            for name in ("a", "b"):
                request = ReadRequest(table=TableName(shop.schema, name))
                assert reader.read_buffer(request).to_arrow().num_rows == 0
            with pytest.raises(ElError, match="READ ONLY"):
                reader.execute(Statement(f"INSERT INTO {shop.schema}.a VALUES (2)"))
        assert reader.read_buffer(ReadRequest(table=TableName(shop.schema, "a"))).to_arrow().num_rows == 1


def test_a_mark_within_a_text_or_a_comment_is_no_parameter() -> None:
    sql = "SELECT '?', `?`, \"?\" /* ? */ FROM t WHERE a = ? -- ?\n AND b = ?"
    said = filled(Statement(sql, ("it's \\", 7))).decode()
    assert said == "SELECT '?', `?`, \"?\" /* ? */ FROM t WHERE a = 'it\\'s \\\\' -- ?\n AND b = 7"
