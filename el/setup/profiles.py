"""Entries for profiles.yml, added behind what stands there: not a byte of that is changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from el.config.profiles_file import read_profiles
from el.errors import ConfigError

NAME = "profiles.yml"
# Texts that every reader of YAML takes for a text, without quotes.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@\\-]*")
_OTHER = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})


def place_of_profiles(folder: Path | None) -> Path:
    """The file that el and dbt would read; where there is none, the one to make."""
    if folder is not None:
        return folder / NAME
    named = os.environ.get("DBT_PROFILES_DIR")
    places = [*([Path(named)] if named else []), Path()]
    with suppress(RuntimeError):
        # A container's user may have no home.
        places.append(Path.home() / ".dbt")
    return next((place / NAME for place in places if (place / NAME).is_file()), places[0] / NAME)


def profiles_in(path: Path) -> Mapping[str, Any]:
    """What stands there, as dbt reads it; nothing where there is no file."""
    if not path.is_file():
        return {}
    content, _ = read_profiles(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: it holds no profiles: a file of them has `name:` and below it `outputs:`")
    return content


def add_profiles(path: Path, target: str, outputs: Mapping[str, Mapping[str, Any]]) -> None:
    """Add a profile for each of these outputs, which are not there yet.

    Raises `ConfigError`, and leaves the file alone, where text behind its end would not be read so.
    """
    before = path.read_bytes() if path.is_file() else b""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    added = "\n".join(_entry(name, target, output) for name, output in outputs.items()).encode()
    between = b"" if not before else end if before.endswith(b"\n") else end + end
    after = before + between + added.replace(b"\n", end)
    known = profiles_in(path)
    wanted = {**known, **{name: {"target": target, "outputs": {target: dict(o)}} for name, o in outputs.items()}}
    if _read(after) != wanted:
        raise ConfigError(
            f"{path}: nothing can be added behind its end as it is written; add the profiles {', '.join(outputs)} by "
            f"hand, or name another folder with --profiles-dir"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(after[len(before) :])


def _read(data: bytes) -> Any:
    try:
        return yaml.safe_load(data.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None


def _entry(name: str, target: str, output: Mapping[str, Any]) -> str:
    lines = [f"{in_yaml(name)}:", f"  target: {in_yaml(target)}", "  outputs:", f"    {in_yaml(target)}:"]
    return "\n".join([*lines, *(f"      {key}: {in_yaml(value)}" for key, value in output.items())]) + "\n"


def in_yaml(value: Any) -> str:
    """A value in one line, that YAML 1.1 and 1.2 read alike."""
    if isinstance(value, bool | int):
        return json.dumps(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _OTHER:
        return text
    return json.dumps(text, ensure_ascii=False)
