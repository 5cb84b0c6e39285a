"""The Snowflake connector over the real driver: sign-in and its refusals, exact reads, the catalog."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.errors import OperationalError

from el.connectors.catalog import Key, SourceType, TableName
from el.connectors.registry import open_connector
from el.connectors.request import Condition, Op, ReadRequest, Value
from el.connectors.snowflake import Snowflake
from el.connectors.sql.select import Statement
from el.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    DatabaseMissing,
    NotPermitted,
    ReadError,
    ServerUnreachable,
)
from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def session(standin: SnowflakeStandIn) -> Iterator[Snowflake]:
    with open_connector(standin.dbt_output()) as connector:
        assert isinstance(connector, Snowflake)
        connector.execute(Statement("CREATE SCHEMA IF NOT EXISTS A"))
        yield connector


def private_key(passphrase: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return pem.decode()


@pytest.mark.parametrize("place", ["text", "file"])
def test_a_key_pair_signs_in_from_a_file_or_a_text(standin: SnowflakeStandIn, tmp_path: Path, place: str) -> None:
    pem = private_key(b"secret words")
    (tmp_path / "key.p8").write_text(pem)
    key = {"private_key": pem} if place == "text" else {"private_key_path": str(tmp_path / "key.p8")}
    output = standin.dbt_output(password="", private_key_passphrase="secret words", **key)
    with open_connector(output) as connector:
        assert connector.ping().roles == ("LOADER",)


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user 'EL_USER': check user and password"),
        ({"port": 1}, ServerUnreachable, "nobody answers as Snowflake account standin"),
        ({"database": "NOPE"}, DatabaseMissing, "database 'NOPE' does not exist, or LOADER may not use it"),
        ({"private_key_path": "/no/such.p8"}, AuthenticationFailed, "private key file /no/such.p8 cannot be read"),
        ({"private_key": "bm90IGEga2V5"}, AuthenticationFailed, "the private key cannot be opened"),
    ],
)
def test_a_refused_connection_is_one_line_without_a_secret(
    standin: SnowflakeStandIn, changes: dict[str, Any], kind: type[ConnectError], says: str
) -> None:
    connector = open_connector({**standin.dbt_output(**changes), "login_timeout": 2})
    with pytest.raises(kind) as refused, connector:
        pass
    assert refused.value.exit_code == 3
    assert says in str(refused.value)
    for secret in ("Wr0ng-secret", "bm90IGEga2V5", standin.password):
        assert secret not in str(refused.value)
        assert secret not in repr(connector)


def test_a_profile_that_nobody_can_sign_in_with_is_refused_before_any_connection(standin: SnowflakeStandIn) -> None:
    with pytest.raises(ConfigError, match="private_key_path"):
        open_connector(standin.dbt_output(password=""))


def test_values_arrive_as_their_declared_types_with_every_digit(session: Snowflake) -> None:
    session.execute(
        Statement(
            "CREATE OR REPLACE TABLE A.VALS (I NUMBER(10,0), N NUMBER(38,10), T VARCHAR, D DATE, B BINARY, F FLOAT, "
            "S TIMESTAMP_NTZ(6))"
        )
    )
    session.execute(
        Statement(
            "INSERT INTO A.VALS SELECT 7, 1234567890123456789012345678.0123456789, 'Zoë 日本 😀', '0001-01-01', "
            "TO_BINARY('00FF', 'HEX'), 0.1, '9999-12-31 23:59:59.999999'"
        )
    )
    session.execute(Statement("INSERT INTO A.VALS (I) VALUES (8)"))
    table = session.read_buffer(ReadRequest(table=TableName("A", "VALS"), order_by=("I",))).to_arrow()
    assert [str(field.type) for field in table.schema] == [
        "int64",
        "decimal128(38, 10)",
        "string",
        "date32[day]",
        "binary",
        "double",
        "timestamp[us]",
    ]
    first, second = table.to_pylist()
    assert tuple(first.values()) == (
        7,
        Decimal("1234567890123456789012345678.0123456789"),
        "Zoë 日本 😀",
        date(1, 1, 1),
        b"\x00\xff",
        0.1,
        datetime(9999, 12, 31, 23, 59, 59, 999999),
    )
    assert set(second.values()) == {8, None}


def test_a_read_is_bounded_by_rows_and_knows_its_schema_when_there_are_none(session: Snowflake) -> None:
    session.execute(
        Statement("CREATE OR REPLACE TABLE A.MANY AS SELECT SEQ8() AS N FROM TABLE(GENERATOR(ROWCOUNT=>1000))")
    )
    request = ReadRequest(table=TableName("A", "MANY"), batch_rows=300)
    assert [batch.num_rows for batch in session.read_buffer(request)] == [300, 300, 300, 100]
    none = Condition("N", Op.LT, Value("0", SourceType("number", precision=18, scale=0)))
    empty = session.read_buffer(ReadRequest(table=TableName("A", "MANY"), where=(none,))).to_arrow()
    assert (empty.num_rows, empty.column_names) == (0, ["N"])


def test_the_catalog_has_tables_columns_keys_and_row_counts(session: Snowflake) -> None:
    session.execute(
        Statement(
            'CREATE OR REPLACE TABLE A."Order Line" (ORDER_ID NUMBER(19,0) NOT NULL, "No" NUMBER(5,0) NOT NULL, '
            'PRICE NUMBER(19,4), PRIMARY KEY (ORDER_ID, "No"))'
        )
    )
    session.execute(Statement('INSERT INTO A."Order Line" VALUES (1, 1, 2.5), (1, 2, NULL)'))
    table = session.describe(["A"]).table(TableName("A", "Order Line"))
    assert table is not None
    assert table.primary_key is not None
    assert Key("", table.primary_key.columns) == Key("", ("ORDER_ID", "No"))
    assert [(column.name, str(column.type), column.nullable) for column in table.columns] == [
        ("ORDER_ID", "number(19,0)", False),
        ("No", "number(5,0)", False),
        ("PRICE", "number(19,4)", True),
    ]
    assert table.rows == 2


def test_a_statement_that_fails_says_so_in_snowflakes_words(session: Snowflake) -> None:
    with pytest.raises(ReadError, match=r"^database error: Snowflake: .*'NOPE' does not exist") as failed:
        session.fetch(Statement("SELECT * FROM A.NOPE"))
    assert failed.value.exit_code == 1
    assert not failed.value.retryable


def test_rights_that_do_not_suffice_are_their_own_error(session: Snowflake, standin: SnowflakeStandIn) -> None:
    standin.fail("FORBIDDEN", message="SQL access control error: Insufficient privileges to operate on table 'X'")
    with pytest.raises(NotPermitted, match="Insufficient privileges"):
        session.fetch(Statement("SELECT 'FORBIDDEN'"))


def test_a_closed_session_is_a_read_error(standin: SnowflakeStandIn) -> None:
    connector = open_connector(standin.dbt_output())
    with connector:
        pass
    connector.close()
    with pytest.raises(ReadError, match="closed"):
        connector.ping()


@pytest.mark.parametrize(
    ("number", "message", "says"),
    [
        (
            390422,
            "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake. Contact your account "
            "administrator.",
            r"network policy does not allow this machine: .*203\.0\.113\.7",
        ),
        (390432, "Network policy is required.", "token needs a network policy"),
    ],
)
def test_what_a_network_policy_refuses_is_told_as_such(
    standin: SnowflakeStandIn, number: int, message: str, says: str
) -> None:
    standin.refuse_login(number, message)
    with pytest.raises(NotPermitted, match=says), open_connector(standin.dbt_output()):
        pytest.fail("it was refused")


def test_a_statement_that_takes_longer_than_the_network_may_be_away_is_not_ended(standin: SnowflakeStandIn) -> None:
    standin.slow("SELECT 77", 3)
    with open_connector(standin.dbt_output(network_timeout=1)) as connector:
        assert isinstance(connector, Snowflake)
        assert [str(row[0]) for row in connector.fetch(Statement("SELECT 77"))] == ["77"]


def test_a_server_that_answers_no_more_is_given_up_after_the_networks_timeout() -> None:
    from el.connectors.snowflake.config import SnowflakeConfig

    config = SnowflakeConfig(account="a", user="u", password="p", database="d", network_timeout=1)
    waits = config.arguments()["backoff_policy"]()
    assert next(waits) == 1
    time.sleep(1.1)
    with pytest.raises(OperationalError, match="no answer for 1 seconds"):
        next(waits)


@pytest.mark.parametrize(
    ("settings", "sql"),
    [({"statement_timeout": 1}, "SELECT 78"), ({"metadata_timeout": 1}, "SHOW TABLES IN DATABASE EL")],
)
def test_a_statement_is_ended_by_the_server_at_the_timeout_of_its_kind(
    standin: SnowflakeStandIn, settings: dict[str, int], sql: str
) -> None:
    standin.slow(sql, 20)
    with open_connector(standin.dbt_output(**settings)) as connector:
        assert isinstance(connector, Snowflake)
        with pytest.raises(ReadError, match=r"timeout of 1 second.*_timeout` in the profile"):
            connector.show(sql) if sql.startswith("SHOW") else connector.fetch(Statement(sql))


def test_a_session_that_is_gone_is_opened_anew(standin: SnowflakeStandIn) -> None:
    with open_connector(standin.dbt_output()) as connector:
        assert isinstance(connector, Snowflake)
        standin.end_sessions()
        assert len(connector.fetch(Statement("SELECT 1"))) == 1
        with connector.transaction():
            standin.end_sessions()
            with pytest.raises(ReadError):
                connector.fetch(Statement("SELECT 1"))
            connector.connect()
            connector.execute(Statement("BEGIN"))
        assert len(connector.fetch(Statement("SELECT 1"))) == 1


def test_a_connector_that_is_entered_again_keeps_its_session(standin: SnowflakeStandIn) -> None:
    logins = len(standin.logins)
    with open_connector(standin.dbt_output()) as connector:
        assert isinstance(connector, Snowflake)
        with connector:
            connector.fetch(Statement("SELECT 1"))
        connector.fetch(Statement("SELECT 1"))
    assert len(standin.logins) == logins + 1
    with pytest.raises(ReadError, match="closed"):
        connector.fetch(Statement("SELECT 1"))
