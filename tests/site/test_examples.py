"""What README.md and docs/ show can be typed as it stands: commands by the parser, YAML by the models, five minutes by
running them."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment
from pydantic import ValidationError

from el.cli.app import _parser, main
from el.config.files_profile import FilesConfig
from el.config.settings import load_config
from el.config.tables import TableSettings
from el.connectors.registry import connector_class
from el.sample import shop
from site_pages.commands import every_command

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EL = re.compile(r"^(\.venv/bin/)?(python -m el(\.run)?|el)$")
# el's commands; what follows a sign of the shell is another one.
COMMAND = re.compile(r"(?:^|[\s(])((?:\.venv/bin/)?python -m el(?:\.run)?(?: [^`|&;)<>#\n]*)?)")
# By their keys: the encrypted store, which `secrets` writes; a line of a profile.
OTHERS = {"connections", "password"}
# Of el.yml, and what a page leaves out of it.
EL_YML = {"source": "shop", "destination": "warehouse", "version": 1}


def blocks(page: Path, *kinds: str) -> Iterator[str]:
    for indent, kind, text in re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.S | re.M):
        if kind in kinds:
            yield re.sub(rf"^{indent}", "", text, flags=re.M)


def commands(page: Path) -> Iterator[str]:
    """Each call of el in a block."""
    yield from (found.strip() for found in COMMAND.findall("\n".join(blocks(page, "bash", "sh"))))


def named(page: Path) -> Iterator[str]:
    """What a line of text says of a command: its name at least, with a flag that it may have."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    yield from (" ".join(span.split()) for span in re.findall(r"`(python -m el [^`]+)`", text))


def parse(command: str) -> None:
    """Raises `SystemExit` where el's own parser does not take it."""
    words = shlex.split(command)
    if words[:3] == [words[0], "-m", "el.run"]:
        words[3:3] = ["run"]
    _parser().parse_args(words[3:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_is_one_that_el_takes(page: Path) -> None:
    for command in commands(page):
        parse(command)
    known = {name: parser for name, _, parser in every_command()}
    for command in named(page):
        words = command.partition(" -- ")[0].split()[3:]
        name = next((found for found in (" ".join(words[:2]), words[0]) if found in known), None)
        assert name is not None, command
        flags = {flag for action in known[name]._actions for flag in action.option_strings}
        assert {word for word in words if word.startswith("--")} <= flags, command


def test_commands_are_found() -> None:
    found = [command for page in PAGES for command in commands(page)]
    assert len(found) > 20
    assert len([span for page in PAGES for span in named(page)]) > 10
    assert "python -m el plan --why" in found
    with pytest.raises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        parse("python -m el plan --no-such-flag")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_of_commands_is_without_its_kind(page: Path) -> None:
    assert not [block for block in blocks(page, "") if "python -m el" in block or "dbt " in block]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_within_a_list_stays_within_it(page: Path) -> None:
    """The site's Markdown wants four characters there; with less, the list ends and begins again from 1."""
    assert not re.findall(r"^ {1,3}```.*", page.read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_yaml_is_read_by_the_models_that_read_such_a_file(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml", "yml"):
        content = yaml.safe_load(block)
        if isinstance(content, list):
            content = {"dumps" if "files" in content[0] else "tables": content}
        if not set(content) - set(TableSettings.model_fields):
            content = {"tables": [{"name": "a.b", **content}]}
        if set(content) & OTHERS:
            continue
        if any(isinstance(part, dict) and "outputs" in part for part in content.values()):
            for profile in content.values():
                for output in profile["outputs"].values():
                    _connects(output)
        elif "type" in content or all(isinstance(part, dict) and "type" in part for part in content.values()):
            for output in [content] if "type" in content else content.values():
                _connects(output)
        else:
            file = tmp_path / "el.yml"
            # As it is written, for el.yml has more in it than YAML has: where each key stands.
            file.write_text(yaml.safe_dump({**EL_YML, "tables": [{"name": "a.b"}], **content}))
            load_config(file)


def _connects(output: dict[str, Any]) -> None:
    """Read an output of a profile, with something in the place of each variable and secret."""
    template = Environment().from_string
    rendered = {
        name: template(value).render(env_var=lambda _, default="x": default) if isinstance(value, str) else value
        for name, value in output.items()
    }
    if rendered["type"] == "files":
        FilesConfig.model_validate(rendered)
    else:
        known = connector_class(rendered["type"]).config_type
        try:
            known.model_validate(rendered)
        except ValidationError as error:
            # A page may show a part of an output.
            wrong = [each for each in error.errors() if each["type"] != "missing"]
            if wrong:
                raise


def test_readmes_five_minutes_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the installation and dbt's build, which are tested where they are built."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EL_HOME", str(tmp_path / ".el"))
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    (tmp_path / "local").mkdir()
    shop.create(tmp_path / "local" / "shop.duckdb")
    # What a person answers to the questions of `init`.
    answers = "--source duckdb --path local/shop.duckdb --to duckdb --to-path local/warehouse.duckdb"
    found = list(commands(ROOT / "README.md"))
    assert [command.split()[3] for command in found] == ["init", "check", "grants", "plan", "run", "codegen"]
    for command in found:
        words = shlex.split(f"{command} {answers}" if command.endswith(" init") else command)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(words[3:])
        assert code == 0, f"{command}: {said.getvalue()}"
    assert list((tmp_path / "dbt_project" / "models").rglob("stg_shop__orders.sql"))
