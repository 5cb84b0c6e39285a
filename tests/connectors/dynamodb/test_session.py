"""Who signs in, what is refused in which words, and which rights are needed."""

from __future__ import annotations

import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError

from el.checking.certificate import expiry
from el.connectors.access import Access
from el.connectors.catalog import TableName
from el.connectors.dynamodb.config import DynamoDbConfig
from el.connectors.dynamodb.errors import connect_error, statement_error
from el.connectors.dynamodb.items import is_canonical, number, text_of
from el.connectors.dynamodb.rights import script
from el.connectors.registry import open_connector
from el.connectors.rights import SourceNeeds, TableNeed
from el.errors import AuthenticationFailed, ConfigError, NotPermitted, ReadError, ServerUnreachable
from tests.connectors.dynamodb.conftest import Store
from tests.servers.certificate import signed_by_itself
from tests.servers.dynamodb import SECRET

ORDERS = TableName("dynamodb", "orders")


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    said = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "Scan")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "words"),
    [
        (refused("UnrecognizedClientException"), AuthenticationFailed, False, "UnrecognizedClientException"),
        (refused("ThrottlingException"), ReadError, True, "ThrottlingException"),
        (refused("ProvisionedThroughputExceededException"), ReadError, True, "Provisioned"),
        (refused("InternalServerError", status=500), ReadError, True, "InternalServerError"),
        (refused("ValidationException"), ReadError, False, "ValidationException"),
        (
            refused("AccessDeniedException", "User: x is not authorized to perform: dynamodb:Scan on resource: arn:o"),
            NotPermitted,
            False,
            "may not dynamodb:Scan on arn:o",
        ),
    ],
    ids=lambda each: each.response["Error"]["Code"] if isinstance(each, ClientError) else None,
)
def test_an_error_says_what_it_is_and_whether_it_may_pass(
    error: Exception, kind: type[Exception], retryable: bool, words: str
) -> None:
    found = statement_error(error, writing=False)
    assert (type(found), found.retryable) == (kind, retryable)
    assert words in str(found)


def test_no_session_says_why() -> None:
    config = DynamoDbConfig(region="eu-central-1")
    gone = connect_error(EndpointConnectionError(endpoint_url="https://x"), config)
    assert isinstance(gone, ServerUnreachable)
    assert "DynamoDB in eu-central-1" in str(gone)
    assert isinstance(connect_error(refused("ExpiredTokenException"), config), AuthenticationFailed)


def test_nobody_there_is_told_in_one_line_without_a_secret() -> None:
    output = {"type": "dynamodb", "region": "eu-central-1", "endpoint": "http://127.0.0.1:9", "attempts": 1}
    source = open_connector({**output, "user": "k", "password": SECRET})
    with pytest.raises(ServerUnreachable, match="nobody answers as DynamoDB") as found:
        source.connect()
    assert SECRET not in str(found.value) + repr(source)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"endpoint": "dynamodb:8000"}, "an endpoint is a URL"),
        ({"user": "k"}, "go together"),
        ({"user": "k", "password": "s", "aws_profile": "p"}, "not by both"),
        ({"external_id": "x"}, "goes with `role_arn`"),
    ],
    ids=["endpoint", "half a key", "two identities", "external id"],
)
def test_what_contradicts_itself_is_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        open_connector({"type": "dynamodb", "region": "eu-central-1", **settings})


def test_the_policy_has_the_least_that_a_role_needs() -> None:
    config = DynamoDbConfig(region="eu-central-1")
    needs = SourceNeeds(Access.OWNER, (TableNeed(ORDERS),))
    read, listed = json.loads(script(config, needs))["Statement"]
    assert read["Action"] == ["dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:DescribeContinuousBackups"]
    assert read["Resource"] == ["arn:aws:dynamodb:eu-central-1:*:table/orders"]
    assert listed["Action"] == ["dynamodb:ListTables"]
    followed = SourceNeeds(Access.OWNER, (TableNeed(ORDERS, follow="changes"),))
    assert "dynamodb:GetRecords" in script(config, followed)
    named = DynamoDbConfig(region="eu-central-1", tables=("orders",))
    assert "ListTables" not in script(named, needs)
    assert "PutItem" not in script(config, needs)
    assert "nothing is granted" in script(config, SourceNeeds(Access.STAGING))


def test_check_says_which_action_is_missing(store: Store) -> None:
    store.table("orders")
    needs = SourceNeeds(Access.OWNER, (TableNeed(ORDERS),))

    def denied(request: Any, **_: Any) -> AWSResponse:
        found = AWSResponse(request.url, 400, {}, None)
        message = "User: x is not authorized to perform: dynamodb:Scan on resource: arn:orders"
        said = {"__type": "com.amazon.coral.service#AccessDeniedException", "message": message}
        found._content = json.dumps(said).encode()
        return found

    with store.opened() as source:
        assert [check.level for check in source.checks(needs)][:1] == ["ok"]
        source.client.meta.events.register("before-send.dynamodb.Scan", denied)
        first = source.checks(needs)[0]
    assert (first.level, first.text) == ("error", "this identity may not dynamodb:Scan on orders")


def test_a_line_that_is_not_encrypted_is_told(store: Store) -> None:
    with store.opened() as source:
        assert not any(check.subject == "line" for check in source.checks(SourceNeeds(Access.OWNER)))
    assert DynamoDbConfig(region="x", endpoint="http://10.0.0.1:8000").plaintext


def test_whose_certificate_a_server_shows_is_told_where_there_is_one(store: Store, tmp_path: Path) -> None:
    with store.opened() as source:
        assert expiry(source) is None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed_by_itself(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"https://127.0.0.1:{server.server_address[1]}"
        with store.opened(endpoint=endpoint, ssl_ca=str(tmp_path / "ca.pem")) as source:
            said = expiry(source)
        server.shutdown()
    assert said is not None
    assert "certificate of CN=127.0.0.1, signed by CN=an authority" in said.text


class Answers(BaseHTTPRequestHandler):
    """A server that has no tables."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"TableNames":[]}')

    def log_message(self, *_: Any) -> None:
        pass


def test_a_scan_a_stream_and_an_export_give_one_text() -> None:
    """boto3 has bytes and sets in any order, an export base64 and an exponent."""
    scanned = {"b": {"B": "/w=="}, "a": {"NS": ["1.50", "1E+2"]}, "n": {"N": "-0"}}
    streamed = {"n": {"N": "0"}, "a": {"NS": ["100", "1.5"]}, "b": {"B": b"\xff"}}
    assert text_of(scanned) == text_of(streamed) == b'{"a":{"NS":["1.5","100"]},"b":{"B":"/w=="},"n":{"N":"0"}}'


@pytest.mark.parametrize(
    ("text", "one"),
    [("1E-3", "0.001"), ("-1.500", "-1.5"), ("0.0", "0"), ("-0.0", "0"), ("1e2", "100"), ("+7", "7"), ("007", "7")],
)
def test_a_number_has_one_text(text: str, one: str) -> None:
    assert number(text) == one
    assert not is_canonical(b'{"Items":[{"n":{"N":"%b"}}]}' % text.encode())
    assert is_canonical(b'{"Items":[{"n":{"N":"%b"}}]}' % one.encode())
