"""Where the identity may be that opens the store, and which are refused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pyrage
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from el.errors import ConfigError, SecretUnavailable
from el.secrets.hidden import hidden
from el.secrets.identity import find_identity, read_identity
from el.secrets.new_identity import make_identity
from el.secrets.references import forget

OWN = str(pyrage.x25519.Identity.generate())
# As age-keygen writes it.
KEYGEN = f"# created: 2026-11-28T08:00:00Z\n# public key: {pyrage.x25519.Identity.from_str(OWN).to_public()}\n{OWN}\n"


class InMemory(KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.kept = {("el", "identity"): OWN, ("el", "other"): "hunter2-hunter2"}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


@pytest.fixture
def _own_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    forget()
    keyring.set_keyring(InMemory())
    yield
    keyring.set_keyring(before)
    forget()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of a project in a folder of its own, and nobody's identity."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EL_IDENTITY", raising=False)
    path = tmp_path / "project" / "conf" / "secrets.yml"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write an identity to a file, and name it."""

    def written(path: Path, text: str | bytes = KEYGEN, mode: int = 0o600) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        monkeypatch.setenv("EL_IDENTITY", str(path))
        return path

    return written


def git(*arguments: str, cwd: Path) -> None:
    own = ["-c", "user.name=el", "-c", "user.email=el@example.com"]
    subprocess.run(["git", *own, *arguments], cwd=cwd, check=True, capture_output=True, timeout=30)


def test_an_identity_is_a_value_or_a_file_as_age_keygen_makes_it(
    store: Path, put: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_identity(store) is None
    for text in (KEYGEN, OWN, KEYGEN.replace("\n", "\r\n"), b"\xef\xbb\xbf" + KEYGEN.encode()):
        put(tmp_path / "home" / "own", text)
        assert find_identity(store) == OWN
    monkeypatch.setenv("EL_IDENTITY", "~/own")
    assert find_identity(store) == OWN
    for text in (OWN, f" {OWN}\n", KEYGEN):
        monkeypatch.setenv("EL_IDENTITY", text)
        assert find_identity(store) == OWN
    assert hidden(f"no: {OWN}") == "no: ***"


def test_a_user_without_a_home_has_none_and_that_is_no_defect(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("EL_IDENTITY", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert find_identity(store) is None
    with pytest.raises(ConfigError, match="no home"):
        read_identity(store)


def test_without_a_word_it_is_the_file_in_the_home_folder(store: Path, tmp_path: Path) -> None:
    identity, place = make_identity(store)
    assert place == str(tmp_path / "home/.config/el/identity")
    assert find_identity(store) == identity


@pytest.mark.usefixtures("_own_keyring")
def test_the_operating_systems_keyring_may_have_it(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_IDENTITY", "keyring:el/identity")
    assert find_identity(store) == OWN
    monkeypatch.setenv("EL_IDENTITY", "keyring:el/other")
    with pytest.raises(ConfigError, match=r"^keyring:el/other: it has to hold one age identity") as caught:
        find_identity(store)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("EL_IDENTITY", "keyring:el/nobody")
    with pytest.raises(SecretUnavailable, match="no password of nobody for el"):
        find_identity(store)
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    forget()
    monkeypatch.setenv("EL_IDENTITY", "keyring:el/identity")
    with pytest.raises(SecretUnavailable, match="this machine has no keyring"):
        find_identity(store)


@pytest.mark.usefixtures("_own_keyring")
def test_an_identity_that_is_made_for_the_keyring_is_found_there(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.get_keyring().kept.clear()  # type: ignore[attr-defined]
    identity, place = make_identity(store, in_keyring=True)
    assert identity != OWN
    monkeypatch.setenv("EL_IDENTITY", place.partition("EL_IDENTITY=")[2])
    assert find_identity(store) == identity


@pytest.mark.parametrize("given", ["keyring:el", "secret:shop.prod.identity", "op:x"])
def test_what_only_begins_as_a_reference_and_the_store_itself_are_refused(
    given: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_IDENTITY", given)
    with pytest.raises(ConfigError, match="EL_IDENTITY: begins like a reference"):
        find_identity(store)


@pytest.mark.parametrize(
    "given",
    [OWN.lower(), f'"{OWN}"', f"{OWN}\n{OWN}", f"x {OWN}"],
    ids=["in small letters", "in quotes", "two of them", "behind something"],
)
def test_an_identity_that_is_not_as_age_wrote_it_is_refused_and_not_shown(
    given: str, store: Path, put: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_IDENTITY", given)
    with pytest.raises(ConfigError, match="EL_IDENTITY: it has to hold one age identity") as caught:
        find_identity(store)
    assert OWN[20:40] not in str(caught.value).upper()
    put(tmp_path / "home" / "own", given)
    with pytest.raises(ConfigError, match="own: it has to hold one age identity") as caught:
        find_identity(store)
    assert OWN[20:40] not in str(caught.value).upper()


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"\xff\xfe\x00A\x00", KEYGEN.encode("utf-16")])
def test_a_file_that_holds_none_is_refused(data: bytes, store: Path, put: Callable[..., Path], tmp_path: Path) -> None:
    put(tmp_path / "home" / "own", data)
    with pytest.raises(ConfigError, match="own: it has to hold one age identity"):
        find_identity(store)


@pytest.mark.parametrize("mode", [0o601, 0o604, 0o610, 0o640, 0o644, 0o666])
def test_a_file_that_others_may_read_is_refused(
    mode: int, store: Path, put: Callable[..., Path], tmp_path: Path
) -> None:
    put(tmp_path / "home" / "own", mode=mode)
    with pytest.raises(ConfigError, match=f"mode {mode:o}.*chmod 600"):
        find_identity(store)


@pytest.mark.parametrize("where", ["conf/identity", "identity", "conf/keys/identity", ".el/identity"])
@pytest.mark.parametrize("repository", [True, False])
def test_an_identity_in_the_stores_repository_or_below_its_folder_is_refused(
    where: str, repository: bool, store: Path, put: Callable[..., Path]
) -> None:
    root = store.parent.parent
    if repository:
        git("init", "-q", cwd=root)
    put(root / where)
    if repository or where.startswith("conf/"):
        with pytest.raises(ConfigError, match=r"beside the store .*must not be committed"):
            read_identity(store)
    else:
        assert read_identity(store) == OWN


def test_an_identity_in_another_working_tree_of_the_repository_is_refused(
    store: Path, put: Callable[..., Path], tmp_path: Path
) -> None:
    root = store.parent.parent
    git("init", "-q", cwd=root)
    git("add", "-A", cwd=root)
    git("commit", "-qm", "store", cwd=root)
    git("worktree", "add", "-q", str(tmp_path / "further"), cwd=root)
    put(tmp_path / "further" / "identity")
    for one in (store, tmp_path / "further" / "conf" / "secrets.yml"):
        with pytest.raises(ConfigError, match="beside the store"):
            read_identity(one)
    put(root / "identity")
    with pytest.raises(ConfigError, match="beside the store"):
        read_identity(tmp_path / "further" / "conf" / "secrets.yml")


def test_an_identity_in_another_repository_around_or_beside_is_taken(
    store: Path, put: Callable[..., Path], tmp_path: Path
) -> None:
    git("init", "-q", cwd=store.parent.parent)
    # The home folder of some people is a repository, and theirs is not the one that the store is in.
    git("init", "-q", cwd=tmp_path)
    put(tmp_path / "identity")
    assert read_identity(store) == OWN
    shutil.rmtree(store.parent.parent / ".git")
    with pytest.raises(ConfigError, match="beside the store"):
        read_identity(store)


def test_a_link_to_a_file_elsewhere_is_as_the_file(store: Path, put: Callable[..., Path], tmp_path: Path) -> None:
    there, link = put(tmp_path / "home" / "own"), store.parent / "identity"
    link.symlink_to(there)
    assert read_identity(store) == OWN
    inside = put(store.parent / "inside")
    (tmp_path / "home" / "link").symlink_to(inside)
    with pytest.raises(ConfigError, match="beside the store"):
        read_identity(store)


def test_no_identity_is_made_where_it_could_be_committed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(store.parent))
    with pytest.raises(ConfigError, match="beside the store"):
        make_identity(store)
    assert not (store.parent / ".config").exists()


@pytest.mark.usefixtures("_own_keyring")
def test_an_identity_that_the_keyring_has_is_never_written_over(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EL_IDENTITY", raising=False)
    monkeypatch.setenv("HOME", str(store.parent.parent / "home"))
    identity, place = make_identity(store, in_keyring=True)
    assert make_identity(store, in_keyring=True) == (identity, place)


@pytest.mark.skipif(os.name == "nt", reason="no such limit")
def test_a_full_disk_leaves_no_piece_of_an_identity(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.delenv("EL_IDENTITY", raising=False)
    monkeypatch.setenv("HOME", str(store.parent.parent / "home"))
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        with pytest.raises(ConfigError, match="it cannot be made: File too large"):
            make_identity(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert make_identity(store)[1].endswith("identity")
