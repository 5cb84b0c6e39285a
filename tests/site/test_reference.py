"""The reference is made of the code; what the code says of a setting, a command, an error is there to be said."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from el.config.files_profile import FilesConfig
from el.config.settings import Config
from el.config.strict import Strict
from el.connectors.base import ConnectionConfig
from el.secrets.fields import names_of
from site_pages import settings
from site_pages.attributes import told
from site_pages.commands import commands, every_command

ROOT = Path(__file__).resolve().parents[2]
# Roles of Snowflake, and what the names of secret variables of dbt begin with.
NO_VARIABLES = {"EL_ENGINEER", "EL_OWNER", "EL_PII", "EL_STAGING", "DBT_ENV_SECRET_"}


def models(above: type[BaseModel] = Strict) -> Iterator[type[BaseModel]]:
    """What el.yml may hold: `Config`, and what it is made of."""
    for found in above.__subclasses__():
        if found.__module__.startswith("el.config."):
            yield found
            yield from models(found)


def test_each_setting_of_el_yml_says_what_it_is_and_stands_on_the_page() -> None:
    page = settings.el_yml(ROOT)
    assert Config in models()
    for model in models():
        for name, field in model.model_fields.items():
            if not field.exclude:
                assert f"| `{field.alias or name}` | {told(model)[name]}" in page, f"{model.__name__}.{name}"


def test_each_setting_of_a_connection_stands_on_the_page_and_says_what_it_is_there_or_on_the_connectors_own() -> None:
    page = settings.connections(ROOT)
    for title, model in [("files", FilesConfig), *settings.connectors(ROOT)]:
        (part,) = page.split(f"## type: {title}\n")[1:]
        part = part.partition("\n## ")[0]
        own = ROOT / "docs" / f"{title}.md"
        for name, field in model.model_fields.items():
            if name in ConnectionConfig.model_fields:
                continue
            assert f"| `{field.alias or name}` |" in part
            told_there = own.exists() and f"`{name}`" in own.read_text(encoding="utf-8")
            assert told(model).get(name) or told_there, f"{title}: write a text under `{name}`, as its neighbours have"


def test_a_default_a_choice_and_another_name_stand_beside_the_setting() -> None:
    page = settings.el_yml(ROOT)
    assert "| `every` | How often at most. Default: `1d`. |" in page
    assert "One of `auto`, `full`," in page
    assert "Also `server`." in settings.connections(ROOT)


@pytest.mark.parametrize(("name", "parser"), [(name, parser) for name, _, parser in every_command()])
def test_each_command_says_what_it_does_and_so_does_each_of_its_arguments(
    name: str, parser: argparse.ArgumentParser
) -> None:
    page = commands(ROOT)
    part = page.partition(f"# {name}\n")[2]
    assert part.strip()[0] != "|", f"{name} has no help"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        assert action.help or action.choices, f"{name} {action.dest} has no help"
        assert (action.option_strings or [""])[0] in part.partition("\n## ")[0]


@pytest.mark.parametrize("name", [name for name, _ in settings.connectors(ROOT)])
def test_a_page_names_no_field_that_its_connection_has_not(name: str) -> None:
    page, model = ROOT / "docs" / f"{name}.md", dict(settings.connectors(ROOT))[name]
    if not page.exists():
        return
    known = set().union(*(names_of(each, field) for each, field in model.model_fields.items()))
    table = page.read_text(encoding="utf-8").partition("\n| field |")[2].partition("\n\n")[0]
    named = [word for line in table.splitlines() for word in re.findall(r"`(\w+)`", line.split(" | ")[0])]
    assert set(named) <= known


def test_each_variable_that_is_read_stands_on_its_page() -> None:
    page = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
    read = {
        node.value
        for path in (ROOT / "el").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch("(EL|DBT)_[A-Z_]+", node.value)
    }
    read -= NO_VARIABLES
    for path in (ROOT / "dbt_project").rglob("*.*"):
        if path.suffix in (".sql", ".yml") and "target" not in path.parts:
            read |= set(re.findall(r"env_var\('((?:EL|DBT)_[A-Z_]+)'", path.read_text(encoding="utf-8")))
    assert read
    assert not {name for name in read if f"`{name}`" not in page}
