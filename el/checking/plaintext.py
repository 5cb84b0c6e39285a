"""Secrets that lie open in files: profiles.yml, `.env` and its like, el.yml, dbt_project.yml.

Guarantees: no value stands in what is found; of a file as much is read as fits into memory easily, and what is no file
(a folder, a pipe) is not opened for longer than it takes to see that.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import yaml

from el.checking.open_settings import open_settings
from el.config.text_file import decoded
from el.secrets.plaintext import lies_open, looks_secret, secret_forms, secret_settings

_MOST_BYTES = 1024 * 1024
# To read YAML takes a thousand times as long as to read lines.
_MOST_OF_YAML = 256 * 1024
_ENVIRONMENTS = (".env", ".env.*", "*.env")
_SETTINGS = ("el.yml", "dbt_project.yml")
_EXAMPLES = re.compile(r"example|sample|template|dist|tmpl|tpl", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"\s*[#\s-]{0,9}(?:export |set |\$env:)?\s{0,9}[\"']?([A-Za-z_][\w.-]{0,60})[\"']?\s{0,9}[=:](.*)"
)


@dataclass(frozen=True, slots=True)
class Plaintext:
    """A secret that lies open. field: the names that lead to it. what: what it is, in words; no value."""

    path: Path
    line: int
    field: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path} line {self.line}: {self.field}: {self.what}"


@dataclass(frozen=True, slots=True)
class NotSearched:
    """A file, or the rest of one, in which a secret may lie."""

    path: Path
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


def find_plaintext(profiles: Path | None, folder: Path) -> list[Plaintext | NotSearched]:
    """All secrets that lie open in profiles.yml and in the files beside it, in a working folder and its dbt project."""
    found: list[Plaintext | NotSearched] = []
    seen: set[str] = set()
    for path in _files(profiles, folder):
        if (real := os.path.realpath(path)) in seen:
            continue
        seen.add(real)
        text, why = _text(path)
        if why:
            found.append(NotSearched(path, why))
        if text:
            found += _in_file(path, text, of_profiles=path == profiles)
    return found


def _files(profiles: Path | None, folder: Path) -> Iterator[Path]:
    if profiles is not None:
        yield profiles
    for place in dict.fromkeys([*([profiles.parent] if profiles else []), folder, folder / "dbt_project"]):
        try:
            names = sorted(entry.name for entry in os.scandir(place))
        except OSError:
            continue
        for name in names:
            if name in _SETTINGS or any(fnmatch(name.lower(), pattern) for pattern in _ENVIRONMENTS):
                yield place / name


def _text(path: Path) -> tuple[str, str]:
    """What a file says, and why it, or the rest of it, is not searched."""
    try:
        # To open a pipe would wait for its writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return "", ""
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return "", ""
    except OSError as error:
        return "", "" if path.is_dir() else f"it cannot be read ({type(error).__name__}), and was not searched"
    text = decoded(data[:_MOST_BYTES])
    if "\0" in text:
        return "", ""
    return text, "" if len(data) <= _MOST_BYTES else f"only its first {_MOST_BYTES >> 20} MiB were searched"


def _in_file(path: Path, text: str, of_profiles: bool) -> list[Plaintext]:
    """By what YAML says where it is YAML; by lines what YAML does not say, such as comments, and other files."""
    example = bool(_EXAMPLES.search(path.name))
    found: dict[tuple[int, str, str], Plaintext] = {}
    settings: Iterable[tuple[int, str, str, str]] = ()
    by_lines = True
    if path.suffix in (".yml", ".yaml") and len(text) <= _MOST_OF_YAML:
        with suppress(yaml.YAMLError, RecursionError):
            settings, by_lines = list(open_settings(text, path.name, of_profiles)), False
    for line, field, what, remedy in (*settings, *_in_lines(text, example, comments_alone=not by_lines)):
        found.setdefault((line, field, what), Plaintext(path, line, field, what, remedy))
    return sorted(found.values(), key=lambda each: each.line)


def _in_lines(text: str, example: bool, comments_alone: bool) -> Iterator[tuple[int, str, str, str]]:
    def holds(value: str) -> bool:
        return lies_open(value, example=example)

    for number, line in enumerate(text.splitlines(), 1):
        assigned = _ASSIGNED.match(line)
        is_comment = line.lstrip().startswith("#")
        if not line.strip() or (comments_alone and not is_comment):
            continue
        name = assigned[1] if assigned else "text"
        value = _value(assigned[2]) if assigned else line
        whats = [*secret_forms(line, holds), *(secret_settings(value, holds) if assigned else [])]
        # A comment is prose as often as a setting that was put away.
        if assigned and looks_secret(name) and holds(value) and _is_no_place(name, value):
            whats += ["the secret itself"] if not is_comment or _is_no_word(value) else []
        for what in dict.fromkeys(whats):
            yield number, name, what, _remedy(name)


def _value(text: str) -> str:
    """What is assigned: without its quotes, or without the comment behind it."""
    text = text.strip()
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def _is_no_place(name: str, value: str) -> bool:
    """A shell's own PWD is where it works."""
    return not (name in ("PWD", "OLDPWD") and value.startswith("/"))


def _is_no_word(value: str) -> bool:
    return len(value) >= 8 and not re.search(r"\s", value) and re.search(r"\d", value) is not None


def _remedy(name: str) -> str:
    return (
        f"keep it where secrets are kept; in profiles.yml: env_var('{name}', '<its reference>'), and start programs by "
        "python -m el secrets exec; change it if others can read this file"
    )
