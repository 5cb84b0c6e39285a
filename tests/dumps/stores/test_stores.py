"""What every store keeps: all files are listed, and what is read is the version that was listed, or nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import pickle
import zipfile
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import pytest

from el.dumps.archives.members import WithMembers
from el.dumps.file_version import FileVersion
from el.dumps.pattern import Pattern
from el.dumps.stores.base import Store
from el.dumps.stores.objects import ObjectStore
from el.dumps.stores.registry import open_store
from el.errors import AuthenticationFailed, ConfigError, ConnectError, DatabaseMissing, FileChanged, ServerUnreachable
from tests.dumps.archives.test_members import files_of, packed
from tests.servers.object_storage import S3, Azure
from tests.servers.place import Place

ODD = [
    "a b.csv",
    "50%.csv",
    "a%20b.csv",
    "é ü.csv",
    "a#b+c.csv",
    "q?.csv",
    "[x] {y}.csv",
    ".hidden",
    "~t.csv",
    "50% a%20b #+é/c",
]


def store(place: Place) -> Store:
    return open_store(f"{place.root}/", {"type": "files", "url": place.root, **place.settings})


def listed(place: Place, prefix: str) -> list[FileVersion]:
    return list(store(place).list(f"{place.root}/{prefix}"))


def one(place: Place, name: str) -> FileVersion:
    (found,) = [file for file in listed(place, name) if file.uri == f"{place.root}/{name}"]
    return found


def test_files_that_begin_with_the_prefix_are_listed_in_the_order_of_their_uris(place: Place) -> None:
    for name in ("list/b_2.csv", "list/b_1.csv", "list/c_1.csv", "list/b_old/3.csv", "list/b.csv"):
        place.put(name, name.encode())
    found = listed(place, "list/b_")
    assert [file.uri for file in found] == [
        f"{place.root}/list/{name}" for name in ("b_1.csv", "b_2.csv", "b_old/3.csv")
    ]
    assert [file.size for file in found] == [12, 12, 16]
    assert all(file.modified.utcoffset() is not None and file.version for file in found)
    assert listed(place, "list/none") == []


@pytest.mark.parametrize("name", ODD)
def test_a_file_with_an_odd_name_is_read_under_it(place: Place, name: str, tmp_path: Path) -> None:
    place.put(f"odd/{name}", name.encode())
    file = one(place, f"odd/{name}")
    assert store(place).fetch(file, tmp_path).path.read_bytes() == name.encode()
    assert store(place).open(file).read() == name.encode()


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_what_is_fetched_or_read_are_the_bytes_that_are_there(place: Place, size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    place.put(f"sizes/{size}", data)
    file = one(place, f"sizes/{size}")
    fetched = store(place).fetch(file, tmp_path)
    assert fetched.path.parent == tmp_path
    assert fetched.path.read_bytes() == data
    assert fetched.sha256 == hashlib.sha256(data).hexdigest()
    with store(place).open(file) as opened:
        assert opened.read() == data
        assert opened.read() == b""


def test_parts_of_a_file_are_read_in_any_order(place: Place, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.bin", data)
    place.put("parts/z.zip", (tmp_path / "z.zip").read_bytes())
    with store(place).open(one(place, "parts/z.zip")) as opened, zipfile.ZipFile(opened) as archive:
        assert archive.read("a.bin") == data


@pytest.mark.parametrize("way", ["fetch", "open"])
@pytest.mark.parametrize("how", ["written", "same size", "gone"])
def test_a_file_that_is_another_one_since_it_was_listed_is_not_read(
    place: Place, how: str, way: str, tmp_path: Path
) -> None:
    place.put("changed.csv", b"id\n1\n")
    file = one(place, "changed.csv")
    if how == "gone":
        place.delete("changed.csv")
    else:
        place.put("changed.csv", b"id\n2\n" if how == "same size" else b"id\n1\n2\n")
    with pytest.raises(FileChanged, match=r"changed\.csv: (was changed|is gone) since it was listed"):
        _read(store(place), file, way, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_not_two_versions_in_one(place: Place) -> None:
    place.put("long.csv", bytes(12_000_000))
    file = one(place, "long.csv")
    opened = store(place).open(file)
    assert len(opened.read(1_000_000)) == 1_000_000
    place.put("long.csv", b"\1" * 12_000_000)
    with pytest.raises(FileChanged):
        opened.read()


def test_thousands_of_files_are_all_listed(place: Place) -> None:
    names = [f"many/{i:04d}.csv" for i in range(place.many)]
    place.put_many(names)
    assert [file.uri for file in listed(place, "many/")] == [f"{place.root}/{name}" for name in names]


def test_a_place_that_is_not_there_is_no_empty_place(place: Place) -> None:
    settings = {"type": "files", "url": place.missing, **place.settings}
    with pytest.raises(ConnectError, match=r"nowhere.*(no such bucket|no such folder)") as refused:
        list(open_store(f"{place.missing}/", settings).list(f"{place.missing}/"))
    assert refused.value.exit_code == 3
    assert "\n" not in str(refused.value)


def test_a_store_travels_by_pickle_and_shows_no_secret(place: Place) -> None:
    place.put("pickled.csv", b"1")
    found = store(place)
    file = one(place, "pickled.csv")
    again = pickle.loads(pickle.dumps(found))
    assert again.open(file).read() == b"1"
    assert not any(str(secret) in repr(again) for secret in place.settings.values())


def test_wrong_keys_of_azure_are_said_to_be_wrong(azure: Azure) -> None:
    key = base64.b64encode(b"another key" * 4).decode()
    settings = {"type": "files", "url": azure.root, **azure.settings, "account_key": key}
    with pytest.raises(AuthenticationFailed, match="check the keys") as refused:
        list(open_store(f"{azure.root}/", settings).list(f"{azure.root}/"))
    assert key not in str(refused.value)
    with pytest.raises(ConfigError, match="settings are not taken"):
        list(open_store(f"{azure.root}/", {**settings, "account_key": "no base64!"}).list(f"{azure.root}/"))


def test_wrong_keys_of_s3_are_said_to_be_wrong(s3: S3) -> None:
    opened = store(s3)
    with s3.checked(), pytest.raises(AuthenticationFailed, match="InvalidAccessKeyId"):
        list(opened.list(f"{s3.root}/"))


def test_a_bucket_with_versions_gives_the_one_that_was_listed_or_none(s3: S3, tmp_path: Path) -> None:
    s3.client.create_bucket(Bucket="kept")
    s3.client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.client.put_object(Bucket="kept", Key="a.csv", Body=b"1")
    opened = open_store("s3://kept/", {"type": "files", "url": "s3://kept", **s3.settings})
    (file,) = opened.list("s3://kept/")
    s3.client.put_object(Bucket="kept", Key="a.csv", Body=b"2")
    with pytest.raises(FileChanged):
        opened.fetch(file, tmp_path)
    s3.client.delete_object(Bucket="kept", Key="a.csv")
    with pytest.raises(FileChanged, match="is gone"):
        opened.fetch(file, tmp_path)


def test_what_a_console_shows_as_a_folder_is_no_file(s3: S3) -> None:
    s3.put("shown/", b"")
    s3.put("shown/a.csv", b"1")
    assert [file.uri for file in listed(s3, "shown/")] == ["s3://dumps/shown/a.csv"]


def test_keys_of_the_profile_are_not_mixed_with_those_of_the_environment(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another login")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of another login")
    s3.put("mixed.csv", b"1")
    provider = _provider(s3)
    assert provider["access_key_id"] == "key-of-the-tests"
    assert provider["token"] is None
    assert one(s3, "mixed.csv").size == 1


def test_a_server_that_does_not_answer_is_one_line_and_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("el.dumps.stores.clients._RETRY", {"max_retries": 0})
    settings = {"endpoint": "http://127.0.0.1:1", "access_key_id": "k", "secret_access_key": "hidden-one"}
    for endpoint, why in (("http://127.0.0.1:1", "does not answer"), ("http://nowhere.invalid", "no such host")):
        told = {**settings, "type": "files", "url": "s3://b", "endpoint": endpoint}
        with pytest.raises(ServerUnreachable, match=why) as refused:
            list(open_store("s3://b/", told).list("s3://b/"))
        assert refused.value.retryable
        assert "hidden-one" not in str(refused.value)


def test_without_keys_the_identity_of_the_machine_is_taken(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("ambient.csv", b"1")
    settings = {"type": "files", "url": s3.root, "endpoint": s3.endpoint}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-machine")
    (file,) = open_store(f"{s3.root}/", settings).list(f"{s3.root}/ambient.csv")
    assert file.size == 1
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # Another entry of profiles.yml: the store of the first one is signed in.
    with pytest.raises(AuthenticationFailed, match="access_key_id"):
        list(open_store(f"{s3.root}/", {**settings, "region": "us-east-1"}).list(f"{s3.root}/"))


def test_an_unknown_bucket_is_told_as_missing(s3: S3) -> None:
    with pytest.raises(DatabaseMissing):
        list(open_store(f"{s3.missing}/", {"type": "files", "url": s3.missing, **s3.settings}).list(f"{s3.missing}/"))


def _provider(s3: S3) -> dict[str, str]:
    from el.config.files_profile import FilesConfig
    from el.dumps.stores.clients import _aws_identity

    found: dict[str, str] = _aws_identity(FilesConfig(url=s3.root, **s3.settings), "dumps")()
    return found


def _read(store: Store, file: FileVersion, way: str, folder: Path) -> None:
    if way == "fetch":
        store.fetch(file, folder)
    else:
        store.open(file).read()


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_files_in_an_archive_are_read_where_the_archive_is(place: Place, suffix: str, tmp_path: Path) -> None:
    files = {"a.csv": b"1", "in/b.csv": os.urandom(1_000_000)}
    place.put(f"archives/may{suffix}", packed(suffix, files))
    pattern = Pattern.parse(f"{place.root}/archives/*{suffix}!/**")
    found = files_of(store(place), pattern)
    fetched = {file.member: WithMembers(store(place)).fetch(file, tmp_path) for file in found}
    assert {name: each.path.read_bytes() for name, each in fetched.items()} == files
    place.put(f"archives/may{suffix}", packed(suffix, {**files, "c.csv": b"2"}))
    with pytest.raises(FileChanged):
        WithMembers(store(place)).fetch(found[0], tmp_path)


def test_of_a_large_zip_its_directory_alone_is_read_to_list_it(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("a", "b", "c"):
            archive.writestr(name, os.urandom(2_000_000))
    s3.put("large.zip", out.getvalue())
    asked = []
    real = ObjectStore._get

    def get(self: ObjectStore, file: FileVersion, begin: int, end: int) -> bytes:
        asked.append(end - begin)
        return real(self, file, begin, end)

    monkeypatch.setattr(ObjectStore, "_get", get)
    pattern = Pattern.parse(f"{s3.root}/large.zip!/*")
    assert [file.member for file in files_of(store(s3), pattern)] == ["a", "b", "c"]
    assert sum(asked) < 600_000


def listed_elsewhere(said: Connection, root: str, settings: dict[str, str]) -> None:
    try:
        said.send(len(list(open_store(f"{root}/", settings).list(f"{root}/forked/"))))
    except ConfigError as error:
        said.send(str(error))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_forked_process_does_not_wait_for_ever_and_a_new_one_reads(s3: S3, start: Literal["fork", "spawn"]) -> None:
    s3.put("forked/a.csv", b"1")
    assert len(listed(s3, "forked/")) == 1
    context = get_context(start)
    hears, says = context.Pipe(duplex=False)
    settings = {"type": "files", "url": s3.root, **s3.settings}
    process = context.Process(target=listed_elsewhere, args=(says, s3.root, settings))
    process.start()
    try:
        assert hears.poll(30), "it waits"
        found = hears.recv()
    finally:
        # Nobody waits for one that does.
        process.kill()
        process.join(10)
    assert found == 1 if start == "spawn" else "get_context" in found
