"""YAML as dbt before 1.10 reads it: a test's arguments beside its name, a column's meta outside of `config`, and no
query that says how fresh a source is.

Which one a project reads is what its dbt_project.yml says: `require-dbt-version`, or the flag with which newer ones too
read tests in the older form. Nothing depends on the dbt that happens to be installed where codegen runs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import yaml

from el.codegen.files import GeneratedFile
from el.codegen.project import FILE, DbtProject
from el.codegen.yaml_text import to_yaml

_FIRST = (1, 10)
"""The first version that reads the newer form."""
_LATER = ("loaded_at_query", "freshness")
_FLAG = "require_generic_test_arguments_property"
_BOUND = re.compile(r"^\s*(<=|>=|<|>|=|)\s*v?(\d+)\.(\d+)")


def is_older(project: DbtProject) -> bool:
    """Whether every dbt that the project allows is one before 1.10."""
    said = project.settings.get("require-dbt-version") or []
    for bound in said if isinstance(said, list) else str(said).split(","):
        found = _BOUND.match(str(bound))
        if found and found[1] in ("<", "<=", "=", ""):
            named = (int(found[2]), int(found[3]))
            if named < _FIRST or (named == _FIRST and found[1] == "<"):
                return True
    return False


def as_read(project: DbtProject, files: list[GeneratedFile]) -> list[GeneratedFile]:
    """The files in the form that the project's dbt reads."""
    flags = project.settings.get("flags")
    older = is_older(project)
    if older or (isinstance(flags, dict) and flags.get(_FLAG) is False):
        return [_flat(file, older) if file.path.suffix == ".yml" else file for file in files]
    return files


def installed_older(project: DbtProject) -> list[str]:
    """A line where the dbt beside el is one that will not read what is written."""
    try:
        installed = version("dbt-core")
    except PackageNotFoundError:
        return []
    found = _BOUND.match(installed)
    if found is None or (int(found[2]), int(found[3])) >= _FIRST or is_older(project):
        return []
    return [
        f'dbt {installed} is installed: `require-dbt-version: [">=1.9.0", "<1.10.0"]` in {FILE} makes el write for it'
    ]


def _flat(file: GeneratedFile, older: bool) -> GeneratedFile:
    return replace(file, body=to_yaml(_walk(yaml.safe_load(file.body), older)))


def _walk(value: Any, older: bool) -> Any:
    if isinstance(value, list):
        return [_walk(item, older) for item in value]
    if not isinstance(value, dict):
        return value
    # What it does not know in `config` it would render without the project's macros. A test says the same.
    gone = _LATER if older else ()
    found = {key: _walk(item, older) for key, item in value.items() if key not in gone}
    if older and isinstance(found.get("columns"), list):
        # What a column's type stands for is compared with what raw says, at every build.
        found["columns"] = [
            _out_of_config(column) if isinstance(column, dict) else column for column in found["columns"]
        ]
    if "data_tests" in found:
        found["data_tests"] = [_test(test) for test in found["data_tests"]]
    return found


def _out_of_config(column: dict[str, Any]) -> dict[str, Any]:
    return {**{key: item for key, item in column.items() if key != "config"}, **column.get("config", {})}


def _test(test: dict[str, Any]) -> dict[str, Any]:
    ((generic, inside),) = test.items()
    return {
        generic: {**{key: item for key, item in inside.items() if key != "arguments"}, **inside.get("arguments", {})}
    }
