"""What else belongs into a repository: lines of .gitignore, and a dbt project where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from el.codegen.new_project import new_project
from el.codegen.project import FILE
from el.errors import ConfigError

# What runs leave behind, and what is of one machine alone.
IGNORED = (
    ".el/",
    ".env",
    "*.duckdb",
    "*.duckdb.wal",
    "*.duckdb.lock",
    ".user.yml",
    "logs/",
    "target/",
    "dbt_packages/",
)


def add_ignored(path: Path) -> list[str]:
    """Add the lines that are missing; those that were. What stands there stays, byte for byte."""
    before = path.read_bytes() if path.is_file() else b""
    known = {line.strip().strip(b"/") for line in before.splitlines()}
    missing = [line for line in IGNORED if line.encode().strip(b"/") not in known]
    if missing:
        end = b"\r\n" if b"\r\n" in before else b"\n"
        between = end if before and not before.endswith(b"\n") else b""
        with path.open("ab") as file:
            file.write(between + b"".join(line.encode() + end for line in missing))
    return missing


def profile_of(project: Path) -> str | None:
    """The profile of a dbt project that is there. Raises `ConfigError` where its file is none."""
    if not (project / FILE).is_file():
        return None
    try:
        settings: Any = yaml.safe_load((project / FILE).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"{project / FILE} is not YAML") from None
    found = settings.get("profile") if isinstance(settings, dict) else None
    return found if isinstance(found, str) and "{{" not in found else None


def make_project(folder: Path, profile: str) -> None:
    """A dbt project for this profile, in a folder that has none."""
    new_project(folder, profile, project_name(Path()))


def project_name(folder: Path) -> str:
    """What a dbt project in this repository is called."""
    name = re.sub(r"\W+", "_", folder.resolve().name.lower(), flags=re.ASCII).strip("_")
    return name if re.match(r"[a-z_]", name) else "el"
