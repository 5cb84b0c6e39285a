"""Who connects and how: TLS, users and their rights, errors in one line without a secret, `check` and `grants`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from el.connectors.access import Access
from el.connectors.catalog import TableName
from el.connectors.check import Level
from el.connectors.mongodb import MongoDb
from el.connectors.mongodb.config import MongoDbConfig
from el.connectors.mongodb.errors import connect_error
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.connectors.rights import SourceNeeds, TableNeed
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
    with pytest.raises(AuthenticationFailed, match="asks who it is: give `user` and `password`"):
        open_connector(nobody).connect()  # type: ignore[attr-defined]


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


def test_a_line_that_is_not_encrypted_to_a_server_that_wants_it_says_so(encrypted: dict[str, Any]) -> None:
    plain = {**encrypted, "encrypt": False, "ssl_ca": None, "login_timeout": 2}
    with pytest.raises(ServerUnreachable, match="may want `encrypt: true`"), open_connector(plain):
        pass


def test_members_of_a_set_that_do_not_answer_are_named_and_no_others() -> None:
    config = MongoDbConfig.model_validate({"host": "tunnel", "database": "shop", "encrypt": False})
    timeouts = "(configured timeouts: socketTimeoutMS: 3600000.0ms, connectTimeoutMS: 15000.0ms)"
    alone = connect_error(ServerSelectionTimeoutError(f"tunnel:27017: [Errno 111] refused {timeouts}"), config)
    assert "direct" not in str(alone)
    of_a_set = f"mongo01:27017: [Errno -2] not known {timeouts},mongo02:27017: [Errno -2] not known {timeouts}"
    found = connect_error(ServerSelectionTimeoutError(of_a_set), config)
    assert "it names mongo01:27017, mongo02:27017; `direct: true` asks this server alone" in str(found)


def test_a_line_that_is_cut_while_it_reads_is_an_error_that_may_pass(store: Store) -> None:
    store.database.a.insert_many([{"_id": number, "x": "x" * 1000} for number in range(2000)])
    host, port = store.output["host"], store.output["port"]
    with line_to(host, port) as line, store.opened(port=line.port, direct=True) as source:
        line.cut_after(300_000)
        with pytest.raises(ReadError) as raised:
            source.read_buffer(ReadRequest(table=store.name("a"))).to_arrow()
    assert raised.value.retryable
    assert "x" * 20 not in str(raised.value)


def user(owner: dict[str, Any], script: str) -> dict[str, Any]:
    """A user as the script of `grants` makes it, and its profile output."""
    lines = dict(line.removesuffix(";").split(" = ", 1) for line in script.splitlines() if line.startswith("const "))
    role, name = json.loads(lines["const role"]), json.loads(lines["const user"])
    with client_of(owner) as client:
        shop = client["shop"]
        shop.command("createRole", f"role_of_{name}", **role)
        shop.command("createUser", name, pwd="reader", roles=[f"role_of_{name}"])
    return {**owner, "user": name, "password": "reader", "auth_source": "shop"}


@pytest.fixture(scope="module")
def filled(owner: dict[str, Any]) -> dict[str, Any]:
    with client_of(owner) as client:
        for name in ("orders", "secrets"):
            client["shop"][name].insert_many([{"_id": number} for number in range(40)])
    return owner


ORDERS = TableName("shop", "orders")


def test_what_grants_prints_is_enough_to_read_and_no_more(filled: dict[str, Any]) -> None:
    """The tests' server gives rights on a collection for its whole database: only other ones are refused there."""
    needs = SourceNeeds(Access.OWNER, (TableNeed(ORDERS),), user="el_reader")
    connector = open_connector(filled)
    assert isinstance(connector, MongoDb)
    reader = user(filled, connector.rights(needs))
    with open_connector(reader) as source:
        assert isinstance(source, MongoDb)
        assert [check.level for check in source.checks(needs)] == [Level.OK], source.checks(needs)
        assert source.utc_now() is not None
        assert source.describe(["shop"]).table(ORDERS) is not None
        assert source.read_buffer(ReadRequest(table=ORDERS)).to_arrow().num_rows == 40
        assert source.splits(ReadRequest(table=ORDERS), 4, None)
        with pytest.raises(NotPermitted, match="MongoDB: "):
            source.read_buffer(ReadRequest(table=TableName("other", "secrets"))).to_arrow()
        for refused in ({"insert": "orders", "documents": [{"_id": 99}]}, {"drop": "orders"}):
            with pytest.raises(OperationFailure):
                source.client["shop"].command(refused)


def test_a_database_that_is_taken_whole_needs_the_role_read_alone(filled: dict[str, Any]) -> None:
    needs = SourceNeeds(Access.OWNER, (TableNeed(ORDERS),), schemas=("shop",), user="el_whole")
    connector = open_connector(filled)
    assert isinstance(connector, MongoDb)
    script = connector.rights(needs)
    assert '{"privileges": [], "roles": [{"role": "read", "db": "shop"}]}' in script
    with open_connector(user(filled, script)) as source:
        assert isinstance(source, MongoDb)
        assert [check.level for check in source.checks(needs)] == [Level.OK]
        assert source.read_buffer(ReadRequest(table=TableName("shop", "secrets"))).to_arrow().num_rows == 40


def test_check_names_the_right_that_is_missing_and_what_is_too_much(filled: dict[str, Any]) -> None:
    needs = SourceNeeds(Access.OWNER, (TableNeed(ORDERS), TableNeed(TableName("shop", "secrets"))))
    with client_of(filled) as client:
        client["shop"].command("createUser", "weak", pwd="weak", roles=[])
        client["shop"].command("createUser", "strong", pwd="strong", roles=["readWrite"])
    for name, level, says in (
        ("weak", Level.ERROR, "may not read shop.orders"),
        ("strong", Level.WARNING, "readWrite"),
    ):
        with open_connector({**filled, "user": name, "password": name, "auth_source": "shop"}) as source:
            assert isinstance(source, MongoDb)
            found = source.checks(needs)
            assert any(check.level is level and says in check.text for check in found), found
    with open_connector({**filled, "host": "localhost"}) as source:
        assert isinstance(source, MongoDb)
        assert not any(check.subject == "line" for check in source.checks(needs))


def test_the_role_staging_is_granted_nothing(filled: dict[str, Any]) -> None:
    connector = open_connector(filled)
    assert isinstance(connector, MongoDb)
    assert all(line.startswith("//") for line in connector.rights(SourceNeeds(Access.STAGING)).splitlines())
