"""A dbt project as its dbt_project.yml describes it: where its files lie, and what of it matters to what is generated.

Guarantees: nothing is asked of dbt, so that codegen needs no connection of dbt's, and no project that compiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from el.codegen.files import GeneratedFile
from el.errors import ConfigError

FILE = "dbt_project.yml"


@dataclass(frozen=True, slots=True)
class DbtProject:
    """The folder and its settings."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> DbtProject:
        """Raises `ConfigError` for a folder that is no dbt project, or that dbt could not read either."""
        if not (folder / FILE).is_file():
            raise ConfigError(f"{folder} is no dbt project: it has no {FILE}; name another with --project-dir")
        try:
            settings = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ConfigError(f"{folder / FILE} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(settings, dict) or not isinstance(settings.get("name"), str):
            raise ConfigError(f"{folder / FILE} has no `name`: dbt needs one")
        return cls(folder, settings)

    @property
    def name(self) -> str:
        return str(self.settings["name"])

    @property
    def models(self) -> PurePosixPath:
        """The folder into which models are written, inside the project: the first of those that dbt reads."""
        return self.paths("model-paths", "models")[0]

    @property
    def macros(self) -> PurePosixPath:
        return self.paths("macro-paths", "macros")[0]

    @property
    def tests(self) -> PurePosixPath:
        return self.paths("test-paths", "tests")[0]

    @property
    def docs(self) -> PurePosixPath:
        """Where dbt looks for docs blocks: with the models, unless the project says otherwise."""
        return self.paths("docs-paths", str(self.models))[0]

    def paths(self, setting: str, otherwise: str) -> list[PurePosixPath]:
        """The folders of one kind. Raises `ConfigError` where it cannot be told which they are."""
        found = self.settings.get(setting) or [otherwise]
        if not isinstance(found, list) or any(not isinstance(path, str) or "{{" in path for path in found):
            raise ConfigError(f"{self.folder / FILE}: write {setting} as a list of plain names for el")
        return [PurePosixPath(path) for path in found]

    def entries(self, setting: str) -> list[dict[str, Any]]:
        """A setting that is a list of maps."""
        found = self.settings.get(setting)
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    def placed(self, file: GeneratedFile) -> GeneratedFile:
        """A file whose path begins with `models`, in the project's own folder of models."""
        first, *others = file.path.parts
        return replace(file, path=self.models.joinpath(*others)) if first == "models" else file


def find_project(named: str | None) -> Path:
    """The folder of the dbt project: the one that is named, this one where it is one, else `dbt_project`."""
    if named is not None:
        return Path(named)
    return Path() if Path(FILE).is_file() else Path("dbt_project")
