"""`python -m el secrets check`: who can read what of the encrypted store, how old each value is, and what lies open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from el.checking.check import Finding
from el.checking.plaintext import Plaintext, find_plaintext
from el.config.profiles_file import read_profiles, variables
from el.connectors.check import Check, fine, warn, wrong
from el.errors import ElError
from el.secrets import section as part
from el.secrets.document import Document, read_document
from el.secrets.recipients import unwrap
from el.secrets.sealing import check_section, open_value

_END = "secrets"


@dataclass(frozen=True, slots=True)
class Review:
    """What is looked at.

    identity: whose, to try the seals; None: they are not tried. sources: the profiles that el.yml reads, of which
    staging must be no recipient. max_age: days after which a value is to be changed.
    """

    store: Path | None
    profiles: Path | None
    identity: str | None
    sources: frozenset[str]
    max_age: int
    folder: Path = Path()  # whose files are searched for secrets that lie open, beside those of profiles.yml


def review(asked: Review) -> Iterator[Finding]:
    """All that was found, as it is found. No value stands in it."""
    document = None
    if asked.store is None:
        yield Finding(_END, fine("store", "there is no secrets.yml", "python -m el secrets init"))
    else:
        document = read_document(asked.store)
        for connection in document.sections:
            yield from (Finding(connection, each) for each in _connection(asked, document, str(connection)))
    yield from _open(asked)
    if asked.profiles is not None:
        yield from (Finding(str(asked.profiles), each) for each in _references(asked.profiles, document))


def _connection(asked: Review, document: Document, connection: str) -> Iterator[Check]:
    try:
        section = part.well_formed(document.path, connection, document.sections[connection])
    except ElError as error:
        yield wrong("store", str(error))
        return
    for role, people in section["recipients"].items():
        yield fine(f"read by {role}", ", ".join(people))
    if not part.recipients_of(section, part.OWNERS):
        yield wrong("recipients", "it has no owner, so nobody can change it", "take the committed file, and grant one")
    if connection.partition(".")[0] in asked.sources and part.recipients_of(section, ("staging",)):
        yield wrong(
            "recipients", "staging can read the password of the source", "python -m el secrets revoke RECIPIENT"
        )
    yield from _ages(asked, connection, section)
    yield from _seal(asked, connection, section)


def _ages(asked: Review, connection: str, section: Mapping[str, Any]) -> Iterator[Check]:
    for field, kept in section["values"].items():
        days = None
        with suppress(ValueError):
            days = (date.today() - date.fromisoformat(str(kept["set"]))).days
        if days is None:
            yield warn(f"age of {field}", f"{str(kept['set'])!r} is no day")
        elif days > asked.max_age:
            remedy = f"change it at the server, then python -m el secrets set {connection}.{field}"
            yield warn(f"age of {field}", f"{days} days, more than {asked.max_age}", remedy)
        else:
            yield fine(f"age of {field}", f"{days} days")


def _seal(asked: Review, connection: str, section: Mapping[str, Any]) -> Iterator[Check]:
    """Whether it is whole can be told by a recipient alone."""
    try:
        key = unwrap(part.recipients_of(section), asked.identity, connection)
        if key is None:
            yield warn("seal", "not tried: who asks is no recipient of this connection")
            return
        check_section(key, connection, section)
        for field, kept in section["values"].items():
            open_value(key, f"{connection}.{field}", kept["sealed"])
        yield fine("seal", "whole: nothing was changed, moved or left out")
    except ElError as error:
        yield wrong("seal", str(error), "take the committed file")


def _open(asked: Review) -> Iterator[Finding]:
    """Secrets that stand in files as they are."""
    found = find_plaintext(asked.profiles, asked.folder)
    for each in found:
        if isinstance(each, Plaintext):
            yield Finding(
                str(each.path), wrong("plaintext", f"line {each.line}: {each.field}: {each.what}", each.remedy)
            )
        else:
            yield Finding(str(each.path), warn("plaintext", each.why))
    if not found:
        yield Finding(
            _END, fine("plaintext", "no secret lies open in profiles.yml, .env files, el.yml, dbt_project.yml")
        )


def _references(profiles: Path, document: Document | None) -> Iterator[Check]:
    """What profiles.yml takes from the store has to be there."""
    held = set()
    if document is not None:
        for connection, section in document.sections.items():
            with suppress(ElError):
                values = part.well_formed(document.path, connection, section)["values"]
                held |= {f"{connection}.{field}" for field in values}
    try:
        written = read_profiles(profiles)[0]
    except ElError as error:
        yield wrong("reference", str(error))
        return
    for reference in sorted(set(_referred(written))):
        path = reference.removeprefix("secret:").partition("?")[0].partition("#")[0]
        if path not in held:
            yield wrong("reference", f"secret:{path} is not in the store", f"python -m el secrets set {path}")


def _referred(found: Any) -> Iterator[str]:
    """What refers to the store: whole settings, and the defaults of variables, in whatever template they stand."""
    if isinstance(found, str):
        defaults = [default or "" for _, default in variables(found)]
        yield from (text for text in (found, *defaults) if text.startswith("secret:"))
    items = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    for item in items:
        yield from _referred(item)
