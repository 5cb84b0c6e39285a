"""Where dbt's models stand that are made of a raw table, by `target/manifest.json`: dbt's own word for it.

A model is known by the macro of el that makes it, whatever it is called, in whichever schema: names, `+schema` and a
`generate_schema_name` of one's own are in the manifest as dbt resolved them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from el.codegen.files import is_edited
from el.codegen.project import DbtProject
from el.codegen.table_design import ModelDesign
from el.config.tables import ModelKind
from el.errors import ConfigError
from el.loading.notes import TAKEN_TABLE

_MACROS = {
    "el_current_state": (ModelKind.CURRENT, False),
    "el_flagged_state": (ModelKind.CURRENT, True),
    "el_last_snapshot": (ModelKind.SNAPSHOT, False),
    "el_history": (ModelKind.HISTORY, False),
    "el_append_log": (ModelKind.LOG, False),
}


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its design, how SQL calls it, and whether someone changed what codegen wrote."""

    design: ModelDesign
    relation: str
    edited: bool

    @property
    def place(self) -> str:
        return f"{self.design.schema}.{self.design.alias}"

    @property
    def noted_as(self) -> str:
        """What `el_loads_taken` calls it."""
        return self.place.lower()


@dataclass(frozen=True, slots=True)
class Manifest:
    """dbt's manifest. Its nodes are those of the last command of dbt."""

    path: Path
    adapter: str
    nodes: Mapping[str, Any]

    @classmethod
    def read(cls, project: Path, adapter: str) -> Manifest:
        """adapter: the warehouse's type. Raises `ConfigError` where there is none, or it is of another warehouse."""
        found = DbtProject.read(project)
        target = os.environ.get("DBT_TARGET_PATH") or str(found.settings.get("target-path") or "target")
        path = found.folder / target / "manifest.json"
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path} is not there, or is no JSON: dbt writes it; run `dbt parse --project-dir {project}`"
            ) from error
        of = str(said["metadata"].get("adapter_type"))
        if of != adapter:
            raise ConfigError(
                f"{path} is of a target of type {of}, not {adapter}: run `dbt parse` with the warehouse's"
            )
        return cls(path, of, {**said["nodes"], **said["sources"]})

    @property
    def notes(self) -> str:
        """How SQL calls the table in which dbt notes what each model took."""
        for node in self.nodes.values():
            if node["resource_type"] == "model" and node["name"] == TAKEN_TABLE:
                return str(node["relation_name"])
        raise ConfigError(f"{self.path} has no model {TAKEN_TABLE}: run `python -m el codegen`, then `dbt build`")

    def models_of(self, raw_schema: str, raw_table: str) -> list[Model]:
        """The models that are made of this raw table, by their names."""
        place = (raw_schema.lower(), raw_table.lower())
        found = [
            _model(node, *made)
            for node in self.nodes.values()
            if (made := _made(node)) is not None and place in set(self._read(node))
        ]
        return sorted(found, key=lambda model: model.place)

    def _read(self, node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The raw tables that a model reads, through views in between."""
        for name in node["depends_on"]["nodes"]:
            read = self.nodes.get(name, {"resource_type": "", "depends_on": {}})
            if read["resource_type"] == "source":
                yield str(read["schema"]).lower(), str(read["identifier"]).lower()
            elif read["resource_type"] == "model" and _made(read) is None:
                yield from self._read(read)


def _made(node: Mapping[str, Any]) -> tuple[ModelKind, bool] | None:
    """The kind of what el's macros make, and whether deleted rows stay; None for another node."""
    if node["resource_type"] != "model" or not node.get("relation_name"):
        return None
    macros = (name.rsplit(".", 1)[-1] for name in node["depends_on"].get("macros", ()))
    return next((_MACROS[name] for name in macros if name in _MACROS), None)


def _model(node: Mapping[str, Any], kind: ModelKind, flagged: bool) -> Model:
    design = ModelDesign(kind, str(node["name"]), str(node["alias"]), str(node["schema"]), flagged)
    return Model(design, str(node["relation_name"]), is_edited(str(node.get("raw_code", ""))))
