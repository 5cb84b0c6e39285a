"""Files on this machine: listed by a prefix, read as the version that was listed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from el.dumps.stores.local import LocalStore
from el.errors import ConnectError, FileChanged


def test_files_that_begin_with_the_prefix_are_listed_in_the_order_of_their_uris(tmp_path: Path) -> None:
    for name in ("b/orders_2.csv", "b/orders_1.csv", "b/lines_1.csv", "b/orders_old/3.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    listed = [file.uri for file in LocalStore().list(f"file://{tmp_path}/b/orders_")]
    assert listed == [f"file://{tmp_path}/b/orders_{name}" for name in ("1.csv", "2.csv", "old/3.csv")]


def test_a_folder_that_is_not_there_is_no_folder_without_files(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="no such folder"):
        list(LocalStore().list(f"file://{tmp_path}/away/orders_"))


def test_a_fetched_file_is_a_copy_with_the_hash_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\r\n1\r\n")
    (file,) = LocalStore().list(f"file://{tmp_path}/a")
    (tmp_path / "into").mkdir()
    fetched = LocalStore().fetch(file, tmp_path / "into")
    assert fetched.path.read_bytes() == b"id\r\n1\r\n"
    assert fetched.sha256 == hashlib.sha256(b"id\r\n1\r\n").hexdigest()


@pytest.mark.parametrize("how", ["written", "gone"])
def test_a_file_that_is_another_one_since_it_was_listed_is_not_read(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id\n1\n")
    (file,) = LocalStore().list(f"file://{path}")
    if how == "gone":
        path.unlink()
    else:
        path.write_text("id\n2\n")
        os.utime(path, ns=(1, 1))
    with pytest.raises(FileChanged):
        LocalStore().open(file)
