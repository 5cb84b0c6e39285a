"""The places of the tests of stores: a server each, if this machine has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import object_storage
from tests.servers.place import Place
from tests.servers.sftp import Sftp
from tests.servers.sftp import sftp as server


class Local(Place):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root, self.missing = f"file://{folder}", f"file://{folder}-nowhere"
        self.many = 300

    def put(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_many(self, names: list[str]) -> None:
        for folder in {os.path.dirname(name) for name in names}:
            (self.folder / folder).mkdir()
        for name in names:
            os.close(os.open(self.folder / name, os.O_CREAT))

    def delete(self, name: str) -> None:
        os.unlink(self.folder / name)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Local(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def s3() -> Iterator[object_storage.S3]:
    pytest.importorskip("moto", reason="moto, the server for S3, is not installed")
    with object_storage.s3() as place:
        yield place


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_storage.Azure]:
    if object_storage.azurite() is None:
        pytest.skip("azurite, the server for Azure, is not installed (npm install azurite)")
    with object_storage.azure(tmp_path_factory.mktemp("azure")) as place:
        yield place


@pytest.fixture(scope="session")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if object_storage.fake_gcs() is None:
        pytest.skip("fake-gcs-server, the server for Google, is not installed")
    with object_storage.google(tmp_path_factory.mktemp("google")) as place:
        yield place


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sftp]:
    pytest.importorskip("asyncssh", reason="asyncssh, the server for SFTP, is not installed")
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install 'el-loader[sftp]'")
    folder = tmp_path_factory.mktemp("sftp")
    (folder / "data").mkdir()
    with server(folder, tmp_path_factory.mktemp("keys")) as place:
        yield place


@pytest.fixture(scope="session", params=["local", "s3", "azure", "google", "sftp"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found
