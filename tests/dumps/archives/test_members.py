"""Files in archives: each is listed, read whole or refused, and never written where its name says."""

from __future__ import annotations

import hashlib
import io
import shutil
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from el.dumps.archives.members import WithMembers, archive_of, members_of
from el.dumps.file_version import FileVersion
from el.dumps.pattern import ARCHIVES, Pattern
from el.dumps.stores.base import Store
from el.dumps.stores.local import LocalStore
from el.errors import DriverMissing, FileChanged, RecordRefused
from tests.dumps.test_compression import KINDS

FILES = {"a.csv": b"id\n1\n", "in/b.csv": b"id\n" + b"2\n" * 200_000, "in/empty.csv": b"", "é x.csv": b"3"}


def packed(name: str, files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.mkdir("in")
            for path, data in files.items():
                archive.writestr(path, data)
    elif name.endswith(".7z"):
        py7zr = pytest.importorskip("py7zr", reason="py7zr is not installed: pip install 'el-loader[sevenzip]'")
        with py7zr.SevenZipFile(out, "w") as seven:
            for path, data in files.items():
                seven.writef(io.BytesIO(data), path)
    else:
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path, data in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        plain = name.endswith(".tar")
        suffix = ".gz" if name.endswith(".tgz") else name[name.rindex(".") :]
        return out.getvalue() if plain else KINDS[suffix](out.getvalue())
    return out.getvalue()


def files_of(store: Store, pattern: Pattern) -> list[FileVersion]:
    """The files in archives that a pattern means."""
    archives = [file for file in store.list(pattern.prefix) if pattern.takes(file.uri)]
    return [file for archive in archives for file in members_of(store, archive) if pattern.match(file) is not None]


def listed(folder: Path, pattern: str) -> list[FileVersion]:
    return files_of(LocalStore(), Pattern.parse(f"file://{folder}/{pattern}"))


def take(folder: Path, pattern: str) -> None:
    for file in listed(folder, pattern):
        WithMembers(LocalStore()).fetch(file, folder)


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_each_file_of_an_archive_is_listed_and_read(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"may{suffix}").write_bytes(packed(f"may{suffix}", FILES))
    (tmp_path / "into").mkdir()
    found = listed(tmp_path, f"*{suffix}!/**")
    assert {file.member: file.size for file in found} == {name: len(data) for name, data in FILES.items()}
    store = WithMembers(LocalStore())
    for file in found:
        data = FILES[file.member or ""]
        fetched = store.fetch(file, tmp_path / "into")
        assert fetched.path.parent == tmp_path / "into"
        assert fetched.path.read_bytes() == data
        assert fetched.sha256 == hashlib.sha256(data).hexdigest()
        assert store.open(file).read() == data
    assert [file.member for file in listed(tmp_path, f"*{suffix}!/in/*.csv")] == ["in/b.csv", "in/empty.csv"]


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_an_archive_that_is_cut_off_is_refused_by_its_name(tmp_path: Path, suffix: str) -> None:
    whole = packed(f"may{suffix}", FILES)
    cuts = {len(whole) // 2, 700, 100, 0} if suffix == ".tar" else {len(whole) - 1, len(whole) // 2, 0}
    for size in cuts:
        (tmp_path / f"may{suffix}").write_bytes(whole[:size])
        with pytest.raises(RecordRefused, match="may"):
            take(tmp_path, f"*{suffix}!/**")


def test_a_tar_that_is_cut_between_two_files_is_not_a_shorter_one(tmp_path: Path) -> None:
    whole = packed("a.tar", {"1.csv": b"1", "2.csv": b"2"})
    for cut in (whole[:1024], whole[:1024] + b"\1" * 512 + whole[1536:]):
        (tmp_path / "a.tar").write_bytes(cut)
        with pytest.raises(RecordRefused, match="no mark of its end"):
            listed(tmp_path, "a.tar!/*")


def test_a_file_in_a_zip_with_another_checksum_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed("a.zip", {"a.csv": b"id\n1\n"}))
    at = data.rindex(b"PK\x01\x02") + 16
    data[at : at + 4] = struct.pack("<I", 1)
    (tmp_path / "a.zip").write_bytes(data)
    (file,) = listed(tmp_path, "a.zip!/*")
    with pytest.raises(RecordRefused, match=r"a\.zip!/a\.csv.*CRC"):
        WithMembers(LocalStore()).fetch(file, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_a_path_that_leads_out_of_an_archive_is_a_name_only(tmp_path: Path, suffix: str) -> None:
    names = {"../../evil.csv": b"1", "/etc/evil.csv": b"2"}
    (tmp_path / f"a{suffix}").write_bytes(packed(f"a{suffix}", names))
    (tmp_path / "into").mkdir()
    for file in listed(tmp_path, f"a{suffix}!/**"):
        assert WithMembers(LocalStore()).fetch(file, tmp_path / "into").path.parent == tmp_path / "into"
    assert not list(tmp_path.rglob("evil.csv"))


def test_a_file_that_stays_as_it_is_keeps_its_version_in_a_zip_with_further_files(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed("a.zip", {"1.csv": b"1"}))
    (before,) = listed(tmp_path, "a.zip!/*")
    (tmp_path / "a.zip").write_bytes(packed("a.zip", {"2.csv": b"2", "1.csv": b"1"}))
    after = {file.member: file for file in listed(tmp_path, "a.zip!/*")}
    assert after["1.csv"] == before or after["1.csv"].version == before.version
    with pytest.raises(FileChanged):
        WithMembers(LocalStore()).fetch(before, tmp_path)


@pytest.mark.parametrize("way", ["encrypted", "link", "twice"])
def test_a_file_that_cannot_be_read_out_of_an_archive_is_said(tmp_path: Path, way: str) -> None:
    make, name, why = ODD[way]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(RecordRefused, match=why):
        take(tmp_path, f"{name}!/*")


def encrypted() -> bytes:
    data = bytearray(packed("a.zip", {"a.csv": b"1"}))
    for begin, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(begin) + at] |= 1
    return bytes(data)


def link() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("a.csv")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    return out.getvalue()


def twice() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.csv", b"2")
    return out.getvalue()


ODD: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "encrypted": (encrypted, "a.zip", "encrypted with a password"),
    "link": (link, "a.tar", "it is a link"),
    "twice": (twice, "a.zip", "two files of this name"),
}


def test_every_suffix_of_a_pattern_has_its_archive() -> None:
    assert [type(archive_of(f"A{suffix.upper()}")).__name__ for suffix in ARCHIVES] == ["Zip", "SevenZip", *["Tar"] * 6]


def test_without_its_library_7z_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.7z").write_bytes(b"7z")
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with pytest.raises(DriverMissing, match=r'pip install "el-loader\[sevenzip\]"'):
        listed(tmp_path, "a.7z!/*")


class Counting(LocalStore):
    opened = 0

    def open(self, file: FileVersion) -> BinaryIO:
        self.opened += 1
        return super().open(file)


def test_a_compressed_tar_is_unpacked_once_for_all_of_its_files(tmp_path: Path) -> None:
    files = {f"{i}.csv": f"id\n{i}\n".encode() * (i + 1) for i in range(20)}
    (tmp_path / "a.tar.gz").write_bytes(packed("a.tar.gz", {**files, "other.txt": b"not wanted"}))
    found = listed(tmp_path, "a.tar.gz!/*.csv")
    store = Counting()
    (tmp_path / "work").mkdir()
    for file in reversed(found):
        (tmp_path / "work/task").mkdir()
        fetched = WithMembers(store).fetch(file, tmp_path / "work/task")
        assert fetched.path.read_bytes() == files[file.member or ""]
        assert fetched.sha256 == hashlib.sha256(fetched.path.read_bytes()).hexdigest()
        shutil.rmtree(tmp_path / "work/task")
    assert store.opened == 2
    # What a run left beside its files went with its folder.
    shutil.rmtree(tmp_path / "work")
    (tmp_path / "work").mkdir()
    # Once more the same one, as after a failure: it is read alone.
    assert WithMembers(store).fetch(found[0], tmp_path / "work").path.read_bytes() == files["0.csv"]
    assert store.opened == 3


def test_where_a_tar_does_not_fit_on_the_disk_its_files_are_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{i}.csv": bytes([i]) * 100 for i in range(4)}
    (tmp_path / "a.tar.gz").write_bytes(packed("a.tar.gz", files))
    found = listed(tmp_path, "a.tar.gz!/*.csv")

    def no_room(folder: Path, size: int, file: FileVersion) -> None:
        raise RecordRefused("no room")

    monkeypatch.setattr("el.dumps.archives.spool.refuse_without_room", no_room)
    (tmp_path / "work/task").mkdir(parents=True)
    fetched = [WithMembers(LocalStore()).fetch(file, tmp_path / "work/task") for file in found]
    assert [each.path.read_bytes() for each in fetched] == list(files.values())
    assert [each.name for each in (tmp_path / "work").iterdir()] == ["task"]
