"""How a profile becomes a connection string, for each driver, and which profiles are refused before any connection."""

from __future__ import annotations

from typing import Any

import pytest

from el.connectors.registry import open_connector
from el.connectors.sqlserver.config import SqlServerConfig, connection_string
from el.connectors.sqlserver.pyodbc import freetds_keywords
from el.errors import CertificateUntrusted, ConfigError

PLAIN = {"type": "sqlserver", "host": "db01", "port": 1444, "database": "shop", "user": "el", "password": "a;b}c{ d"}


def config(**changes: Any) -> SqlServerConfig:
    return SqlServerConfig.model_validate({**PLAIN, **changes})


def test_encryption_is_on_and_trust_must_be_asked_for() -> None:
    assert config().keywords()["Encrypt"] == "yes"
    assert config().keywords()["TrustServerCertificate"] == "no"
    assert config(trust_cert=True).keywords()["TrustServerCertificate"] == "yes"


def test_a_broken_connection_is_not_made_anew_behind_els_back_unless_asked_for() -> None:
    assert config().keywords()["ConnectRetryCount"] == "0"
    assert config(odbc={"ConnectRetryCount": "2"}).keywords()["ConnectRetryCount"] == "2"


def test_a_password_with_the_connection_strings_own_characters_is_protected() -> None:
    assert "PWD={a;b}}c{ d};" in connection_string(config().keywords())
    assert "a;b" not in repr(config())


def test_no_keyword_of_ones_own_is_shown_for_it_may_be_a_secret() -> None:
    assert "Gehe1m" not in repr(open_connector({**PLAIN, "odbc": {"PWD": "Gehe1m"}}))


def test_freetds_gets_its_own_keywords() -> None:
    found = freetds_keywords(config(trust_cert=True))
    assert (found["Server"], found["Port"], found["TDS_Version"]) == ("db01", "1444", "7.4")
    assert found["Encryption"] == "require"


def test_freetds_is_not_used_where_a_certificate_must_be_checked() -> None:
    with pytest.raises(CertificateUntrusted, match="FreeTDS checks no certificate"):
        freetds_keywords(config())
    assert freetds_keywords(config(encrypt=False))["Encryption"] == "off"


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ({"type": "sqlserver", "host": "db01", "user": "el", "prot": 1444}, "prot: unknown setting; did you mean port"),
        ({"type": "sqlserver", "user": "el"}, "give `host`"),
        ({"type": "sqlserver", "host": "db01"}, "give `user` and `password`"),
        ({"type": "sqlserver", "dsn": "shop"}, "a `dsn` needs `reader: pyodbc`"),
        ({"type": "sqlserver", "host": "db01", "user": "el", "port": "x"}, "port"),
        ({"type": "oracle"}, "there is no connector for type 'oracle'"),
    ],
)
def test_a_profile_that_cannot_work_is_one_line_that_names_the_setting(output: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=r"^[^\n]*$") as refused:
        open_connector(output, "shop.prod")
    assert says in str(refused.value)


def test_dbts_own_settings_are_no_slips_of_the_pen() -> None:
    dbts = {"schema": "sales", "threads": 4, "retries": 2, "tenant_id": "t", "client_id": "c", "trace_flag": False}
    assert open_connector({**PLAIN, **dbts}).scheme == "sqlserver"
