"""The dbt package that comes with el: macros, generic tests, docs blocks, `el_loads_taken`, for any dbt project.

It is copied into the project's own folders, since dbt Cloud finds there what no package hub has to give, and is kept by
the same marks as generated models: an edited file is never written over.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from el.codegen.files import GeneratedFile
from el.codegen.project import DbtProject

ABOUT = "its dbt package"
_FOLDER = "el"


def package_files(project: DbtProject) -> list[GeneratedFile]:
    """All files of the package, at their places in the project."""
    package = files("el.codegen") / "dbt_package"
    found = []
    for kind in ("macros", "tests", "models"):
        for item in sorted((package / kind).iterdir(), key=lambda item: item.name):
            found.append(GeneratedFile(_place(project, kind, item), item.read_text(encoding="utf-8"), ABOUT))
    return found


def package_folders(project: DbtProject) -> list[PurePosixPath]:
    """The folders that are the package's alone."""
    return sorted({file.path.parent for file in package_files(project)})


def _place(project: DbtProject, kind: str, item: Traversable) -> PurePosixPath:
    if item.name.endswith(".md"):
        return project.docs / _FOLDER / item.name
    if kind == "macros":
        return project.macros / _FOLDER / item.name
    return (project.tests / "generic" if kind == "tests" else project.models) / _FOLDER / item.name
