"""What a dbt project calls by a name itself: models, seeds, snapshots, macros, sources, groups, each with its file.

Guarantees: a file that codegen wrote, edited or not, is not counted, nor a model that someone took over from it:
codegen's YAML still stands beside. What only dbt could tell (a name that a template makes) is not found here, and dbt
says of it itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from el.codegen.files import is_marked
from el.codegen.project import DbtProject

_MACRO = re.compile(r"{%-?\s*(macro|test|data_test|materialization)\s+(\w+)([^%]*)")
_ADAPTER = re.compile(r"adapter\s*=\s*['\"](\w+)['\"]")
_SNAPSHOT = re.compile(r"{%-?\s*snapshot\s+(\w+)")
_TESTS = ("test", "data_test")


@dataclass(frozen=True, slots=True)
class OwnNames:
    """Name -> the file that has it, inside the project."""

    models: dict[str, PurePosixPath] = field(default_factory=dict)  # whatever `ref` finds
    macros: dict[str, PurePosixPath] = field(default_factory=dict)  # by the name under which dbt keeps them
    sources: dict[tuple[str, str], PurePosixPath] = field(default_factory=dict)
    groups: dict[str, PurePosixPath] = field(default_factory=dict)

    @classmethod
    def of(cls, project: DbtProject, source: str | None = None) -> OwnNames:
        """source: what codegen wrote for another one is the project's own here."""
        found = cls()
        for setting, otherwise in (("model-paths", "models"), ("seed-paths", "seeds"), ("snapshot-paths", "snapshots")):
            for path, text in _own(project, setting, otherwise, source):
                if path.suffix in (".yml", ".yaml"):
                    found.describe(path, text)
                elif path.suffix in ((".csv",) if setting == "seed-paths" else (".sql", ".py")):
                    names = _SNAPSHOT.findall(text) if setting == "snapshot-paths" else [path.stem]
                    found.models.update(dict.fromkeys(names, path))
        for setting, otherwise in (("macro-paths", "macros"), ("test-paths", "tests")):
            for path, text in _own(project, setting, otherwise, source):
                if path.suffix == ".sql" and (setting == "macro-paths" or "generic" in path.parts):
                    found.macros.update(dict.fromkeys(macro_names(text), path))
        return found

    def describe(self, path: PurePosixPath, text: str) -> None:
        """Add what a YAML file names."""
        try:
            content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError:
            return  # dbt says of it what is wrong
        for entry in _entries(content, "groups"):
            self.groups[str(entry.get("name"))] = path
        for entry in _entries(content, "snapshots"):
            self.models[str(entry.get("name"))] = path
        for entry in _entries(content, "sources"):
            for table in _entries(entry, "tables"):
                self.sources[(str(entry.get("name")), str(table.get("name")))] = path


def macro_names(text: str) -> Iterator[str]:
    """The names under which dbt keeps the macros, generic tests and materializations of a file."""
    for kind, name, rest in _MACRO.findall(text):
        if kind == "materialization":
            adapter = _ADAPTER.search(rest)
            yield f"materialization_{name}_{adapter[1] if adapter else 'default'}"
        else:
            yield f"test_{name}" if kind in _TESTS else name


def _own(project: DbtProject, setting: str, otherwise: str, source: str | None) -> Iterator[tuple[PurePosixPath, str]]:
    """Each file under these folders that is someone's own, and its text; of a seed no text."""
    for folder in project.paths(setting, otherwise):
        for path in sorted((project.folder / folder).rglob("*")):
            if path.is_file() and path.suffix in (".sql", ".py", ".csv", ".yml", ".yaml"):
                text = "" if path.suffix == ".csv" else _read(path)
                if not is_marked(text, source) and not _taken_over(path, source):
                    yield PurePosixPath(path.relative_to(project.folder).as_posix()), text


def _taken_over(path: Path, source: str | None) -> bool:
    beside = path.with_suffix(".yml")
    return path.suffix == ".sql" and beside.is_file() and is_marked(_read(beside), source)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _entries(content: Any, key: str) -> list[dict[str, Any]]:
    found = content.get(key) if isinstance(content, dict) else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


NO_NAMES = OwnNames()
