"""Who connects and how: TLS, users and their rights, errors in one line without a secret, `check` and `grants`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
import redis

from el.connectors.access import Access
from el.connectors.catalog import TableName
from el.connectors.check import Level
from el.connectors.redis import Redis
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.connectors.rights import SourceNeeds, TableNeed
from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConfigError,
    DatabaseMissing,
    ElError,
    NotPermitted,
    ReadError,
    ServerUnreachable,
)
from tests.conformance.line import line_to
from tests.connectors.redis.conftest import Store
from tests.servers.redis import PASSWORD, server

EVERY: dict[str, Any] = {
    "all": "app:*",
    "users": {"match": "app:user:*", "type": "hash", "document": True},
    "events": {"stream": "app:events"},
}


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user 'default': check user and password"),
        ({"password": None}, AuthenticationFailed, "refused user 'default'"),
        ({"user": "nobody"}, AuthenticationFailed, "refused user 'nobody'"),
        ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers as Redis at 127.0.0.1:1"),
        ({"database": 99}, DatabaseMissing, "there is no database 99"),
        ({"encrypt": True, "login_timeout": 1}, ServerUnreachable, "over TLS"),
        ({"sentinels": ["127.0.0.1:1"], "sentinel_master": "m", "login_timeout": 1}, ServerUnreachable, "no sentinel"),
    ],
)
def test_a_connection_that_fails_says_why_in_one_line_without_a_secret(
    store: Store, changed: dict[str, Any], error: type[ElError], says: str
) -> None:
    with pytest.raises(error) as raised, open_connector({**store.output, **changed}):
        pass
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "Wr0ng" not in str(raised.value)
    assert PASSWORD not in repr(raised.value) + repr(open_connector(store.output))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"tables": {"t": {"match": "*", "stream": "s"}}}, "a table is `match`"),
        ({"tables": {"t": {"match": "*", "document": True}}}, "`document: true` needs"),
        ({"tables": {"t": {"match": "*", "type": "json"}}}, "tables.t.type"),
        ({"tables": {}}, "name a table"),
        ({"cluster": True, "database": 1}, "a cluster has database 0 alone"),
        ({"sentinels": ["a:1"]}, "go together"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_connector({"type": "redis", **changed})


@pytest.fixture(scope="module")
def encrypted() -> Iterator[dict[str, Any]]:
    with server("redis", tls=True) as output:
        yield output


def test_a_certificate_is_checked_unless_the_profile_says_otherwise(encrypted: dict[str, Any]) -> None:
    with open_connector(encrypted) as source:
        assert source.ping().database == "db0"
    with pytest.raises(CertificateUntrusted, match="`ssl_ca`"), open_connector({**encrypted, "ssl_ca": None}):
        pass
    with open_connector({**encrypted, "ssl_ca": None, "trust_cert": True}) as source:
        assert source.ping().user == "default"


def filled(client: Any) -> None:
    client.set("app:text", "a")
    client.hset("app:user:1", mapping={"a": "1"})
    client.rpush("app:list", "a")
    client.sadd("app:set", "a")
    client.zadd("app:zset", {"a": 1})
    client.xadd("app:events", {"a": "1"})
    client.set("secret", "x")


def user(store: Store, script: str) -> dict[str, Any]:
    """A user as the script of `grants` makes it, and its profile output."""
    (line,) = (line for line in script.splitlines() if not line.startswith("--"))
    store.client.execute_command(*shlex.split(line), ">reader")
    return {**store.output, "user": line.split()[2], "password": "reader", "tables": EVERY}


def test_what_grants_prints_is_enough_to_read_and_no_more(store: Store) -> None:
    filled(store.client)
    with store.opened(**EVERY) as owner:
        tables = tuple(TableNeed(TableName("db0", name)) for name in EVERY)
        needs = SourceNeeds(Access.OWNER, tables, user="el_reader")
        reader = user(store, owner.rights(needs))
    with open_connector(reader) as source:
        assert isinstance(source, Redis)
        checked = source.checks(needs)
        assert [check.level for check in checked] == [Level.OK], checked
        assert source.utc_now() is not None
        assert {row["type"] for row in _read(source, "all")} == {"string", "hash", "list", "set", "zset", "stream"}
        assert _read(source, "users")[0]["document"] == '{"a":"1"}'
        assert len(_read(source, "events")) == 1
        for command in (("SET", "app:x", "1"), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("GET", "secret"), ("FLUSHALL",)):
            with pytest.raises(redis.exceptions.NoPermissionError):
                source.client.do(*command)
    store.client.execute_command("ACL", "DELUSER", "el_reader")


def test_the_rights_to_write_are_those_of_the_script_and_no_more(store: Store) -> None:
    tables = {"users": {"match": "app:user:*", "type": "hash"}}
    with store.opened(**tables) as owner:
        script = owner.rights(SourceNeeds(Access.ENGINEER, user="el_writer", writes=("db0",)))
    writer = {**user(store, script), "tables": tables}
    with open_connector(writer) as target:
        assert isinstance(target, Redis)
        data = pa.table({"key": ["app:user:1"], "a": ["1"]})
        assert target.write_buffer(TableName("db0", "users"), data, run_id="one").rows == 1
        with pytest.raises(redis.exceptions.NoPermissionError):
            target.client.do("DEL", "app:user:1")
    store.client.execute_command("ACL", "DELUSER", "el_writer")


def test_check_names_the_right_that_is_missing_and_what_is_too_much(store: Store) -> None:
    store.client.execute_command("ACL", "SETUSER", "weak", "on", ">weak", "~other*", "+@read", "+@connection")
    needs = SourceNeeds(Access.OWNER)
    with open_connector({**store.output, "user": "weak", "password": "weak", "tables": EVERY}) as source:
        assert isinstance(source, Redis)
        (first, *_) = source.checks(needs)
        assert first.level is Level.ERROR
        assert "user weak may not" in first.text
        assert first.remedy.startswith("ACL SETUSER weak ~app:* ")
        with pytest.raises(NotPermitted, match="Redis: "):
            _read(source, "events")
    store.client.execute_command("ACL", "DELUSER", "weak")
    with store.opened() as source:
        assert any("more than el needs" in check.text for check in source.checks(needs))


def test_a_line_that_is_cut_while_it_reads_is_an_error_that_may_pass(store: Store) -> None:
    store.client.mset({f"k{number}": "x" * 1000 for number in range(3000)})
    with (
        line_to(store.output["host"], store.output["port"]) as line,
        open_connector({**store.output, "port": line.port}) as source,
    ):
        assert isinstance(source, Redis)
        line.cut_after(500_000)
        with pytest.raises(ReadError) as raised:
            _read(source, "keys")
    assert raised.value.retryable
    assert "x" * 20 not in str(raised.value)


def _read(source: Redis, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = source.read_buffer(ReadRequest(table=TableName("db0", table))).to_arrow().to_pylist()
    return found


def test_a_read_without_the_right_to_a_key_says_what_gives_it(one_store: Store) -> None:
    one_store.client.set("a:1", "x")
    one_store.client.execute_command(
        "ACL", "SETUSER", "few", "on", ">few", "~b:*", "+@read", "+@connection", "+scan", "+info"
    )
    few = Store({**one_store.output, "user": "few", "password": "few"}, one_store.client)
    with pytest.raises(NotPermitted, match="`python -m el grants` prints the ACL that is enough"):
        few.read({"match": "*", "type": "string"})
    one_store.client.execute_command("ACL", "DELUSER", "few")
