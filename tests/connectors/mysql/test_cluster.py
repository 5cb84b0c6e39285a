"""A cluster such as Aurora: tokens in the place of passwords, readers and a writer, and a writer that becomes a reader.

No Aurora is here. Its two endpoints are two names of one MariaDB, of which one answers as a reader does; what a reader
refuses, and how a writer is failed over, is put where the driver gets its answers.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest

from el.connectors.access import Access
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.mysql import MySql, aurora
from el.connectors.mysql.config import MySqlConfig
from el.connectors.mysql.driver import Driver
from el.connectors.mysql.log_server import ServerLog
from el.connectors.mysql.moment import see_one_moment
from el.connectors.request import ReadRequest
from el.connectors.rights import SourceNeeds
from el.connectors.sql.select import Statement
from el.errors import CertificateUntrusted, ElError, NotPermitted, PlanError, ReadError, WriteError
from tests.connectors.mysql.conftest import MySqlShop
from tests.connectors.mysql.test_moment import Scripted
from tests.servers.certificate import signed_by_itself

READER, WRITER = "localhost", "127.0.0.1"
ONLY_READS = (1290, "The MySQL server is running with the --read-only option so it cannot execute this statement")
_PLUGINS, _SSL = 0x00080000 | 0x8200 | 0x00000200, 0x800


class AsksInClear:
    """A server that encrypts, and then asks for the password in clear text, as Aurora does where IAM signs in."""

    def __init__(self, certificate: Path) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.heard: list[bytes] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for _ in range(2):
            client, _ = self._listening.accept()
            client.settimeout(10)
            with client:
                try:
                    self._ask(client)
                except OSError:
                    continue

    def _ask(self, client: socket.socket) -> None:
        flags = (_PLUGINS | _SSL).to_bytes(4, "little")
        greeting = b"\x0a8.0.36\0" + (7).to_bytes(4, "little") + b"12345678\0" + flags[:2] + b"\x2d\x02\x00" + flags[2:]
        self._say(client, 0, greeting + b"\x15" + b"\0" * 10 + b"123456789012\0mysql_native_password\0")
        self._hear(client)
        with self._tls.wrap_socket(client, server_side=True) as line:
            self._hear(line)
            self._say(line, 3, b"\xfemysql_clear_password\0")
            self.heard.append(self._hear(line))
            self._say(line, 5, b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied for user 'el'@'%'")

    def _say(self, line: socket.socket, sequence: int, said: bytes) -> None:
        line.sendall(len(said).to_bytes(3, "little") + bytes([sequence]) + said)

    def _hear(self, line: socket.socket) -> bytes:
        size, found = int.from_bytes(line.recv(4)[:3], "little"), b""
        while len(found) < size:
            found += line.recv(size - len(found))
        return found


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch, shop: MySqlShop) -> list[tuple[Any, ...]]:
    """What tokens are made for; each is the password that the server here knows."""
    made: list[tuple[Any, ...]] = []
    password = str(shop.output["password"])

    def token(*asked: Any) -> str:
        made.append(asked)
        return password

    monkeypatch.setattr("el.connectors.cluster_config.token", token)
    return made


def by_iam(shop: MySqlShop, **more: Any) -> dict[str, Any]:
    found = {**shop.output, "auth": "iam", "region": "eu-central-1", **more}
    return {name: value for name, value in found.items() if name != "password"}


def test_a_token_goes_to_the_server_whose_certificate_is_right_and_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(9))
    monkeypatch.setattr("el.connectors.cluster_config.token", lambda *asked: f"token-{next(numbers)}-{asked[0]}")
    server = AsksInClear(signed_by_itself(tmp_path))
    output = {"host": "localhost", "port": server.port, "user": "el", "auth": "iam", "region": "eu-central-1"}
    with pytest.raises(CertificateUntrusted):
        MySql(MySqlConfig.model_validate(output)).connect()
    assert server.heard == []
    with pytest.raises(ElError, match="rds-db:connect") as refused:
        MySql(MySqlConfig.model_validate({**output, "ca_file": str(tmp_path / "ca.pem")})).connect()
    assert server.heard == [b"token-1-localhost\0"]
    assert "token" not in str(refused.value).replace("rds-db", "")


def test_each_connection_has_a_token_of_its_own(shop: MySqlShop, tokens: list[tuple[Any, ...]]) -> None:
    with MySql(MySqlConfig.model_validate(by_iam(shop, aws_profile="loader"))) as session:
        rows = f"SELECT seq, REPEAT('x', 500) AS x FROM {shop.schema}.seq_1_to_100000000"
        buffer = session.read_buffer(ReadRequest(query=rows, batch_rows=100))  # type: ignore[arg-type]
        taken = iter(buffer)
        next(taken)
        # Ended over a second connection.
        buffer.close()
        with session.another_session() as other:
            assert other.fetch(Statement("SELECT 1")) == [(1,)]
    assert tokens == [("localhost", shop.output["port"], "el", "eu-central-1", "loader")] * 3


def test_a_read_is_ended_at_the_server_that_reads_whatever_its_name_stands_for_by_then(
    shop: MySqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a cluster's readers is each time another one's, and a number of a session there somebody else's."""
    query = f"SELECT seq, REPEAT('x', 500) AS x FROM {shop.schema}.seq_1_to_100000000"
    with shop.another() as session:
        buffer = session.read_buffer(ReadRequest(query=query, batch_rows=100))  # type: ignore[arg-type]
        rows = iter(buffer)
        next(rows)
        asked: list[str] = []
        known = socket.getaddrinfo

        def elsewhere(host: Any, port: Any, *more: Any, **named: Any) -> Any:
            asked.append(str(host))
            if host == "localhost":
                raise socket.gaierror("it stands for another server now")
            return known(host, port, *more, **named)

        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", elsewhere)
            buffer.close()
        assert asked == ["127.0.0.1"]
        assert session.fetch(Statement("SELECT 1")) == [(1,)]


@pytest.fixture
def cluster(shop: MySqlShop, monkeypatch: pytest.MonkeyPatch) -> Iterator[MySqlShop]:
    """The profile is of a reader, and names the writer."""
    shop.sql(
        "CREATE TABLE {schema}.a (id INT PRIMARY KEY, v VARCHAR(20))",
        "CREATE TABLE {schema}.b (id INT PRIMARY KEY, v VARCHAR(20))",
        "INSERT INTO {schema}.a VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO {schema}.b VALUES (1, 'one')",
    )
    as_a_reader(monkeypatch)
    with shop.another(host=WRITER) as at_writer:
        shop.server = at_writer
        shop.output = {**shop.output, "host": READER, "writer_host": WRITER}
        yield shop


def as_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers under `READER` only reads, and has no log."""
    run = Driver._run

    def at_reader(self: Driver, statement: Statement, **more: Any) -> Any:
        sql = statement.sql
        if self._config.host == READER:
            if any(word in sql for word in ("gtid", "binlog", "BINLOG", "MASTER STATUS", "master_binlog")):
                raise AssertionError(f"asked of a reader: {sql}")
            if any(sql.startswith(word) for word in ("INSERT", "CREATE", "DELETE", "UPDATE")):
                raise pymysql.err.OperationalError(*ONLY_READS)
            statement = Statement(sql.replace("@@innodb_read_only", "1"), statement.parameters)
        return run(self, statement, **more)

    monkeypatch.setattr(Driver, "_run", at_reader)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Of each SELECT that reads a table's rows, where it was asked."""
    found: list[tuple[str, str]] = []
    stream = Driver.stream

    def noted(self: Driver, statement: Statement, request: ReadRequest) -> Any:
        found.append((self._config.host, request.table.name if request.table else ""))
        return stream(self, statement, request)

    monkeypatch.setattr(Driver, "stream", noted)
    return found


def test_a_table_that_follows_the_log_is_read_at_the_writer_and_others_at_the_reader(
    cluster: MySqlShop, hosts: list[tuple[str, str]]
) -> None:
    tables = ("a, strategy: changes", "b, strategy: full")
    cluster.run(*tables)
    assert sorted(hosts) == [(WRITER, "a"), (READER, "b")]
    cluster.sql("UPDATE {schema}.a SET v = 'TWO' WHERE id = 2", "DELETE FROM {schema}.a WHERE id = 1")
    cluster.run(*tables)
    assert cluster.raw("SELECT id, v, _el_op FROM {raw}.a ORDER BY _dlt_load_id, id") == [
        (1, "one", "S"),
        (2, "two", "S"),
        (1, "one", "D"),
        (2, "TWO", "U"),
    ]
    said = cluster.plan(*tables)
    assert "this server is a reader, to which" in said


def test_tables_of_one_moment_with_one_that_follows_the_log_are_of_the_writers(
    cluster: MySqlShop, hosts: list[tuple[str, str]]
) -> None:
    cluster.run("a, strategy: changes, partition_by: id, partitions: 2", "b", defaults="retries: 0, consistent: run")
    assert {host for host, _ in hosts} == {WRITER}
    assert cluster.raw("SELECT id FROM {raw}.a ORDER BY 1") == [(1,), (2,)]


def test_a_reader_alone_has_no_log_and_sees_no_open_transactions(cluster: MySqlShop) -> None:
    alone = cluster.another(writer_host=None)
    with alone:
        assert alone.describe([cluster.schema]).read_only
        with pytest.raises(NotPermitted, match="`writer_host`"):
            alone.oldest_writer()
    cluster.output = {**cluster.output, "writer_host": None}
    assert "`writer_host` names the writer" in cluster.plan("a, strategy: cursor, cursor: id")
    cluster.output = {**cluster.output, "writer_host": WRITER}
    with cluster.another() as both:
        assert both.oldest_writer() is None


class Answers:
    """What an Aurora says to a question, by a word in it (Amazon Aurora User Guide)."""

    def __init__(self, retention: Any = None, **variables: str) -> None:
        self.variables = {"aurora_version": "3.08.0", "aurora_server_id": "shop-1", "log_bin": "ON", **variables}
        self.retention = retention

    def fetch(self, statement: Statement) -> list[tuple[Any, ...]]:
        if "rds_show_configuration" in statement.sql:
            if isinstance(self.retention, Exception):
                raise self.retention
            return [("binlog retention hours", self.retention, "how long")]
        return list(self.variables.items())


def obstacle(answers: Answers) -> str:
    class Source:
        class driver:  # noqa: N801
            is_mariadb = False

        fetch = staticmethod(answers.fetch)

    with pytest.raises(PlanError) as refused:
        ServerLog(Source()).require(TableName("s", "t"))  # type: ignore[arg-type]
    return str(refused.value)


def test_what_the_log_of_an_aurora_needs_is_said_in_its_own_words() -> None:
    assert "this server is a reader, and the log is the writer's: `writer_host`" in obstacle(
        Answers(innodb_read_only="ON")
    )
    group = "in the cluster parameter group, then restart the writer"
    assert f"it is off: set binlog_format = ROW {group}" in obstacle(Answers(log_bin="OFF"))
    off = Answers(binlog_format="ROW", binlog_row_image="FULL", binlog_row_metadata="FULL", gtid_mode="OFF")
    assert f"gtid_mode is OFF: set gtid_mode = ON {group}" in obstacle(off)


@pytest.mark.parametrize(
    ("retention", "level", "said"),
    [
        (None, "warning", "`binlog retention hours` is not set"),
        ("168", "ok", "it is kept for 168 hours"),
        (ReadError("execute command denied"), "ok", "is not told to this login"),
    ],
)
def test_check_says_how_long_an_aurora_keeps_its_log(retention: Any, level: str, said: str) -> None:
    what, kept = aurora.checks(Answers(retention, innodb_read_only="OFF").fetch, follows=True)
    assert what.text == "Aurora MySQL 3.08.0, shop-1, a writer"
    assert kept.level == level
    assert said in kept.text
    assert (kept.remedy == "CALL mysql.rds_set_configuration('binlog retention hours', 168)") == (retention != "168")
    assert list(aurora.checks(lambda _: [("innodb_read_only", "OFF")], follows=True)) == []


def test_a_reader_that_shares_the_writers_storage_shows_no_moment_to_several_connections() -> None:
    """Its rows are of the writer's commits, which its own `gtid_executed` does not count."""
    reader = Scripted("u:1-5", shares_storage=1)
    assert see_one_moment([reader.fetch] * 2, is_mariadb=False) == [None, None]


ROWS = pa.table({"id": pa.array([7], pa.int32()), "v": ["seven"]})


def test_rows_are_written_at_the_writer(cluster: MySqlShop) -> None:
    target = TableName(cluster.schema, "b")
    with cluster.another() as both:
        assert both.write_buffer(target, ROWS, run_id="r1").rows == 1
        assert both.write_buffer(target, ROWS, run_id="r1").already_done
    assert cluster.fetch("SELECT id FROM {schema}.b ORDER BY 1") == [(1,), (7,)]
    with cluster.another(writer_host=None) as alone, pytest.raises(WriteError, match="a reader, which takes no") as no:
        alone.write_buffer(target, ROWS, run_id="r2")
    # Its name says nothing: it may be a writer that fails over.
    assert no.value.retryable


def when(monkeypatch: pytest.MonkeyPatch, says: str, then: Callable[[Driver], None], *, after: bool) -> None:
    """The first time that a session is told this, `then` is called, in front of it or behind."""
    execute, left = Driver.execute, [1]

    def failing(self: Driver, statement: Statement) -> int:
        struck = says in statement.sql and bool(left) and bool(left.pop())
        if struck and not after:
            then(self)
        found = execute(self, statement)
        if struck:
            then(self)
        return found

    monkeypatch.setattr(Driver, "execute", failing)


def fails(*error: Any, cut: bool = True) -> Callable[[Driver], None]:
    def then(driver: Driver) -> None:
        if cut:
            driver.connection._force_close()
        raise pymysql.err.OperationalError(*error)

    return then


@pytest.mark.parametrize("error", [ONLY_READS, (1836, "Running in read-only mode")])
def test_a_writer_that_becomes_a_reader_takes_nothing_and_the_next_connection_writes_once(
    shop: MySqlShop, monkeypatch: pytest.MonkeyPatch, error: tuple[Any, ...]
) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT PRIMARY KEY, v VARCHAR(20))")
    target = TableName(shop.schema, "t")
    when(monkeypatch, f"INSERT INTO `{shop.schema}`.`t`", fails(*error, cut=False), after=False)
    with shop.another() as session:
        with pytest.raises(WriteError, match="connect anew") as refused:
            session.write_buffer(target, ROWS, run_id="r1")
        assert refused.value.retryable
        # What is left of it is no session that could be taken for the writer's.
        assert not session.is_open
    assert shop.fetch("SELECT COUNT(*) FROM {schema}.t") == [(0,)]
    with shop.another() as session:
        assert not session.write_buffer(target, ROWS, run_id="r1").already_done
    assert shop.fetch("SELECT COUNT(*) FROM {schema}.t") == [(1,)]


@pytest.mark.parametrize("number", [2006, 2013, 1053])
def test_a_commit_whose_answer_is_lost_in_a_failover_is_looked_up_in_the_ledger(
    shop: MySqlShop, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT PRIMARY KEY, v VARCHAR(20))")
    target = TableName(shop.schema, "t")
    when(monkeypatch, "COMMIT", fails(number, "the server went away"), after=True)
    with shop.another() as session:
        assert session.write_buffer(target, ROWS, WriteMode.APPEND, run_id="r1").already_done
    assert shop.fetch("SELECT COUNT(*) FROM {schema}.t") == [(1,)]


@pytest.mark.parametrize("number", [1040, 1053, 1290, 1836, 2006, 2013])
def test_what_a_server_says_that_fails_over_may_be_tried_again(shop: MySqlShop, number: int) -> None:
    said = pymysql.err.OperationalError(number, ONLY_READS[1])
    assert shop.server.translate(said).retryable
    assert shop.server.translate(said, writing=True).retryable
    # 1290 is of every option that a server may run with.
    assert not shop.server.translate(pymysql.err.OperationalError(1290, "the --skip-grant-tables option")).retryable


@pytest.mark.parametrize("number", [1053, 1290])
def test_a_read_that_a_failover_ends_is_begun_again_by_a_new_connection(
    shop: MySqlShop, tokens: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT PRIMARY KEY)", "INSERT INTO {schema}.t VALUES (1), (2)")
    stream, left, sessions = Driver.stream, [1], []

    def failing(self: Driver, statement: Statement, request: ReadRequest) -> Any:
        sessions.append(self.connection.thread_id())
        if left and left.pop():
            fails(number, ONLY_READS[1])(self)
        return stream(self, statement, request)

    monkeypatch.setattr(Driver, "stream", failing)
    shop.output = by_iam(shop)
    shop.run("t", defaults="retries: 1")
    assert len(set(sessions)) == 2
    assert shop.raw("SELECT id FROM {raw}.t ORDER BY 1") == [(1,), (2,)]


@pytest.mark.parametrize("number", [1040, 1053, 2002, 2003, 2006, 2013])
def test_a_server_that_is_away_while_it_fails_over_is_tried_again(
    shop: MySqlShop, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def away(self: Driver, beside: Any = None) -> Any:
        raise pymysql.err.OperationalError(number, "nobody here")

    monkeypatch.setattr(Driver, "_connect", away)
    with pytest.raises(ElError) as refused:
        shop.another().connect()
    assert refused.value.retryable


def test_check_looks_whether_the_writer_is_one(cluster: MySqlShop) -> None:
    def found(**settings: Any) -> dict[str, Any]:
        with cluster.another(**settings) as source:
            said = source.checks(SourceNeeds(Access.ENGINEER))
        return {each.subject: (each.level, each.text) for each in said}

    assert found()["writer"] == ("ok", f"{WRITER} is the writer")
    assert "writer" not in found(writer_host=None)
    turned = found(host=WRITER, writer_host=READER)["writer"]
    assert turned == ("error", f"{READER} is a reader, which takes no rows and has no log")


def test_grants_lets_a_login_sign_in_by_iam(shop: MySqlShop) -> None:
    needs = SourceNeeds(Access.ENGINEER, user="el_reader")
    said = MySql(MySqlConfig.model_validate(by_iam(shop))).rights(needs)
    assert "ALTER USER 'el_reader'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' ACCOUNT UNLOCK;" in said
