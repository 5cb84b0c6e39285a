"""README names every command, flag and setting in short lines, and each guarantee leads to tests that are there."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from pydantic import BaseModel

import el
from el.cli.app import _parser
from el.config.files_profile import FilesConfig
from el.config.settings import Config
from el.config.strict import Strict
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.sqlserver.config import SqlServerConfig

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


def models(above: type[BaseModel] = Strict) -> Iterator[type[BaseModel]]:
    """What el.yml may hold: `Config`, and what it is made of."""
    for found in above.__subclasses__():
        if found.__module__.startswith("el.config."):
            yield found
            yield from models(found)


def settings() -> list[tuple[str, str]]:
    assert Config in models()
    own = [
        (model.__name__, field.alias or name)
        for model in models()
        for name, field in model.model_fields.items()
        if name != "path"
    ]
    connections = [
        (model.__name__, field.alias or name)
        for model in (SqlServerConfig, SnowflakeConfig, DuckDbConfig, FilesConfig)
        for name, field in model.model_fields.items()
    ]
    return [*own, *connections]


def commands() -> list[tuple[str, str]]:
    found = []
    for action in _parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                found.append((name, ""))
                found += [(name, flag) for item in command._actions for flag in item.option_strings if flag[:2] == "--"]
    return [(name, flag) for name, flag in found if flag not in ("--help", "--traceback")]


@pytest.mark.parametrize(("model", "setting"), settings(), ids=lambda value: str(value))
def test_readme_tells_of_every_setting(model: str, setting: str) -> None:
    assert re.search(rf"`(\w+\.)?{re.escape(setting)}\b[^`]*`", README), f"{model}.{setting} is not in README.md"


@pytest.mark.parametrize(("command", "flag"), commands(), ids=lambda value: str(value))
def test_every_command_and_flag_is_told_of(command: str, flag: str) -> None:
    told = README + "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    assert f"`{flag or command}" in told, f"{command} {flag} is neither in README.md nor in docs/"


def test_every_test_that_the_guarantees_name_is_there() -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", GUARANTEES)
    assert len(named) == len(re.findall("`test_", GUARANTEES)) > 90
    missing = [(name, path) for name, path in named if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")]
    assert not missing


def test_every_claim_of_readme_leads_to_its_tests() -> None:
    claims = README.partition("## Guarantees")[2].partition("## Types")[0]
    rows = [line for line in claims.splitlines() if line.startswith("| ")][1:]
    headings = {line.removeprefix("## ") for line in GUARANTEES.splitlines() if line.startswith("## ")}
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert rows
    for row in rows:
        (found,) = re.findall(r"\(docs/guarantees\.md#([\w-]+)\)", row)
        assert found in anchors, row


def test_no_line_of_readme_is_longer_than_a_reader_in_a_hurry_reads() -> None:
    long = [line for line in README.splitlines() if len(line) > (160 if line.startswith("|") else 120)]
    assert not long, "one idea a line: divide it, or say the rest below the table"


def test_no_path_of_a_machine_stands_in_what_people_read() -> None:
    for name in ("README.md", "DECISIONS.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|work|opt|tmp)/", text), name


def test_the_python_of_readme_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles.yml").write_text(
        "warehouse: {target: it, outputs: {it: {type: duckdb, path: warehouse.duckdb}}}\n"
    )
    with duckdb.connect("warehouse.duckdb") as connection:
        connection.execute(
            "CREATE SCHEMA shop_main; CREATE SCHEMA analytics;"
            "CREATE TABLE shop_main.orders (order_id BIGINT, note TEXT);"
            "INSERT INTO shop_main.orders VALUES (1, 'a'), (2, 'b');"
            "CREATE TABLE analytics.predictions (order_id BIGINT, score DOUBLE)"
        )
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    for _ in range(2):
        exec(compile(code, "README.md", "exec"), {})
    with duckdb.connect("warehouse.duckdb") as connection:
        assert connection.execute("FROM analytics.predictions ORDER BY 1").fetchall() == [(1, 0.5), (2, 0.5)]


def test_el_has_what_it_says() -> None:
    assert {name for name in el.__all__ if getattr(el, name) is not None} == set(el.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = el.nothing
