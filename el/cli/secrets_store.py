"""What the commands of `secrets` do with the encrypted store. Owners say who can read; engineers may set a value."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from el.cli.arguments import home, profiles_dir
from el.cli.findings import show_findings
from el.errors import ConfigError

if TYPE_CHECKING:
    from el.secrets.keeping import Keeper


def init(arguments: argparse.Namespace) -> int:
    """An identity and a store, where there is none."""
    from el.secrets.document import create_document
    from el.secrets.new_identity import make_identity
    from el.secrets.recipients import recipient_of
    from el.secrets.store import places_of_store

    store = places_of_store(arguments.profiles_dir)[0]
    with _noted("init"):
        identity, place = make_identity(store, in_keyring=arguments.keyring)
        made = not store.exists()
        if made:
            create_document(store)
    print(f"identity: {place}: it is yours alone, and is never committed")
    print(f"store: {store}: {'made; commit it' if made else 'is there'}")
    print(f"recipient: {recipient_of(identity)}: the owner of a connection grants it to you by this")
    return 0


def put(arguments: argparse.Namespace) -> int:
    """`set`: a value."""
    from el.secrets.section import split_path

    connection, _ = split_path(arguments.path)
    with _noted("set", arguments.path):
        _allowed("SECRETS_SET", [connection], arguments)
        keeper = _keeper(arguments)
        readers = keeper.put(arguments.path, _value(arguments.path), arguments.like)
    print(f"{arguments.path}: set. {connection} is read by {', '.join(readers)}")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """`list`: what is set, and who can read it."""
    from el.secrets.document import read_document
    from el.secrets.section import well_formed
    from el.secrets.store import find_store

    store = find_store(arguments.profiles_dir)
    sections = read_document(store).sections
    for connection, found in sections.items():
        section = well_formed(store, connection, found)
        for field, kept in section["values"].items():
            print(f"{connection}.{field}  set {kept['set']}")
        for role, people in section["recipients"].items():
            for recipient in people:
                print(f"  {role:<9}{recipient}")
    if not sections:
        print(f"{store}: nothing is set yet: python -m el secrets set PROFILE.TARGET.FIELD")
    return 0


def grant(arguments: argparse.Namespace) -> int:
    """Let a recipient read connections."""
    if arguments.role == "staging":
        _refuse_source(arguments)
    chosen = _chosen(arguments)
    with _noted("grant", *chosen):
        _allowed("SECRETS_GRANT", chosen, arguments)
        _keeper(arguments).grant(arguments.role, arguments.recipient, chosen)
    print(f"{arguments.recipient}: {arguments.role} of {', '.join(chosen)}")
    return 0


def revoke(arguments: argparse.Namespace) -> int:
    """Take a recipient out."""
    chosen = _chosen(arguments, of=arguments.recipient)
    with _noted("revoke", *chosen):
        _allowed("SECRETS_GRANT", chosen, arguments)
        seen = _keeper(arguments).revoke(arguments.recipient, chosen)
    print(f"{arguments.recipient}: is a recipient no more. It may have read these: change each at its server, and then")
    for path in seen:
        print(f"  python -m el secrets set {path}")
    return 0


def rotate(arguments: argparse.Namespace) -> int:
    """Give each connection a new encrypt_key."""
    chosen = _chosen(arguments)
    with _noted("rotate", *chosen):
        _allowed("SECRETS_GRANT", chosen, arguments)
        _keeper(arguments).rotate(chosen)
    print(f"a new encrypt_key: {', '.join(chosen)}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Who can read what, how old each value is, and which secrets lie open."""
    from el.checking.secrets import Review, review
    from el.secrets.identity import find_identity
    from el.secrets.store import places_of_store

    store = next((place for place in places_of_store(arguments.profiles_dir) if place.is_file()), None)
    identity = find_identity(store) if store is not None else None
    sources = sources_of(arguments.config)
    found = review(Review(store, _profiles(arguments), identity, sources, arguments.max_age))
    return 0 if show_findings(found, as_json=arguments.json) else 2


def _keeper(arguments: argparse.Namespace) -> Keeper:
    from el.loading.state import ask
    from el.secrets.identity import find_identity
    from el.secrets.keeping import Keeper
    from el.secrets.store import find_store

    def agreed(connection: str, recipients: Sequence[str]) -> bool:
        return arguments.yes or ask(
            f"{connection}: can be read by {', '.join(recipients)}, to which nobody at this machine has agreed"
        )

    store = find_store(arguments.profiles_dir)
    return Keeper(store, find_identity(store), agreed)


def _value(path: str) -> str:
    """Typed without being shown, or all that standard input has, less the end of its last line. Never an argument."""
    if not _at_terminal():
        return _of_bytes(path, sys.stdin.buffer.read() if sys.stdin is not None else b"")
    try:
        value = getpass.getpass(f"{path}: ")
        if value != getpass.getpass("once more: "):
            raise ConfigError(f"{path}: the two are not the same; nothing was set")
    except EOFError:
        raise ConfigError(f"{path}: nothing was typed; nothing was set") from None
    return _of_bytes(path, value.encode("utf-8", "surrogateescape"))


def _of_bytes(path: str, given: bytes) -> str:
    """As they are: a terminal's locale and its ends of lines do not count. But not the mark with which Windows' own
    programs begin a text."""
    try:
        value = given.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the value is not UTF-8; nothing was set") from None
    return value.removesuffix("\n").removesuffix("\r")


def _at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _chosen(arguments: argparse.Namespace, of: str | None = None) -> list[str]:
    """The connections that were named, else all of the store; of: those that this recipient can read."""
    from el.secrets.document import read_document
    from el.secrets.section import recipients_of, well_formed
    from el.secrets.store import find_store

    store = find_store(arguments.profiles_dir)
    sections = read_document(store).sections
    if arguments.connection:
        return list(dict.fromkeys(arguments.connection))
    held = [str(name) for name in sections]
    if of is not None:
        held = [name for name in held if of in recipients_of(well_formed(store, name, sections[name]))]
    if not held:
        why = f"{of} is a recipient of none of its connections" if of else "it has no connection yet"
        raise ConfigError(f"{store}: {why}: python -m el secrets list")
    return held


def _allowed(operation: str, connections: Sequence[str], arguments: argparse.Namespace) -> None:
    """Raise `AccessDenied` where EL_ROLE, or the `access` of a connection's output, forbids it."""
    from el.config.profiles import has_output
    from el.config.profiles_file import read_profiles, render
    from el.connectors.access import Operation, access_of, require

    require(Operation[operation], access_of())
    profiles = _profiles(arguments)
    for connection in connections:
        profile, _, target = connection.partition(".")
        if profiles is not None and has_output(profiles, profile, target):
            # The rest of the output may need what is about to be set.
            own = read_profiles(profiles)[0][profile]["outputs"][target].get("access")
            require(Operation[operation], access_of(render(own, f"{profiles}: {connection}")), connection)


def _profiles(arguments: argparse.Namespace) -> Path | None:
    from el.config.profiles import find_profiles

    try:
        return find_profiles(profiles_dir(arguments))
    except ConfigError:
        return None


def _refuse_source(arguments: argparse.Namespace) -> None:
    """Staging is never a recipient of the source: it is what makes the role hold."""
    if not arguments.connection:
        raise ConfigError("grant staging: say of which connection: --connection PROFILE.TARGET")
    if not Path(arguments.config).is_file():
        raise ConfigError(
            f"grant staging: there is no {arguments.config}, which says what the source is: --config FILE"
        )
    for connection in arguments.connection:
        if connection.partition(".")[0] in sources_of(arguments.config):
            raise ConfigError(
                f"grant staging: {connection} is a source of {arguments.config}, which staging never reads"
            )


def sources_of(config: str) -> frozenset[str]:
    """The profiles that el.yml reads: none where there is no el.yml."""
    from el.config.settings import load_config

    if not Path(config).is_file():
        return frozenset()
    found = load_config(Path(config))
    return frozenset({found.source, *(dump.source for dump in found.dumps if dump.source)})


@contextmanager
def _noted(command: str, *paths: str) -> Iterator[None]:
    """Note how what is inside ends, as of the other commands. Names of secrets, and no value."""
    from el.config.access import access_of
    from el.connectors.sql.audit import Entry
    from el.loading.audit import note, noting

    # A word that is no role is told before anything is done.
    role = str(access_of())
    with noting(lambda result: note(home(), Entry(f"secrets {command}", role, ", ".join(paths), "", result))):
        yield
