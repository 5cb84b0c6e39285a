"""A dbt project where there is none: the files that are a project's own from then on, and that codegen never touches.

Behind them comes what codegen puts into any project. Guarantees: no file that is there is written over.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path, PurePosixPath

from el.codegen.files import compare, write
from el.codegen.package import package_files
from el.codegen.project import FILE, DbtProject
from el.errors import ConfigError

_NAME = re.compile(r"[a-zA-Z_]\w*", re.ASCII)
_OWN = (FILE, "selectors.yml", "macros/generate_schema_name.sql")


def new_project(folder: Path, profile: str, name: str = "el") -> list[Path]:
    """Make a dbt project in `folder`, for a profile of profiles.yml; the files that were written.

    Raises `ConfigError` for a folder that is a dbt project already, and for a name that dbt does not take.
    """
    if (folder / FILE).exists():
        raise ConfigError(
            f"{folder} is a dbt project already: `python -m el codegen --project-dir {folder}` fits into it"
        )
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a dbt project: letters, digits and _ alone, and no digit first")
    written = []
    for path, text in own_files(profile, name).items():
        if not (folder / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
            written.append(folder / path)
    brought = package_files(DbtProject.read(folder))
    write(folder, brought, compare(folder, brought, models=None))
    return [*written, *(folder / file.path for file in brought)]


def own_files(profile: str, name: str) -> dict[PurePosixPath, str]:
    """The files of a new project, by their path in it."""
    package = files("el.codegen") / "dbt_package" / "project"
    texts = {PurePosixPath(path): package.joinpath(*path.split("/")).read_text(encoding="utf-8") for path in _OWN}
    return {path: text.replace("PROJECT", name).replace("PROFILE", profile) for path, text in texts.items()}
