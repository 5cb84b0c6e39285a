"""A cluster such as Aurora: tokens in the place of passwords, a reader and a writer, a writer that becomes a reader.

No Aurora is here. The reader is a real standby; what a server says that is failed over is put where the driver gets
its answers.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.access import Access
from el.connectors.catalog import TableName
from el.connectors.postgres import Postgres
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.driver import Driver
from el.connectors.postgres.errors import connect_error, statement_error
from el.connectors.rights import SourceNeeds, TableNeed
from el.connectors.sql.select import Statement
from el.errors import CertificateUntrusted, ElError, NotPermitted, WriteError
from tests.connectors.postgres.log.shop import PostgresShop, database
from tests.servers import postgres
from tests.servers.certificate import signed_by_itself
from tests.shop import inside

ROWS = pa.table({"id": pa.array([7], pa.int32()), "v": ["seven"]})


class AsksInClear:
    """A server that encrypts, and then asks for the password in clear text, as Aurora does where IAM signs in."""

    def __init__(self, certificate: Path) -> None:
        self._listening = socket.create_server(("0.0.0.0", 0))
        self.port = self._listening.getsockname()[1]
        self.heard: list[bytes] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for _ in range(4):
            client, _ = self._listening.accept()
            client.settimeout(10)
            with client:
                try:
                    self._ask(client)
                except (OSError, ValueError):
                    # It went away without a word.
                    continue

    def _ask(self, client: socket.socket) -> None:
        # That of TLS is 8 bytes long.
        client.recv(8)
        client.sendall(b"S")
        with self._tls.wrap_socket(client, server_side=True) as line:
            line.recv(int.from_bytes(line.recv(4), "big") - 4)
            line.sendall(b"R\0\0\0\x08\0\0\0\x03")
            kind, size = line.recv(1), int.from_bytes(line.recv(4), "big")
            self.heard.append(kind + line.recv(size - 4))
            said = b'SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user "el"\0\0'
            line.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)


def test_a_token_goes_to_the_server_whose_certificate_is_right_and_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(9))
    monkeypatch.setattr("el.connectors.cluster_config.token", lambda *asked: f"token-{next(numbers)}-{asked[0]}")
    server = AsksInClear(signed_by_itself(tmp_path))
    output = {"host": "localhost", "port": server.port, "user": "el", "dbname": "shop"}
    output |= {"auth": "iam", "region": "eu-central-1"}
    with pytest.raises(CertificateUntrusted):
        Postgres(PostgresConfig.model_validate(output)).connect()
    assert server.heard == []
    trusted = PostgresConfig.model_validate({**output, "ca_file": str(tmp_path / "ca.pem")})
    with pytest.raises(ElError, match="rds-db:connect") as refused:
        Postgres(trusted).connect()
    assert server.heard == [b"ptoken-1-localhost\0"]
    assert "token" not in str(refused.value)
    # The name of the certificate is looked at too.
    with pytest.raises(CertificateUntrusted):
        Postgres(trusted.model_copy(update={"host": "127.0.0.3"})).connect()


def unencrypted() -> dict[str, Any]:
    """The server of all tests: the standby has no certificate."""
    output = {**postgres.shared(), "sslmode": "disable"}
    output.pop("sslrootcert", None)
    return output


@pytest.fixture(scope="module")
def reader() -> Iterator[str]:
    """Where a standby of the server of all tests answers."""
    primary, programs = unencrypted(), postgres.programs_of(postgres.version_of_tests())
    assert programs is not None
    with postgres.standby(programs, primary) as host:
        yield host


@pytest.fixture
def cluster(reader: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[PostgresShop]:
    """The profile is of the reader, and names the writer; statements of a test are the writer's."""
    with database(unencrypted()) as output, inside(tmp_path):
        shop = PostgresShop(tmp_path, output, capsys).create(
            "",
            "CREATE TABLE a (id int PRIMARY KEY, v text)",
            "ALTER TABLE a REPLICA IDENTITY FULL",
            "CREATE TABLE b (id int PRIMARY KEY, v text)",
            "INSERT INTO a VALUES (1, 'one'), (2, 'two')",
            "INSERT INTO b VALUES (1, 'one')",
            "CREATE PUBLICATION el FOR TABLE a",
        )
        shop.profile(host=reader, writer_host="127.0.0.1")
        caught_up(shop, reader)
        yield shop


def at(shop: PostgresShop, **settings: Any) -> Postgres:
    return Postgres(PostgresConfig.model_validate({**shop.output, **settings}))


def caught_up(shop: PostgresShop, reader: str) -> None:
    """Wait until the standby has what is committed."""
    ((place,),) = shop.rows("SELECT pg_current_wal_flush_lsn()")
    until = time.monotonic() + 10
    asked = Statement(f"SELECT COALESCE(pg_last_wal_replay_lsn() >= CAST('{place}' AS pg_lsn), false)")
    with at(shop, host=reader, dbname="postgres") as standby:
        while not standby.fetch(asked)[0][0]:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_table_that_follows_the_log_is_read_at_the_writer_and_others_at_the_reader(
    cluster: PostgresShop, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[tuple[str, bool]] = []
    stream = Driver.stream

    def noted(self: Driver, statement: Statement, wanted: Any) -> Any:
        hosts.append((self._config.host, '"b"' in statement.sql))
        return stream(self, statement, wanted)

    monkeypatch.setattr(Driver, "stream", noted)
    cluster.tables("  - {name: public.a, strategy: changes}\n  - {name: public.b, strategy: full}")
    cluster.el()
    assert (reader, True) in hosts
    assert {host for host, of_b in hosts if not of_b} <= {"127.0.0.1"}
    assert cluster.raw("SELECT id FROM shop_public.a ORDER BY 1") == [(1,), (2,)]
    # Not on its way to the reader yet, and in the log all the same.
    cluster.sql("UPDATE a SET v = 'TWO' WHERE id = 2", "DELETE FROM a WHERE id = 1")
    cluster.el("--select", "public.a")
    assert cluster.changes("a", "id, v, _el_op") == [(2, "TWO", "U"), (1, "one", "D")]
    assert "this server is a reader, to which" in cluster.plan()


def test_a_reader_alone_has_no_log_takes_no_rows_and_sees_no_open_transactions(
    cluster: PostgresShop, reader: str
) -> None:
    cluster.profile(host=reader)
    cluster.tables("  - {name: public.a, strategy: changes}\n  - {name: public.b, strategy: cursor, cursor: id}")
    said = cluster.plan(code=2)
    assert "this server is a standby, and a slot is made at the primary: `writer_host` in the profile names it" in said
    assert "does not see open transactions (this server is a reader; `writer_host` names the writer)" in said
    with at(cluster, host=reader) as alone:
        with pytest.raises(NotPermitted, match="`writer_host`"):
            alone.oldest_writer()
        with pytest.raises(WriteError, match="a reader, which takes no rows"):
            alone.write_buffer(TableName("public", "b"), ROWS, run_id="r1")
    with at(cluster, host=reader, writer_host="127.0.0.1") as both:
        assert both.oldest_writer() is None


def test_rows_are_written_at_the_writer(cluster: PostgresShop, reader: str) -> None:
    with at(cluster, host=reader, writer_host="127.0.0.1") as both:
        assert both.write_buffer(TableName("public", "b"), ROWS, run_id="r1").rows == 1
        assert both.write_buffer(TableName("public", "b"), ROWS, run_id="r1").already_done
    assert cluster.rows("SELECT id FROM b ORDER BY 1") == [(1,), (7,)]


def test_connections_that_got_to_other_servers_are_left_out_of_a_moment(cluster: PostgresShop, reader: str) -> None:
    """Behind the name of a cluster's readers there are several; a snapshot is one server's."""
    with at(cluster, host=reader) as first, at(cluster, host=reader) as beside, at(cluster) as elsewhere:
        with first.share_moment([elsewhere, beside]) as seeing:
            assert list(seeing) == [first, beside]
        assert elsewhere.fetch(Statement("SELECT 1")) == [(1,)]


class Said(Exception):
    """An error as ADBC raises it."""

    def __init__(self, state: str, text: str) -> None:
        super().__init__(text)
        self.sqlstate = state
        self.details = ((b"PG_DIAG_MESSAGE_PRIMARY", text.encode()),)


@pytest.mark.parametrize(
    "state",
    ["25006", "57P01", "57P02", "57P03", "08000", "08003", "08006", "08001", "08004", "53300", "40001", "40P01"],
)
def test_what_a_server_says_that_fails_over_may_be_tried_again(state: str) -> None:
    assert statement_error(Said(state, "no"), writing=True).retryable


@pytest.mark.parametrize(
    "text",
    [
        "FATAL: the database system is starting up",
        "FATAL: the database system is not yet accepting connections",
        "FATAL: the database system is in recovery mode",
        "FATAL: the database system is shutting down",
        "FATAL: sorry, too many clients already",
        "connection to server failed: Connection refused",
        'could not translate host name "shop.cluster-c1.eu-central-1.rds.amazonaws.com" to address',
    ],
)
def test_a_server_that_is_away_while_it_fails_over_is_tried_again(text: str) -> None:
    config = PostgresConfig.model_validate({"dbname": "shop", "user": "el"})
    assert connect_error(Exception(text), config).retryable


def test_a_writer_that_becomes_a_reader_takes_nothing_and_the_next_connection_writes_once(
    cluster: PostgresShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, left = Driver.execute, [1]

    def failing(self: Driver, statement: Statement, **more: Any) -> int:
        if 'INSERT INTO "public"."b"' in statement.sql and left and left.pop():
            raise Said("25006", "cannot execute INSERT in a read-only transaction")
        return execute(self, statement, **more)

    monkeypatch.setattr(Driver, "execute", failing)
    target = TableName("public", "b")
    with at(cluster) as session:
        with pytest.raises(WriteError, match="read-only transaction") as refused:
            session.write_buffer(target, ROWS, run_id="r1")
        assert refused.value.retryable
        assert not session.is_open
    assert cluster.rows("SELECT COUNT(*) FROM b") == [(1,)]
    with at(cluster) as session:
        assert not session.write_buffer(target, ROWS, run_id="r1").already_done
    assert cluster.rows("SELECT COUNT(*) FROM b") == [(2,)]


def test_a_commit_whose_answer_is_lost_in_a_failover_is_looked_up_in_the_ledger(
    cluster: PostgresShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact, left = Driver.transact, [1]

    def failing(self: Driver, how: str) -> None:
        transact(self, how)
        if how == "COMMIT" and left and left.pop():
            self.close()
            raise Said("57P01", "terminating connection due to administrator command")

    monkeypatch.setattr(Driver, "transact", failing)
    with at(cluster) as session:
        # The ledger's own table is committed by then.
        assert session.write_buffer(TableName("public", "b"), ROWS, run_id="r1").already_done
    assert cluster.rows("SELECT COUNT(*) FROM b") == [(2,)]


def test_grants_names_the_roles_that_aurora_has_for_iam_and_for_slots() -> None:
    """Amazon Aurora User Guide, "Creating a database account using IAM authentication", "Setting up logical
    replication"."""
    needs = SourceNeeds(Access.ENGINEER, (TableNeed(TableName("public", "a"), follow="changes"),))
    aurora = {"host": "shop.cluster-c1.eu-central-1.rds.amazonaws.com", "dbname": "shop", "user": "el_reader"}
    said = Postgres(PostgresConfig.model_validate({**aurora, "auth": "iam"})).rights(needs)
    assert 'GRANT rds_iam TO "el_reader";' in said
    assert 'GRANT rds_replication TO "el_reader";' in said
    assert "PASSWORD" not in said
    assert " REPLICATION" not in said
    elsewhere = Postgres(PostgresConfig.model_validate({**aurora, "host": "db01.example.com"})).rights(needs)
    assert 'ALTER ROLE "el_reader" REPLICATION;' in elsewhere


def test_check_looks_whether_the_writer_is_one(cluster: PostgresShop, reader: str) -> None:
    def found(**settings: Any) -> dict[str, Any]:
        with at(cluster, **settings) as source:
            return {each.subject: each.level for each in source.checks(SourceNeeds(Access.ENGINEER))}

    assert found(host=reader, writer_host="127.0.0.1")["writer"] == "ok"
    assert found(host="127.0.0.1", writer_host=reader)["writer"] == "error"
