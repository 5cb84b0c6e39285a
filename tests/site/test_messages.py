"""Troubleshooting has every message that el can say: gathered from the code, held against the code and against runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from el.cli.app import main
from site_pages.messages import Message, errors, messages, troubleshooting
from site_pages.texts import Place, module, texts

ROOT = Path(__file__).resolve().parents[2]
NAMES = {cls.__name__ for cls in errors()}


@pytest.fixture(scope="module")
def found() -> list[Message]:
    return messages(ROOT)


def made_errors() -> Iterator[tuple[str, int]]:
    """Each place that calls what is, or is named by, an error's class: where the page has to have a message."""
    for path in (ROOT / "el").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        chosen = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp)
            for target in node.targets
            if isinstance(target, ast.Name)
            and {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)} & NAMES
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and not isinstance(node.func, ast.Attribute):
                named = {each.id for each in ast.walk(node.func) if isinstance(each, ast.Name)}
                called = {
                    each.func.id for each in ast.walk(node.func) if isinstance(getattr(each, "func", None), ast.Name)
                }
                if named & (NAMES | chosen) and not called:
                    yield path.relative_to(ROOT).as_posix(), node.lineno


def test_no_error_that_the_code_makes_is_missing(found: list[Message]) -> None:
    made = set(made_errors())
    assert len(made) > 600
    assert not made - {(message.path, message.line) for message in found}


def test_each_message_stands_under_its_error(found: list[Message]) -> None:
    page = troubleshooting(ROOT)
    for cls in errors()[1:]:
        part = page.partition(f"\n## {cls.__name__}\n")[2].partition("\n## ")[0]
        told = [text for text in part.split("\n\n") if text.strip() and not text.startswith(("??? ", "    "))]
        assert len(told) == 2 or cls.__name__ == "DifferencesFound", f"{cls.__name__} says not what to do"
        for message in found:
            if message.error == cls.__name__:
                assert f"{message.path}, line {message.line}</small>" in part


def says(template: str, line: str) -> bool:
    parts = re.split("‹[^›]*›", " ".join(template.split()))
    return len("".join(parts)) > 15 and re.search(".*".join(map(re.escape, parts)), line) is not None


@pytest.mark.parametrize(
    ("command", "el_yml"),
    [
        ("plan", None),
        ("plan", "version: 1\n"),
        ("plan", "version: 1\nsource: shop\ndestination: warehouse\n"),
        ("plan", "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: a.b, stratgy: full}]\n"),
        ("plan", "version: 1\nsource: nowhere\ndestination: warehouse\ntables: [{name: a.b}]\n"),
        ("plan", "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: a.b, accept: [all]}]\n"),
        ("plan", "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: a.b, lag: soon}]\n"),
        ("plan", "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: no.table}]\n"),
        ("run", "version: 1\nsource: shop\ndestination: shop\ntables: [{name: main.t, cursor: nothing}]\n"),
        ("codegen", "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: main.t}]\n"),
    ],
)
def test_what_a_command_says_is_found_on_the_page(
    command: str,
    el_yml: str | None,
    found: list[Message],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import duckdb

    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles.yml").write_text(
        "shop: {target: it, outputs: {it: {type: duckdb, path: shop.duckdb}}}\n"
        "warehouse: {target: it, outputs: {it: {type: duckdb, path: warehouse.duckdb}}}\n"
    )
    with duckdb.connect("shop.duckdb") as connection:
        connection.execute("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    if el_yml is not None:
        (tmp_path / "el.yml").write_text(el_yml)
    assert main([command]) != 0
    said = capsys.readouterr()
    lines = [line for line in (said.err + said.out).splitlines() if line.strip()]
    assert any(says(template, line) for message in found for template in message.templates for line in lines), lines


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'a plain text'", ["a plain text"]),
        ("f'{table.name}: no key'", ["‹table name›: no key"]),
        ("'one way' if x else 'another way'", ["one way", "another way"]),
        ("'; '.join(problems)", ["a problem here", "one ‹more› there"]),
        ("why(x)", ["because of it", "for no reason"]),
        ("f'{x}: {why(x)}'", ["‹x›: because of it", "‹x›: for no reason"]),
        ("f'take {WORD}'", ["take this word"]),
        ("f'no table{close(x)}'", ["no table, but one is close", "no table"]),
        ("str(error)", ["‹error›"]),
    ],
)
def test_a_text_is_followed_to_where_it_is_written(expression: str, expected: list[str]) -> None:
    of = module("el.errors")
    assert of is not None
    code = (
        "WORD = 'this word'\n"
        "def close(x):\n    return ', but one is close' if x else ''\n"
        "def why(x):\n    return 'because of it' if x else 'for no reason'\n"
        "def it(x):\n    problems = ['a problem here']\n    problems.append(f'one {more} there')\n"
        f"    return {expression}\n"
    )
    tree = ast.parse(code)
    function = tree.body[-1]
    assert isinstance(function, ast.FunctionDef)
    assert isinstance(function.body[-1], ast.Return)
    place = Place(type(of)(f"el.test.{expression}", tree), function)
    assert texts(function.body[-1].value, place) == expected
