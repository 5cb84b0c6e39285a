"""The settings of el.yml and of profiles.yml as pages, out of the models that read these files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from el.config.dumps import FORMATS
from el.config.files_profile import FilesConfig
from el.config.settings import Config
from el.config.strict import Strict
from el.config.tables import ACCEPTED
from el.connectors.base import ConnectionConfig
from site_pages.attributes import told
from site_pages.markdown import paragraph, row

INTRO = """# Settings of el.yml

el.yml says what is taken. This page is made of the models that read the file.

- An unknown key, a key that stands twice, a table or a column that is not there is one line that names file and line,
  before anything moves.
- It is YAML 1.2: `NO`, `007` and `1.10` are compared as they are written. A value that the column's type could read in
  two ways (`010`, `01/02/2024`) is refused.
- A table is named as `plan` prints it, by a glob, or in the source's quotes (`"a.b"."c"`, `[a.b].[c]`). The same holds
  for `--select`, `--confirm-deletes` and `state`. An exact spelling wins over one in other capitals, and both over a
  glob.
- A duration is a number and one of `s`, `m`, `h`, `d`.
"""
CONNECTIONS = """# Connections in profiles.yml

`type` names the connector; its other settings are the fields of dbt's adapters, so that el and dbt share the file. This
page is made of the models that read them.

- A setting may be a [reference to where a secret is kept](credentials.md), such as `secret:shop.prod.password`, or
  dbt's `{{ env_var('NAME') }}`.
- YAML 1.1, which dbt reads, and YAML 1.2 read some values differently (`password: 0123`). Such a value is refused: put
  it in quotes.
- A setting that el does not know is dbt's.
"""
FILES = """Where [dumps](dumps.md) are. It needs the rights to list and to read, no others. SFTP needs
`pip install "el-loader[sftp]"`, files in .7z need `pip install "el-loader[sevenzip]"`."""


def el_yml(root: Path) -> str:
    """The page of el.yml: a table for each part of it."""
    del root
    parts = [INTRO, _section("The file", Config, "")]
    done: set[type[BaseModel]] = {Config}
    for place, model in _below(Config, "", done):
        parts.append(_section(f"`{place}`", model, paragraph(model)))
    words = "".join(row(f"`{word}`", meaning) for word, meaning in ACCEPTED.items())
    parts.append(f"## Words of `accept`\n\n| word | what it accepts |\n|---|---|\n{words}\n")
    for name, model in FORMATS.items():
        parts.append(_section(f"Format `{name}`", model, paragraph(model)))
    return "\n".join(parts)


def connections(root: Path) -> str:
    """The page of profiles.yml: a table for each connector, and what all have."""
    parts = [CONNECTIONS, _section("Every connection", ConnectionConfig, "")]
    for name, model in connectors(root):
        page = f" See [{name}]({name}.md)." if (root / "docs" / f"{name}.md").exists() else ""
        parts.append(_section(f"type: {name}", model, paragraph(model) + page, besides=ConnectionConfig))
        done: set[type[BaseModel]] = set()
        for place, below in _below(model, "", done):
            parts.append(_section(f"type: {name}, `{place}`", below, paragraph(below)))
    parts.append(_section("type: files", FilesConfig, FILES))
    return "\n".join(parts)


def connectors(root: Path) -> Iterator[tuple[str, type[ConnectionConfig]]]:
    """Each connector that this repository brings, with the model of its settings."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, place in sorted(project["entry-points"]["el.connectors"].items()):
        module, _, cls = place.partition(":")
        yield name, getattr(import_module(module), cls).config_type


def _below(model: type[BaseModel], place: str, done: set[type[BaseModel]]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models that settings of `model` are made of, each once, by its place in the file."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        for part in _parts(field.annotation):
            if not (isinstance(part, type) and issubclass(part, BaseModel)) or part in done | set(FORMATS.values()):
                continue
            done.add(part)
            shape = "[]" if get_origin(field.annotation) is tuple else ".NAME" if _is_map(field.annotation) else ""
            inner = f"{place}.{key}{shape}".lstrip(".")
            yield inner, part
            yield from _below(part, inner, done)


def _is_map(annotation: Any) -> bool:
    return get_origin(annotation) is dict


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is not Literal:
        for inner in get_args(annotation):
            yield from _parts(inner)


def _section(title: str, model: type[BaseModel], above: str, besides: type[BaseModel] | None = None) -> str:
    texts, hidden = told(model), set(besides.model_fields) if besides else set()
    rows = [
        row(f"`{field.alias or name}`", _what(field, texts.get(name, "")))
        for name, field in model.model_fields.items()
        if name not in hidden and not field.exclude
    ]
    table = "| setting | what |\n|---|---|\n" + "".join(rows) if rows else ""
    return f"## {title}\n\n{above}\n\n{table}"


def _what(field: FieldInfo, text: str) -> str:
    said = [text] if text else []
    choices = _choices(field.annotation)
    if not all(f"`{choice}`" in text for choice in choices):
        said.append("One of " + ", ".join(f"`{choice}`" for choice in choices) + ".")
    if field.is_required():
        said.append("Required.")
    elif (default := _shown(field.get_default(call_default_factory=True))) is not None:
        said.append(f"Default: `{default}`.")
    if isinstance(field.validation_alias, AliasChoices):
        others = [f"`{each}`" for each in field.validation_alias.choices[1:]]
        said.append(f"Also {', '.join(others)}." if others else "")
    return " ".join(filter(None, said))


def _choices(annotation: Any) -> list[str]:
    """The words that a setting can be, where these are all that it can be."""
    found: list[str] = []
    for part in _parts(annotation):
        if get_origin(part) is Literal:
            found += [str(value).encode("unicode_escape").decode() for value in get_args(part)]
        elif isinstance(part, type) and issubclass(part, Enum):
            found += [str(value) for value in part]
    return found if len(found) > 1 else []


def _shown(value: Any) -> str | None:
    """A default as one writes it; None where nothing is what it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
        return next(f"{seconds // size}{unit}" for unit, size in units if seconds % size == 0) if seconds else "0s"
    if value is None or isinstance(value, Strict | dict) or value == ():
        return None
    if isinstance(value, tuple):
        return ", ".join(f'"{each}"' for each in value)
    text = str(value).encode("unicode_escape").decode()
    return text if re.fullmatch(r"[\w@./{}~ -]+", text) else f'"{text}"'
