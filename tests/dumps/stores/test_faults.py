"""An object store that fails now and then, and says things that others do not."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from el.dumps.file_version import FileVersion
from el.dumps.stores.base import Store
from el.dumps.stores.registry import open_store
from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConfigError,
    ElError,
    FileRefused,
    NotPermitted,
    PlanError,
    ServerUnreachable,
)
from tests.servers.certificate import signed_by_itself
from tests.servers.object_storage import S3, Azure

DATA = bytes(range(256)) * 1000
LIST = """<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>
<Contents><Key>a.csv</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>"v1"</ETag>
<Size>256000</Size></Contents></ListBucketResult>"""


class Faulty:
    """Answers as S3 does, but for the faults that are told, one a request, of a list or of a file."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.faults: list[Any] = []
        self.requests = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.requests += 1
                fault = owner.faults.pop(0) if owner.faults else None
                if isinstance(fault, tuple):
                    status, code = fault
                    self.answer(status, f"<Error><Code>{code}</Code><Message>it says so</Message></Error>".encode())
                elif "list-type" in self.path:
                    self.answer(200, LIST.encode())
                else:
                    self.answer_range(cut=fault == "cut")

            def answer_range(self, cut: bool) -> None:
                begin, end = 0, len(DATA)
                if told := self.headers.get("Range"):
                    first, _, last = told.removeprefix("bytes=").partition("-")
                    begin, end = int(first), int(last) + 1 if last else len(DATA)
                self.answer(206 if told else 200, DATA[begin:end], begin, 1000 if cut else None)

            def answer(self, status: int, body: bytes, begin: int = 0, sent: int | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"v1"')
                self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
                if status == 206:
                    self.send_header("Content-Range", f"bytes {begin}-{begin + len(body) - 1}/{len(DATA)}")
                self.end_headers()
                self.wfile.write(body[:sent])
                self.close_connection = sent is not None

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def store(self, **settings: str) -> Store:
        keys = {"access_key_id": "k", "secret_access_key": "hidden-one", "region": "eu-west-1"}
        endpoint = f"{self.scheme}://127.0.0.1:{self.server.server_port}"
        return open_store("s3://b/", {"type": "files", "url": "s3://b", "endpoint": endpoint, **keys, **settings})


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    found = Faulty()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_server_that_is_busy_is_asked_again(faulty: Faulty, tmp_path: Path) -> None:
    faulty.faults = [(503, "SlowDown"), (500, "InternalError")]
    (file,) = faulty.store().list("s3://b/")
    faulty.faults = [(503, "SlowDown")]
    assert faulty.store().fetch(file, tmp_path).path.read_bytes() == DATA


def test_a_line_that_is_cut_in_the_middle_of_a_file_leaves_no_half_of_it(faulty: Faulty, tmp_path: Path) -> None:
    (file,) = faulty.store().list("s3://b/")
    faulty.faults = ["cut", "cut"]
    assert faulty.store().fetch(file, tmp_path).path.read_bytes() == DATA
    faulty.faults = ["cut"] * 50
    with pytest.raises(ServerUnreachable) as refused:
        faulty.store().fetch(file, tmp_path / ".")
    assert refused.value.retryable
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind", "why"),
    [
        (403, "AccessDenied", NotPermitted, "needs the rights to list and to read"),
        (403, "SignatureDoesNotMatch", AuthenticationFailed, "check the keys"),
        (403, "InvalidObjectState", FileRefused, "has to be restored"),
        (400, "ExpiredToken", AuthenticationFailed, "ExpiredToken"),
        (301, "PermanentRedirect", ConfigError, "set `region`"),
    ],
)
def test_a_refusal_is_one_line_of_its_kind_and_is_not_tried_again(
    faulty: Faulty, status: int, code: str, kind: type[ElError], why: str, tmp_path: Path
) -> None:
    (file,) = faulty.store().list("s3://b/")
    faulty.requests = 0
    for ask in (lambda: faulty.store().fetch(file, tmp_path), lambda: list(faulty.store().list("s3://b/"))):
        faulty.faults = [(status, code)] * 10
        with pytest.raises(kind, match=why) as refused:
            ask()
        assert type(refused.value) is kind
        assert len(str(refused.value)) < 250
        assert "hidden-one" not in str(refused.value)
    assert faulty.requests == 2


def test_a_name_that_the_library_cannot_ask_for_is_refused_and_not_passed_over(s3: S3) -> None:
    s3.put("doubled//a.csv", b"1")
    opened = open_store(f"{s3.root}/", {"type": "files", "url": s3.root, **s3.settings})
    try:
        with pytest.raises(PlanError, match=r"'doubled//a\.csv' is a name that cannot be read"):
            list(opened.list(f"{s3.root}/doubled/"))
    finally:
        s3.delete("doubled//a.csv")


def test_an_empty_object_with_others_below_it_is_a_folder(azure: Azure) -> None:
    for name, data in {"tiers/x": b"", "tiers/x/y": b"", "tiers/x/y/a.csv": b"1", "tiers/empty.csv": b""}.items():
        azure.put(name, data)
    opened = open_store(f"{azure.root}/", {"type": "files", "url": azure.root, **azure.settings})
    found: list[FileVersion] = list(opened.list(f"{azure.root}/tiers/"))
    assert [file.uri for file in found] == [f"{azure.root}/tiers/{name}" for name in ("empty.csv", "x/y/a.csv")]


@pytest.mark.parametrize("key", ["not json", "[]", '{"type": "authorized_user"}'])
def test_a_key_of_google_that_is_none_is_refused_without_showing_it(key: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(key)
    for told in ({"service_account_key": key}, {"service_account_path": str(tmp_path / "key.json")}):
        opened = open_store("gs://b/", {"type": "files", "url": "gs://b", **told})
        with pytest.raises(ConfigError, match="not the JSON that Google gives") as refused:
            list(opened.list("gs://b/"))
        assert key not in str(refused.value)


def test_a_certificate_that_is_not_trusted_is_said_and_can_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("el.dumps.stores.clients._RETRY", {"max_retries": 0})
    found = Faulty(signed_by_itself(tmp_path))
    try:
        with pytest.raises(CertificateUntrusted, match="set `ca_file`"):
            list(found.store().list("s3://b/"))
        with pytest.raises(ConfigError, match="ca_file: /nowhere: No such file"):
            list(found.store(ca_file="/nowhere").list("s3://b/"))
        assert len(list(found.store(ca_file=str(tmp_path / "ca.pem")).list("s3://b/"))) == 1
    finally:
        found.server.shutdown()
        found.server.server_close()
