"""Tables of any name are named as plan prints them, or in the source's quotes; an exact spelling wins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.cli.app import main
from el.config.table_pattern import TablePattern, quoted
from el.connectors.catalog import TableName
from el.errors import ConfigError
from tests.shop import Workspace, inside

HEAD = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {workers: 1, retries: 0}\ntables:\n"
ODD = [("j.doe", "prices v1.2"), ("main", "t[1]"), ("CORP\\jdoe", "orders"), ("main", "a.b"), ("main", 'say "x"')]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    shop = Workspace(tmp_path).create()
    for number, (schema, name) in enumerate([*ODD, ("main", "t1"), ("j", "doe")]):
        whole = quoted(TableName(schema, name))
        shop.source(f'CREATE SCHEMA IF NOT EXISTS "{schema}"; CREATE TABLE {whole} AS SELECT {number} AS n')
    with inside(tmp_path):
        yield shop


def taken(command: str, shop: Workspace, capsys: pytest.CaptureFixture[str], name: str, *arguments: str) -> set[str]:
    """The tables that `plan` shows or `run` loads where el.yml has one entry of this name."""
    (shop.path / "el.yml").write_text(f"{HEAD}  - {{name: {json.dumps(name)}}}\n", encoding="utf-8")
    capsys.readouterr()
    assert main([command, "--json", *arguments]) == 0
    return {table["table"] for table in json.loads(capsys.readouterr().out)["tables"]}


@pytest.mark.parametrize(("schema", "name"), ODD)
def test_a_table_is_named_as_it_is_printed_or_in_quotes(
    shop: Workspace, capsys: pytest.CaptureFixture[str], schema: str, name: str
) -> None:
    printed = f"{schema}.{name}"
    square = ".".join("[" + part.replace("]", "]]") + "]" for part in (schema, name))
    for spelt in (printed, quoted(TableName(schema, name)), square, printed.upper()):
        assert taken("plan", shop, capsys, spelt) == {printed}
        assert taken("plan", shop, capsys, "*.*", "--select", spelt) == {printed}
    assert taken("plan", shop, capsys, "*.*", "--select", name) >= {printed}
    assert taken("run", shop, capsys, square, "--select", name, "--confirm-deletes", printed) == {printed}
    assert main(["state", "reset", printed, "--yes"]) == 0
    assert printed in capsys.readouterr().out


def test_a_glob_over_a_schema_takes_no_schema_whose_name_begins_so(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert taken("plan", shop, capsys, "j.*") == {"j.doe"}
    assert taken("plan", shop, capsys, "j.doe.*") == {"j.doe.prices v1.2"}
    assert taken("plan", shop, capsys, '"j.doe".*') == {"j.doe.prices v1.2"}


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(st.lists(st.builds(TableName, NAMES, NAMES), min_size=1, max_size=6, unique=True))
def test_every_table_can_be_named_alone_by_its_quoted_name(names: list[TableName]) -> None:
    for name in names:
        assert TablePattern.parse(quoted(name)).of(names) == [name]
        assert TablePattern.parse(quoted(name)).plain == name


@given(st.lists(st.builds(TableName, NAMES, NAMES), min_size=1, max_size=6, unique=True))
def test_a_printed_name_names_its_table_or_is_refused_where_it_is_that_of_two(names: list[TableName]) -> None:
    for name in names:
        try:
            found = TablePattern.parse(str(name)).of(names)
        except ConfigError:
            assert len(names) > 1
        else:
            assert found == [name]


def test_one_spelling_of_two_tables_is_refused_with_both() -> None:
    names = [TableName("a.b", "c"), TableName("a", "b.c")]
    with pytest.raises(ConfigError, match=r'a\.b\.c is the name of "a\.b"\."c" and "a"\."b\.c"'):
        TablePattern.parse("a.b.c").of(names)


def test_an_exact_spelling_wins_over_one_that_differs_in_capitals() -> None:
    names = [TableName("dbo", "Orders"), TableName("dbo", "orders")]
    assert TablePattern.parse("dbo.orders").of(names) == names[1:]
    assert TablePattern.parse("dbo.Orders").of(names) == names[:1]
    assert TablePattern.parse("dbo.ORDERS").of(names) == names
    assert TablePattern.parse("dbo.o*").of(names) == names
    assert TablePattern.parse("Orders", bare=True).of(names) == names[:1]


@pytest.mark.parametrize("text", ["", "orders", ".orders", "sales.", '"sales.orders"', "[sales.orders]"])
def test_what_has_no_schema_is_no_name_of_an_entry(text: str) -> None:
    with pytest.raises(ValueError, match=r"schema\.table"):
        TablePattern.parse(text)
