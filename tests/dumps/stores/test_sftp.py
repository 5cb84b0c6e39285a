"""Files by SFTP: who the server is comes first, then who reads; each refusal is one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
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
    ConnectError,
    DriverMissing,
    ServerUnreachable,
)
from tests.servers.sftp import PASSWORD, Sftp


def store(sftp: Sftp, settings: Mapping[str, Any], url: str | None = None) -> Store:
    told = {name: value for name, value in {**sftp.settings, **settings}.items() if value is not None}
    place = url or sftp.root
    return open_store(f"{place}/", {"type": "files", "url": place, **told})


def listed(sftp: Sftp, settings: Mapping[str, Any]) -> list[FileVersion]:
    return list(store(sftp, settings).list(f"{sftp.root}/"))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without keys and known hosts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def test_a_server_whose_key_is_not_known_gets_no_login(sftp: Sftp) -> None:
    before = len(sftp.logins)
    with pytest.raises(CertificateUntrusted, match=r"key is not known: it shows ssh-ed25519 SHA256:\S{43};"):
        listed(sftp, {"host_key": None})
    assert len(sftp.logins) == before


def test_a_server_with_another_key_than_the_known_one_gets_no_login(sftp: Sftp, tmp_path: Path) -> None:
    import asyncssh

    before = len(sftp.logins)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(CertificateUntrusted, match="another one than the one that is known"):
        listed(sftp, {"host_key": other})
    known = tmp_path / "known"
    known.write_text(f"{sftp.known_as} {other}")
    with pytest.raises(CertificateUntrusted, match="another one"):
        listed(sftp, {"host_key": None, "known_hosts": str(known)})
    assert len(sftp.logins) == before


def test_a_server_that_stands_in_known_hosts_is_known(sftp: Sftp, tmp_path: Path) -> None:
    sftp.put("known.csv", b"1")
    (tmp_path / "hosts").write_text(f"{sftp.known_as} {sftp.host_key}\n")
    assert listed(sftp, {"host_key": None, "known_hosts": str(tmp_path / "hosts")})
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "hosts").rename(tmp_path / ".ssh/known_hosts")
    assert listed(sftp, {"host_key": None, "region": "another entry of the same place"})


def test_a_private_key_signs_in(sftp: Sftp) -> None:
    sftp.put("key.csv", b"1")
    assert listed(sftp, {"password": None, "private_key_path": str(sftp.client_key)})


@pytest.mark.parametrize(
    ("settings", "kind", "why"),
    [
        ({"password": "not this one"}, AuthenticationFailed, "the login of reader was refused"),
        ({"password": None}, AuthenticationFailed, "set `password` or `private_key_path`"),
        ({"user": None}, ConfigError, "`user` is missing"),
        ({"host_key": "ssh-ed25519"}, ConfigError, "`host_key` is a line such as"),
        ({"host_key": None, "known_hosts": "/nowhere"}, ConfigError, "there is no file /nowhere"),
        ({"password": None, "private_key_path": "/nowhere"}, ConfigError, "there is no file /nowhere"),
        ({"password": None, "private_key_path": __file__}, ConfigError, "no private key that can be read"),
    ],
)
def test_a_refusal_is_one_line_of_its_kind(
    sftp: Sftp, settings: dict[str, Any], kind: type[Exception], why: str
) -> None:
    with pytest.raises(kind, match=why) as refused:
        listed(sftp, settings)
    assert PASSWORD not in str(refused.value)
    assert str(settings.get("password") or "-- none --") not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "why"), [("sftp://127.0.0.1:1", "does not answer"), ("sftp://nowhere.invalid", "no such host")]
)
def test_a_server_that_does_not_answer_may_be_tried_again(sftp: Sftp, url: str, why: str) -> None:
    with pytest.raises(ServerUnreachable, match=why) as refused:
        list(store(sftp, {}, url).list(f"{url}/"))
    assert refused.value.retryable


def test_a_login_is_given_to_no_other_server(sftp: Sftp) -> None:
    with pytest.raises(ConfigError, match="another server"):
        open_store("sftp://elsewhere/a.csv", {"type": "files", "url": sftp.root, **sftp.settings})


def test_a_connection_that_was_cut_is_made_again(sftp: Sftp, tmp_path: Path) -> None:
    sftp.put("cut.csv", b"1")
    found = store(sftp, {})
    (file,) = found.list(f"{sftp.root}/cut.csv")
    client: Any = found._opened()  # type: ignore[attr-defined]
    client.get_channel().get_transport().close()
    assert found.fetch(file, tmp_path).path.read_bytes() == b"1"


def test_links_are_followed_but_not_in_a_circle(sftp: Sftp) -> None:
    sftp.put("links/a/1.csv", b"1")
    folder = sftp.folder / "data/links"
    for name, target in {"b": "a", "a/round": "..", "one.csv": "a/1.csv", "gone.csv": "away"}.items():
        os.symlink(target, folder / name)
    names = [file.uri.removeprefix(f"{sftp.root}/links/") for file in store(sftp, {}).list(f"{sftp.root}/links/")]
    assert names == ["a/1.csv", "b/1.csv", "one.csv"]


def test_a_folder_that_is_not_there_is_no_empty_folder(sftp: Sftp) -> None:
    with pytest.raises(ConnectError, match="no such folder"):
        list(store(sftp, {}).list(f"{sftp.root}/away/a"))


def test_without_its_library_it_says_what_to_install(sftp: Sftp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(DriverMissing, match=r'pip install "el-loader\[sftp\]"'):
        listed(sftp, {"region": "an entry that has no connection yet"})
