"""The encrypted store: who reads a value, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from el.errors import ConfigError, SecretUnavailable
from el.secrets.recipients import wrap
from el.secrets.sealing import new_key, open_value, seal_value, section_seal
from el.secrets.store import read_secret

OWN = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()


def section(key: bytes, password: str, user: str = "el") -> dict[str, Any]:
    made: dict[str, Any] = {
        "recipients": {"owner": {str(OWN.to_public()): wrap(key, str(OWN.to_public()), "shop.prod")}},
        "values": {
            "password": {"set": "2026-11-28", "sealed": seal_value(key, "shop.prod.password", password)},
            "user": {"set": "2026-11-28", "sealed": seal_value(key, "shop.prod.user", user)},
        },
    }
    made["seal"] = section_seal(key, "shop.prod", made)
    return made


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], Path]:
    store = tmp_path / "repo" / "secrets.yml"
    store.parent.mkdir()
    monkeypatch.setenv("EL_SECRETS", str(store))
    monkeypatch.setenv("EL_IDENTITY", str(OWN))

    def put(made: dict[str, Any]) -> Path:
        with store.open("w") as file:
            YAML(typ="safe").dump({"version": 1, "connections": {"shop.prod": made}}, file)
        return store

    return put


def test_a_recipient_reads_the_value(write: Callable[[dict[str, Any]], Path]) -> None:
    store = write(section(new_key(), "Tür€ 1"))
    assert read_secret("shop.prod.password") == "Tür€ 1"
    assert "Tür€" not in store.read_text()


def test_who_is_no_recipient_cannot_read_it(
    write: Callable[[dict[str, Any]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(section(new_key(), "p"))
    monkeypatch.setenv("EL_IDENTITY", str(OTHER))
    with pytest.raises(SecretUnavailable, match=r"no recipient of shop\.prod"):
        read_secret("shop.prod.password")


@settings(max_examples=30, deadline=None)
@given(value=st.text(), place=st.text(min_size=1).filter(lambda place: place != "a.b.c"), cut=st.integers(min_value=1))
def test_a_ciphertext_that_is_moved_or_cut_or_of_another_key_is_refused(value: str, place: str, cut: int) -> None:
    place = place.encode("utf-8", "ignore").decode()
    key = new_key()
    value = value.encode("utf-8", "ignore").decode()
    text = seal_value(key, "a.b.c", value)
    assert open_value(key, "a.b.c", text) == value
    for key_of, path, sealed in (
        (key, place, text),
        (new_key(), "a.b.c", text),
        (key, "a.b.c", text[: -(cut % len(text) or 1)]),
    ):
        with pytest.raises(SecretUnavailable):
            open_value(key_of, path, sealed)


@pytest.mark.parametrize("change", ["replayed", "swapped", "dropped", "recipient"])
def test_a_section_that_is_not_as_it_was_sealed_is_refused(
    change: str, write: Callable[[dict[str, Any]], Path]
) -> None:
    key = new_key()
    old, now = section(key, "old"), section(key, "new")
    made = copy.deepcopy(now)
    if change == "replayed":
        made["values"]["password"] = old["values"]["password"]
    elif change == "swapped":
        made["values"] = {"password": now["values"]["user"], "user": now["values"]["password"]}
    elif change == "dropped":
        del made["values"]["user"]
    else:
        made["recipients"]["staging"] = {str(OTHER.to_public()): wrap(key, str(OTHER.to_public()), "shop.prod")}
    write(made)
    with pytest.raises(SecretUnavailable):
        read_secret("shop.prod.password")


@pytest.mark.parametrize(("mode", "beside", "says"), [(0o640, False, "chmod 600"), (0o600, True, "beside the store")])
def test_an_identity_that_others_may_read_or_that_is_beside_the_store_is_refused(
    mode: int,
    beside: bool,
    says: str,
    write: Callable[[dict[str, Any]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = write(section(new_key(), "p"))
    identity = (store.parent if beside else tmp_path) / "identity"
    identity.write_text(str(OWN))
    identity.chmod(mode)
    monkeypatch.setenv("EL_IDENTITY", str(identity))
    with pytest.raises(ConfigError, match=says):
        read_secret("shop.prod.password")
    identity.chmod(0o600)
    if not beside:
        assert read_secret("shop.prod.password") == "p"
