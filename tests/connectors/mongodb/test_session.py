"""Who connects and how: TLS, users, errors in one line without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConfigError,
    ElError,
    NotPermitted,
    ReadError,
    ServerUnreachable,
)
from tests.conformance.line import line_to
from tests.connectors.mongodb.conftest import Store
from tests.servers.mongodb import PASSWORD, client_of, server, shared


@pytest.fixture(scope="module")
def owner() -> dict[str, Any]:
    return shared(users=True)


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user 'owner': check user and password"),
        ({"user": "nobody"}, AuthenticationFailed, "refused user 'nobody'"),
        ({"auth_source": "shop"}, AuthenticationFailed, "`auth_source`"),
        ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers as MongoDB at 127.0.0.1:1"),
        ({"replica_set": "other", "login_timeout": 1}, ElError, "other"),
        ({"encrypt": True, "login_timeout": 1}, ElError, "`encrypt: false`"),
    ],
)
def test_a_connection_that_fails_says_why_in_one_line_without_a_secret(
    owner: dict[str, Any], changed: dict[str, Any], error: type[ElError], says: str
) -> None:
    with pytest.raises(error) as raised, open_connector({**owner, **changed}):
        pass
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "Wr0ng" not in str(raised.value)
    assert PASSWORD not in repr(raised.value) + repr(open_connector(owner))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"host": "mongodb://a:b@c"}, "name the host alone"),
        ({"srv": True, "host": "a:1"}, "one name of DNS"),
        ({"srv": True, "encrypt": False}, "is encrypted"),
        ({"direct": True, "host": "a,b"}, "one host"),
        ({"password": "x"}, "needs a `user`"),
        ({"read_preference": "any"}, "read_preference"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_connector({"type": "mongodb", "database": "shop", **changed})


def test_a_database_that_is_asked_without_a_user_says_that_it_wants_one(owner: dict[str, Any]) -> None:
    nobody = {name: value for name, value in owner.items() if name not in ("user", "password", "auth_source")}
    with pytest.raises((AuthenticationFailed, NotPermitted)), open_connector(nobody) as source:
        source.describe()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def encrypted() -> Iterator[dict[str, Any]]:
    with server(tls=True) as output:
        yield output


def test_a_certificate_is_checked_unless_the_profile_says_otherwise(encrypted: dict[str, Any]) -> None:
    with client_of(encrypted) as client:
        client.shop.a.insert_one({"_id": 1})
    with open_connector(encrypted) as source:
        assert source.ping().database == "shop"
    short = {**encrypted, "ssl_ca": None, "login_timeout": 2}
    with pytest.raises(CertificateUntrusted, match="`ssl_ca`"), open_connector(short):
        pass
    with open_connector({**short, "trust_cert": True}) as source:
        assert source.ping().user == "nobody"


def test_a_line_that_is_cut_while_it_reads_is_an_error_that_may_pass(store: Store) -> None:
    store.database.a.insert_many([{"_id": number, "x": "x" * 1000} for number in range(2000)])
    host, port = store.output["host"], store.output["port"]
    with line_to(host, port) as line, store.opened(port=line.port, direct=True) as source:
        line.cut_after(300_000)
        with pytest.raises(ReadError) as raised:
            source.read_buffer(ReadRequest(table=store.name("a"))).to_arrow()
    assert raised.value.retryable
    assert "x" * 20 not in str(raised.value)
