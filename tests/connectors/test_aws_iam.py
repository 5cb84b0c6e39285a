"""Tokens of AWS in the place of passwords: what they are signed for, and where they may go."""

from __future__ import annotations

import hashlib
import hmac
import logging
import pickle
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from el.connectors import aws_iam
from el.connectors.aws_iam import bundle_hint, is_reader_endpoint, region_of
from el.connectors.cluster_config import ClusterConfig
from el.connectors.mysql.config import MySqlConfig
from el.connectors.mysql.errors import connect_error as mysql_error
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.errors import connect_error as postgres_error
from el.connectors.registry import open_connector
from el.errors import AuthenticationFailed, ConfigError, ReadError

READERS = "shop.cluster-ro-c1abc2def3gh.eu-central-1.rds.amazonaws.com"
WRITER = "shop.cluster-c1abc2def3gh.eu-central-1.rds.amazonaws.com"
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
OUTPUTS: dict[str, dict[str, Any]] = {
    "mysql": {"type": "mysql", "host": READERS, "user": "el", "auth": "iam"},
    "postgres": {"type": "postgres", "host": READERS, "user": "el", "dbname": "shop", "method": "iam"},
}


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    aws_iam._made.cache_clear()


def config(scheme: str, **more: Any) -> ClusterConfig:
    found = open_connector({**OUTPUTS[scheme], **more}).config
    assert isinstance(found, ClusterConfig)
    return found


def signature(token: str, region: str) -> str:
    """As AWS computes it: IAM User Guide, "Create a signed AWS API request", of a GET without a body."""
    parts = urlsplit(f"https://{token}")
    told = dict(parse_qsl(parts.query))
    told.pop("X-Amz-Signature")
    day = told["X-Amz-Date"][:8]
    asked = "&".join(f"{quote(key, safe='-_.~')}={quote(told[key], safe='-_.~')}" for key in sorted(told))
    empty = hashlib.sha256(b"").hexdigest()
    request = "\n".join(["GET", "/", asked, f"host:{parts.netloc}", "", "host", empty])
    scope = f"{day}/{region}/rds-db/aws4_request"
    said = "\n".join(["AWS4-HMAC-SHA256", told["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{KEY}".encode()
    for part in (day, region, "rds-db", "aws4_request", said):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


@pytest.mark.parametrize(("scheme", "port"), [("mysql", 3306), ("postgres", 5432)])
def test_a_token_is_signed_for_the_endpoint_the_user_and_a_quarter_of_an_hour(scheme: str, port: int) -> None:
    token = config(scheme).password_now()
    told = dict(parse_qsl(urlsplit(f"https://{token}").query))
    assert token.startswith(f"{READERS}:{port}/?")
    assert (told["Action"], told["DBUser"], told["X-Amz-Expires"]) == ("connect", "el", "900")
    assert told["X-Amz-Signature"] == signature(token, "eu-central-1")


def test_the_writer_has_a_token_of_its_own() -> None:
    at_writer = config("mysql", writer_host=WRITER).at_writer()
    assert at_writer is not None
    assert at_writer.password_now().startswith(f"{WRITER}:3306/?")
    assert at_writer.at_writer() is None
    assert config("mysql", writer_host=READERS.upper()).at_writer() is None


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (READERS, "eu-central-1"),
        ("db-1.c1abc2def3gh.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("shop.proxy-c1abc2def3gh.ap-southeast-2.rds.amazonaws.com.", "ap-southeast-2"),
        ("shop.cluster-custom-c1abc2def3gh.us-east-1.rds.amazonaws.com", "us-east-1"),
        ("shop.cluster-c1abc2def3gh.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"),
        ("shop.cluster-c1abc2def3gh.rds.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("db01.example.com", None),
        ("localhost", None),
    ],
)
def test_the_region_stands_in_the_name_of_an_endpoint(host: str, region: str | None) -> None:
    assert region_of(host) == region
    assert is_reader_endpoint(host) == (host == READERS)


@pytest.mark.parametrize(
    ("scheme", "more", "said"),
    [
        ("mysql", {"encrypt": False}, "`encrypt: false` is not possible"),
        ("mysql", {"trust_cert": True}, "`trust_cert: true` is not possible"),
        ("mysql", {"unix_socket": "/run/mysqld.sock"}, "`unix_socket` is not possible"),
        ("postgres", {"sslmode": "require"}, "`sslmode: require` is not possible"),
        ("postgres", {"sslmode": "verify-ca"}, "`sslmode: verify-ca` is not possible"),
        ("postgres", {"host": "/run/postgresql", "region": "eu-central-1"}, "`host: /run/postgresql` is not possible"),
        ("mysql", {"host": "db01.example.com"}, "db01.example.com is no endpoint of RDS or Aurora"),
        ("postgres", {"writer_host": "db01.example.com"}, "give the endpoint itself, .* or `region`"),
        ("mysql", {"password": "Gehe1m-und-lang"}, "takes no `password`"),
        ("mysql", {"auth": "kerberos"}, "auth"),
    ],
)
def test_a_token_goes_over_no_line_that_another_could_read(scheme: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        open_connector({**OUTPUTS[scheme], **more})
    assert "Gehe1m" not in str(refused.value)


def test_libpq_encrypts_in_no_other_way_than_the_one_that_is_checked() -> None:
    said = PostgresConfig.model_validate(OUTPUTS["postgres"]).conninfo("el")
    assert "gssencmode='disable'" in said
    assert "sslmode='verify-full'" in said


@pytest.mark.parametrize("scheme", list(OUTPUTS))
def test_a_token_is_in_no_log_no_pickle_and_no_message(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    found = config(scheme)
    with caplog.at_level(logging.DEBUG, logger="botocore"):
        token = found.password_now()
    signed = token.rpartition("=")[2]
    assert len(signed) == 64
    assert signed not in caplog.text
    assert KEY not in caplog.text
    assert signed.encode() not in pickle.dumps(found)
    assert signed not in repr(found)
    assert str(ReadError(f"cannot sign in with '{token}' there")) == "database error: cannot sign in with '***' there"


def test_without_an_identity_of_aws_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AuthenticationFailed, match="`auth: iam` found no identity of AWS here") as refused:
        open_connector(OUTPUTS["mysql"]).connect()
    assert not refused.value.retryable
    with pytest.raises(AuthenticationFailed, match="ProfileNotFound"):
        open_connector({**OUTPUTS["postgres"], "iam_profile": "nobody"}).connect()


def test_a_certificate_that_is_not_trusted_names_the_file_of_the_region() -> None:
    """Amazon Aurora User Guide, "Using TLS with DB clusters", "Certificate bundles for specific AWS Regions"."""
    file = "https://truststore.pki.rds.amazonaws.com/eu-central-1/eu-central-1-bundle.pem"
    assert bundle_hint(READERS) == f"; Amazon's for this region is at {file}"
    assert bundle_hint("db01.example.com") == ""
    assert "us-gov-west-1.rds.amazonaws.com/us-gov-west-1/" in bundle_hint("a.b.us-gov-west-1.rds.amazonaws.com")
    assert ".cn-north-1.rds.amazonaws.com.cn/cn-north-1/" in bundle_hint("a.b.cn-north-1.rds.amazonaws.com.cn")
    with_file = {"ca_file": "/no/such/file.pem"}
    of_mysql = MySqlConfig.model_validate({**OUTPUTS["mysql"], **with_file})
    assert file in str(mysql_error(FileNotFoundError(2, "No such file"), of_mysql))
    of_postgres = PostgresConfig.model_validate({**OUTPUTS["postgres"], **with_file})
    assert of_postgres.sslrootcert == "/no/such/file.pem"
    absent = Exception('IO: [libpq] Failed to connect: root certificate file "/no/such/file.pem" does not exist')
    assert file in str(postgres_error(absent, of_postgres))
    wrong = Exception("IO: [libpq] Failed to connect: SSL error: certificate verify failed")
    assert file in str(postgres_error(wrong, of_postgres))


@pytest.mark.parametrize("scheme", list(OUTPUTS))
def test_a_user_who_is_refused_is_told_of_iam(scheme: str) -> None:
    found = config(scheme)
    if isinstance(found, MySqlConfig):
        said = mysql_error(Exception(1045, "Access denied for user 'el'@'10.0.0.1'"), found)
    else:
        assert isinstance(found, PostgresConfig)
        said = postgres_error(Exception('FATAL: PAM authentication failed for user "el"'), found)
    assert isinstance(said, AuthenticationFailed)
    assert "rds-db:connect" in str(said)
