"""Changes of the encrypted store: who can read what after them, and what a kill or another writer can do."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.errors import AccessDenied, ConfigError, SecretUnavailable
from el.secrets import section
from el.secrets.document import changed, create_document, read_document
from el.secrets.keeping import Keeper
from el.secrets.sealing import new_key, open_value
from el.secrets.section import add_recipient, new_section, open_key, put, remove_recipient, seal
from el.secrets.store import read_secret
from tests.forked import context

PEOPLE = {name: pyrage.x25519.Identity.generate() for name in ("ann", "ben", "cem")}
PATHS = ("shop.prod.password", "shop.prod.private_key", "lake.dev.token")


def age(name: str) -> str:
    return str(PEOPLE[name].to_public())


def keeper(store: Path, name: str = "ann", agree: bool = True) -> Keeper:
    return Keeper(store, str(PEOPLE[name]), lambda connection, others: agree)


def reads(name: str, path: str) -> str | None:
    """What this person reads; None: it is refused, or not there."""
    before = os.environ.get("EL_IDENTITY")
    os.environ["EL_IDENTITY"] = str(PEOPLE[name])
    try:
        return read_secret(path)
    except SecretUnavailable:
        return None
    finally:
        os.environ.pop("EL_IDENTITY") if before is None else os.environ.update(EL_IDENTITY=before)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "secrets.yml"
    monkeypatch.setenv("EL_SECRETS", str(place))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    create_document(place)
    return place


def test_a_value_is_read_by_those_to_whom_it_was_granted_and_by_nobody_else(store: Path) -> None:
    keeper(store).put("shop.prod.password", "Tür€ 1")
    assert [reads(name, "shop.prod.password") for name in PEOPLE] == ["Tür€ 1", None, None]
    keeper(store).grant("engineer", age("ben"), ["shop.prod"])
    assert [reads(name, "shop.prod.password") for name in PEOPLE] == ["Tür€ 1", "Tür€ 1", None]
    assert "Tür€" not in store.read_text()


def test_a_revoked_recipient_reads_nothing_any_more_and_what_it_has_seen_is_named(store: Path) -> None:
    keeper(store).put("shop.prod.password", "p")
    keeper(store).put("shop.prod.user", "u")
    keeper(store).grant("engineer", age("ben"), ["shop.prod"])
    old = read_document(store).sections["shop.prod"]["recipients"]["engineer"][age("ben")]
    assert keeper(store).revoke(age("ben"), ["shop.prod"]) == ["shop.prod.password", "shop.prod.user"]
    assert [reads(name, "shop.prod.password") for name in PEOPLE] == ["p", None, None]
    # The key that it may have kept opens nothing of what is there now.
    with changed(store) as document:
        document.sections["shop.prod"]["recipients"]["engineer"] = {age("ben"): old}
    assert reads("ben", "shop.prod.password") is None


@pytest.mark.parametrize("role", ["engineer", "staging"])
def test_only_an_owner_says_who_can_read_and_staging_sets_nothing(store: Path, role: str) -> None:
    keeper(store).put("shop.prod.password", "p")
    keeper(store).grant(role, age("ben"), ["shop.prod"])
    before = store.read_bytes()
    for change in (
        lambda: keeper(store, "ben").grant("owner", age("cem"), ["shop.prod"]),
        lambda: keeper(store, "ben").revoke(age("ann"), ["shop.prod"]),
        lambda: keeper(store, "ben").rotate(["shop.prod"]),
    ):
        with pytest.raises(AccessDenied, match="no owner of it"):
            change()
    if role == "staging":
        with pytest.raises(AccessDenied, match="no owner or engineer of it"):
            keeper(store, "ben").put("shop.prod.password", "x")
    with pytest.raises(SecretUnavailable, match=r"no recipient of shop\.prod"):
        keeper(store, "cem").put("shop.prod.password", "x")
    assert store.read_bytes() == before
    if role == "engineer":
        keeper(store, "ben").put("shop.prod.password", "new")
        assert reads("ann", "shop.prod.password") == "new"


def test_the_last_owner_stays(store: Path) -> None:
    keeper(store).put("shop.prod.password", "p")
    with pytest.raises(ConfigError, match="its only owner"):
        keeper(store).revoke(age("ann"), ["shop.prod"])
    with pytest.raises(ConfigError, match="its only owner"):
        keeper(store).grant("staging", age("ann"), ["shop.prod"])
    keeper(store).grant("owner", age("ben"), ["shop.prod"])
    keeper(store).revoke(age("ann"), ["shop.prod"])
    assert [reads(name, "shop.prod.password") for name in PEOPLE] == [None, "p", None]


def test_rotation_of_many_connections_is_of_all_or_of_none(store: Path) -> None:
    for path in PATHS:
        keeper(store).put(path, path)
    keeper(store, "cem").put("other.prod.password", "o")
    before = store.read_bytes()
    with pytest.raises(SecretUnavailable, match=r"other\.prod"):
        keeper(store).rotate(["shop.prod", "lake.dev", "other.prod"])
    assert store.read_bytes() == before
    keeper(store).rotate(["shop.prod", "lake.dev"])
    after = read_document(store).sections
    assert [reads("ann", path) for path in PATHS] == list(PATHS)
    old = {line for line in before.decode().splitlines() if "sealed" in line or "seal:" in line}
    kept = {line for line in store.read_text().splitlines() if line in old}
    # Those of the connection that was not rotated.
    assert len(kept) == 2
    assert reads("cem", "other.prod.password") == "o"
    assert str(after["shop.prod"]["keyed"])


def test_a_new_connection_is_read_by_its_setter_alone_or_as_another_one_is(store: Path) -> None:
    keeper(store).put("shop.prod.password", "p")
    keeper(store).grant("engineer", age("ben"), ["shop.prod"])
    keeper(store).put("lake.prod.password", "l")
    keeper(store).put("pond.prod.password", "w", like="shop.prod")
    assert [reads("ben", f"{name}.prod.password") for name in ("lake", "pond")] == [None, "w"]


def test_a_new_connections_key_is_wrapped_once_for_each_recipient(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a KMS each is a request."""
    keeper(store).put("shop.prod.password", "p")
    keeper(store).grant("engineer", age("ben"), ["shop.prod"])
    wrap, asked = section.wrap, []
    monkeypatch.setattr(section, "wrap", lambda *given: (asked.append(given[1]), wrap(*given))[1])
    keeper(store).put("pond.prod.password", "w", like="shop.prod")
    assert sorted(asked) == sorted([age("ann"), age("ben")])


def test_comments_and_order_of_the_file_stay(store: Path) -> None:
    keeper(store).put("shop.prod.password", "p")
    text = store.read_text().replace("  shop.prod:", "  # The shop's own server.\n  shop.prod:  # DBA: Ann")
    store.write_text(text)
    keeper(store).put("shop.prod.user", "u")
    keeper(store).rotate(["shop.prod"])
    assert "# The shop's own server." in store.read_text()
    assert "# DBA: Ann" in store.read_text()
    assert reads("ann", "shop.prod.user") == "u"


def test_who_sets_a_value_is_asked_about_recipients_that_were_put_there_by_others(store: Path) -> None:
    keeper(store).put("shop.prod.password", "p")
    # Whoever may write the file makes a whole part of their own, which the owner can read and they can too.
    fake = store.with_name("fake.yml")
    create_document(fake)
    keeper(fake, "cem").put("shop.prod.password", "bait")
    keeper(fake, "cem").grant("owner", age("ann"), ["shop.prod"])
    store.write_bytes(fake.read_bytes())
    before = store.read_bytes()
    asked = []

    def no(connection: str, others: object) -> bool:
        asked.append((connection, others))
        return False

    with pytest.raises(ConfigError, match="not agreed to"):
        Keeper(store, str(PEOPLE["ann"]), no).put("shop.prod.password", "the real one")
    assert asked == [("shop.prod", [age("cem")])]
    assert store.read_bytes() == before


@pytest.mark.parametrize("who", ["a recipient that was revoked", "somebody who never was one"])
def test_who_knows_a_connections_key_without_being_shown_as_recipient_reads_no_new_value(store: Path, who: str) -> None:
    keeper(store).put("shop.prod.password", "p")
    keeper(store).put("shop.prod.user", "u")
    if who == "somebody who never was one":
        # The recipient's public half is in the file: whoever may write that wraps a key of their own for it.
        key, made = new_key(), new_section()
        add_recipient("shop.prod", made, key, "owner", age("ann"))
        put("shop.prod", made, key, "user", "bait")
    else:
        keeper(store).grant("engineer", age("ben"), ["shop.prod"])
        made = read_document(store).sections["shop.prod"]
        key = open_key("shop.prod", made, str(PEOPLE["ben"]))
        keeper(store).revoke(age("ben"), ["shop.prod"])
        remove_recipient(made, age("ben"))
    seal("shop.prod", made, key)
    with changed(store) as document:
        document.sections["shop.prod"] = made
    keeper(store, agree=False).put("shop.prod.password", "the new one")
    assert reads("ann", "shop.prod.password") == "the new one"
    sealed = read_document(store).sections["shop.prod"]["values"]["password"]["sealed"]
    with pytest.raises(SecretUnavailable):
        open_value(key, "shop.prod.password", sealed)


def test_of_two_writers_at_the_same_time_none_is_lost(store: Path) -> None:
    keeper(store).put("shop.prod.f0", "0")
    workers = [threading.Thread(target=keeper(store).put, args=(f"shop.prod.f{n}", str(n))) for n in range(1, 9)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [reads("ann", f"shop.prod.f{n}") for n in range(9)] == [str(n) for n in range(9)]


def test_what_the_next_writer_writes_is_left_alone_by_the_one_before(store: Path) -> None:
    """The new file can be locked as soon as it is in place, while its writer still sees to the folder."""
    theirs = store.with_name(".secrets.yml.new")
    waits = [theirs]

    def hook(event: str, found: tuple[object, ...]) -> None:
        if event == "el.step" and found == ("secrets in place",) and waits:
            waits.pop().write_bytes(b"theirs")

    sys.addaudithook(hook)
    keeper(store).put("shop.prod.password", "p")
    assert not waits
    assert theirs.read_bytes() == b"theirs"


def test_a_file_that_changed_without_the_lock_is_not_written_over(store: Path) -> None:
    theirs = "version: 1\nconnections: {}\n# theirs\n"
    with pytest.raises(ConfigError, match="someone else changed it"), changed(store):
        store.write_text(theirs)
    assert store.read_text() == theirs


@pytest.mark.parametrize("there", ["a link", "what a kill left"])
def test_what_stands_where_the_new_store_is_written_is_removed_and_never_followed(store: Path, there: str) -> None:
    keeper(store).put("shop.prod.password", "p")
    other, beside = store.with_name("authorized_keys"), store.with_name(".secrets.yml.new")
    other.write_text("theirs")
    if there == "a link":
        beside.symlink_to(other)
    else:
        beside.write_text("connections: {")
    keeper(store).put("shop.prod.password", "new")
    assert (other.read_text(), store.is_symlink(), beside.exists()) == ("theirs", False, False)
    assert reads("ann", "shop.prod.password") == "new"


@pytest.mark.skipif(os.name == "nt", reason="no such limit")
def test_a_full_disk_leaves_what_was_there_and_nothing_beside_it(store: Path) -> None:
    import resource

    keeper(store).put("shop.prod.password", "p")
    before = store.read_bytes()
    limits, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
        with pytest.raises(ConfigError, match="it is as it was"):
            keeper(store).put("shop.prod.password", "new")
        with pytest.raises(ConfigError, match="cannot be made"):
            create_document(store.with_name("second.yml"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert store.read_bytes() == before
    assert [place.name for place in store.parent.iterdir() if place.is_file()] == ["secrets.yml"]


def test_an_error_while_the_store_is_changed_is_told_as_it_is(store: Path) -> None:
    for error in (FileNotFoundError("x"), BlockingIOError("x"), EOFError()):
        with pytest.raises(type(error)), changed(store):
            raise error


def _revoke_until(store: str, home: str, people: tuple[str, str], step: str) -> None:
    os.environ["HOME"] = home
    owner, leaves = people

    def hook(event: str, found: tuple[object, ...]) -> None:
        if event == "el.step" and found == (step,):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    Keeper(Path(store), owner, lambda connection, others: True).revoke(leaves, ["shop.prod", "lake.dev"])
    os._exit(7)


STEPS = ("secrets made", "secrets written beside", "secrets in place")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_the_old_store_or_the_new_one_and_the_next_writer_goes_on(store: Path, step: str) -> None:
    for path in PATHS:
        keeper(store).put(path, path)
    keeper(store).grant("engineer", age("ben"), ["shop.prod", "lake.dev"])
    before = store.read_bytes()
    process = context().Process(
        target=_revoke_until, args=(str(store), os.environ["HOME"], (str(PEOPLE["ann"]), age("ben")), step)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    done = step == "secrets in place"
    assert (store.read_bytes() == before) is not done
    assert [reads("ann", path) for path in PATHS] == list(PATHS)
    assert [reads("ben", path) for path in PATHS] == ([None] * 3 if done else list(PATHS))
    keeper(store).rotate(["shop.prod", "lake.dev"])
    assert [reads("ann", path) for path in PATHS] == list(PATHS)
    assert sorted(place.name for place in store.parent.iterdir() if place.is_file()) == ["secrets.yml"]


# A value with a zero byte is refused: no environment takes it.
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(PATHS), TEXTS),
        st.tuples(st.just("grant"), st.sampled_from(["owner", "engineer", "staging"]), st.sampled_from(["ben", "cem"])),
        st.tuples(st.just("revoke"), st.sampled_from(["ben", "cem"])),
        st.tuples(st.just("rotate")),
    ),
    max_size=8,
)


@settings(max_examples=15, deadline=None)
@given(changes=CHANGES)
def test_after_any_changes_each_person_reads_exactly_what_they_were_granted(changes: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        store = Path(folder) / "secrets.yml"
        patch.setenv("EL_SECRETS", str(store))
        patch.setenv("HOME", folder)
        create_document(store)
        held: dict[str, str] = {}
        readers: dict[str, set[str]] = {}
        for does, *what in changes:
            names = list(readers)
            if does == "put":
                path, value = what[0], what[1].encode("utf-8", "ignore").decode() or "x"
                keeper(store).put(path, value)
                held[path] = value
                readers.setdefault(path.rpartition(".")[0], {"ann"})
            elif does == "grant" and names:
                keeper(store).grant(what[0], age(what[1]), names)
                for name in names:
                    readers[name].add(what[1])
            elif does == "revoke" and any(what[0] in people for people in readers.values()):
                keeper(store).revoke(age(what[0]), names)
                for name in names:
                    readers[name].discard(what[0])
            elif does == "rotate" and names:
                keeper(store).rotate(names)
            seen = {(who, path): reads(who, path) for who in PEOPLE for path in PATHS}
            assert seen == {
                (who, path): held.get(path) if who in readers.get(path.rpartition(".")[0], ()) else None
                for who in PEOPLE
                for path in PATHS
            }
