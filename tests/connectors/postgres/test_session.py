"""What a server, its settings and its line may do to a session, and what el lets them do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from el.connectors.catalog import TableName
from el.connectors.postgres import Postgres
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.driver import filled
from el.connectors.postgres.errors import statement_error
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.errors import AuthenticationFailed, CertificateUntrusted, ElError, NotPermitted, ReadError
from tests.connectors.postgres.conftest import PostgresShop
from tests.servers.postgres import HOSTILE, shared


def test_the_servers_the_databases_and_the_logins_settings_do_not_reach_a_session(shop: PostgresShop) -> None:
    shop.sql(
        "ALTER ROLE el SET statement_timeout = '9s'",
        "ALTER ROLE el SET default_transaction_read_only = off",
        "ALTER DATABASE postgres SET xmloption = 'document'",
    )
    try:
        with shop.another() as session:
            for name, value in HOSTILE.items():
                assert session.fetch(Statement("SELECT current_setting(?)", (name,))) != [(value,)], name
            assert session.fetch(
                Statement(
                    "SELECT current_setting('TimeZone'), current_setting('IntervalStyle'), "
                    "current_setting('statement_timeout'), current_setting('xmloption'), "
                    "current_setting('transaction_read_only'), current_setting('search_path')"
                )
            ) == [("UTC", "iso_8601", "2h", "content", "on", "public")]
    finally:
        shop.sql("ALTER ROLE el RESET ALL", "ALTER DATABASE postgres RESET ALL")


def test_a_session_says_which_run_and_which_role_it_is_of(shop: PostgresShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (id int PRIMARY KEY, v text DEFAULT current_setting('application_name'))")
    shop.sql("INSERT INTO {schema}.t (id) VALUES (1)")
    assert shop.fetch("SELECT v FROM {schema}.t") == [("el role=owner",)]


def test_nothing_is_asked_for_that_a_pooler_refuses_to_pass_on(shop: PostgresShop) -> None:
    asked = PostgresConfig.model_validate(shop.output).conninfo("el")
    assert "options=" not in asked
    assert "search_path" not in asked


def test_a_line_is_encrypted_and_its_certificate_checked() -> None:
    output = shared(15)

    def of(**changes: Any) -> Postgres:
        return Postgres(PostgresConfig.model_validate({**output, **changes}))

    with of() as session:
        asked = Statement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert session.fetch(asked) == [(True,)]
    with pytest.raises(CertificateUntrusted, match="`sslrootcert`, or a weaker `sslmode`"), of(sslrootcert=None):
        pass
    with pytest.raises(CertificateUntrusted, match="does not exist"), of(sslrootcert="/no/such/file"):
        pass
    with of(sslmode="require", sslrootcert=None) as trusting:
        assert trusting.fetch(asked) == [(True,)]
    with of(sslmode="disable") as plain:
        assert plain.fetch(asked) == [(False,)]


def test_a_server_that_offers_no_encryption_is_refused_before_a_password_is_sent() -> None:
    # Version 18 of the wheel speaks no TLS.
    settings = {**shared(18), "sslmode": "verify-full", "password": "Never-sent-1"}
    with pytest.raises(CertificateUntrusted, match="`sslmode: disable` does without"):
        Postgres(PostgresConfig.model_validate(settings)).connect()


def test_a_login_that_is_not_known_is_told_from_one_that_may_not_read(shop: PostgresShop) -> None:
    with pytest.raises(AuthenticationFailed, match="refused user 'nobody'"), shop.another(user="nobody"):
        pass
    shop.sql(
        "CREATE TABLE {schema}.t (id int)", "DROP ROLE IF EXISTS el_poor", "CREATE ROLE el_poor LOGIN PASSWORD 'p'"
    )
    with shop.another(user="el_poor", password="p") as poor:
        with pytest.raises(NotPermitted, match="permission denied for schema"):
            poor.read_buffer(ReadRequest(table=TableName(shop.schema, "t")))
        with pytest.raises(NotPermitted, match="GRANT pg_read_all_stats"):
            poor.oldest_writer()
        assert poor.describe([shop.schema]).tables == ()
    shop.sql("GRANT USAGE ON SCHEMA {schema} TO el_poor")
    with shop.another(user="el_poor", password="p") as poor:
        assert len(poor.describe([shop.schema]).tables) == 1
        with pytest.raises(NotPermitted, match="permission denied for table t"):
            poor.read_buffer(ReadRequest(table=TableName(shop.schema, "t")))
    with shop.another(role="el_poor") as less, pytest.raises(NotPermitted):
        less.read_buffer(ReadRequest(table=TableName(shop.schema, "t")))
    shop.sql("DROP OWNED BY el_poor", "DROP ROLE el_poor")


def test_a_statement_that_takes_too_long_is_ended_and_says_what_to_set(shop: PostgresShop) -> None:
    with shop.another(query_timeout=1) as session:
        began = time.monotonic()
        with pytest.raises(ReadError, match=r"statement timeout \(`query_timeout`") as failed:
            session.fetch(Statement("SELECT pg_sleep(20)"))
        assert time.monotonic() - began < 10
        assert not failed.value.retryable
        assert session.fetch(Statement("SELECT 1")) == [(1,)]


def test_a_read_waits_for_a_lock_no_longer_than_it_is_told(shop: PostgresShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (id int)")
    with shop.another(lock_timeout=1) as reader, shop.server.transaction():
        shop.sql("LOCK TABLE {schema}.t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ReadError, match="lock timeout") as failed:
            reader.read_buffer(ReadRequest(table=TableName(shop.schema, "t")))
        assert failed.value.retryable


def test_a_read_that_is_closed_halfway_is_ended_at_the_server(shop: PostgresShop) -> None:
    shop.sql("CREATE TABLE {schema}.t AS SELECT n, repeat('x', 200) AS v FROM generate_series(1, 300000) AS n")
    with shop.another() as reader:
        with reader.read_buffer(ReadRequest(table=TableName(shop.schema, "t"))) as buffer:
            rows = iter(buffer)
            next(rows)
            with pytest.raises(ReadError, match="still reads rows"):
                reader.fetch(Statement("SELECT 1"))
        assert reader.fetch(Statement("SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid()"))[0][0] < 5
        open_ = "SELECT count(*)::int FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        assert shop.fetch(open_) == [(0,)]


@pytest.mark.parametrize("version", [pytest.param(18, id="plain"), pytest.param(15, id="encrypted")])
def test_a_session_that_was_ended_says_so_and_may_be_tried_again(version: int) -> None:
    config = PostgresConfig.model_validate(shared(version))
    with Postgres(config) as other, Postgres(config) as session:
        (pid,) = session.fetch(Statement("SELECT pg_backend_pid()"))[0]
        other.fetch(Statement(f"SELECT pg_terminate_backend({pid})"))
        gone = Statement(f"SELECT count(*)::int FROM pg_stat_activity WHERE pid = {pid}")
        while other.fetch(gone) != [(0,)]:
            time.sleep(0.02)
        with pytest.raises(ElError) as failed:
            session.fetch(Statement("SELECT 1"))
        assert failed.value.retryable
        assert not session.is_open


@pytest.mark.parametrize(
    ("state", "retryable"),
    [
        *((state, True) for state in ("40001", "40P01", "57P01", "57P03", "53300", "08006", "25006")),
        *((state, False) for state in ("23505", "42601", "22012", "57014")),
    ],
)
def test_an_error_may_be_tried_again_by_its_class(state: str, retryable: bool) -> None:
    class Refused(Exception):
        sqlstate = state
        details = ((b"PG_DIAG_MESSAGE_PRIMARY", b"no"), (b"PG_DIAG_MESSAGE_DETAIL", b"Key (id)=(secret)"))

    found = statement_error(Refused("no"), writing=False)
    assert found.retryable is retryable
    assert "secret" not in str(found)


def test_a_marker_in_a_text_or_an_operator_is_none() -> None:
    own = "SELECT '?', \"?\", j ? 'k', $$?$$ /* ? */ FROM t WHERE "
    found = filled(Statement(f"{own}a = CAST(? AS text) AND b = CAST(? AS numeric) -- ?", ("it's ?", "1")))
    assert found == f"{own}a = CAST('it''s ?' AS text) AND b = CAST('1' AS numeric) -- ?"


def test_a_cursor_sees_whoever_has_been_writing_for_long(shop: PostgresShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (id int)")
    assert shop.server.oldest_writer() is None
    with shop.another() as writer, writer.transaction():
        writer.execute(Statement(f"INSERT INTO {shop.schema}.t VALUES (1)"))
        time.sleep(1.1)
        found = shop.server.oldest_writer()
        assert found is not None
        assert 1 <= found.age.total_seconds() < 60
    # The server's own clock shows the time of another zone.
    assert shop.server.local_clock()
    assert str(shop.server.clock()) > found.since


def test_who_waits_for_a_read_is_seen(shop: PostgresShop) -> None:
    """A change of a table waits for a read of it, and everybody else behind that."""
    shop.sql("CREATE TABLE {schema}.t (id int)")
    with shop.another() as reader, shop.another() as changer, ThreadPoolExecutor(1) as beside:
        with reader.at_one_moment():
            reader.fetch(Statement(f"SELECT * FROM {shop.schema}.t"))
            assert reader.session is not None
            assert (shop.server.waiting_for(reader.session), shop.server.pressure().blocked) == (0, 0)
            alter = Statement(f"ALTER TABLE {shop.schema}.t ADD v int")
            waiting = beside.submit(changer.execute, alter)
            until = time.monotonic() + 20
            while shop.server.pressure().blocked != 1 and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(1.1)
            assert shop.server.waiting_for(reader.session) in range(1, 60)
        waiting.result(20)
    assert reader.session is None
