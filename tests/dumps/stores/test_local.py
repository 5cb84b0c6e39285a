"""Files on this machine: what a folder can hold besides plain files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from el.dumps.stores.local import LocalStore
from el.errors import ConnectError, PlanError


def names(folder: Path, prefix: str = "") -> list[str]:
    root = f"file://{folder}/"
    return [file.uri.removeprefix(root) for file in LocalStore().list(root + prefix)]


def test_links_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.csv").write_text("1")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "a")
    (tmp_path / "a/round").symlink_to(tmp_path)
    (tmp_path / "one.csv").symlink_to(tmp_path / "a/1.csv")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "gone")
    assert names(tmp_path) == ["a/1.csv", "elsewhere/1.csv", "one.csv"]


def test_what_is_no_file_is_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "a.csv").write_text("1")
    assert names(tmp_path) == ["a.csv"]


def test_a_name_that_is_not_utf_8_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.csv")).write_text("1")
    (tmp_path / "a.csv").write_text("1")
    assert names(tmp_path, "a") == ["a.csv"]
    with pytest.raises(PlanError, match=r"b\\xff\.csv: the name is not UTF-8"):
        names(tmp_path)


def test_a_folder_that_is_not_there_is_no_folder_without_files(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="no such folder"):
        names(tmp_path / "away")


def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(ConnectError, match="closed: this user may not read it"):
        names(tmp_path)
