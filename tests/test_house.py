"""What the house's rules forbid in el's code, looked for in the code itself.

A database's own words (its type names, the name under which profiles.yml knows it, its SQL) stand in its connector's
folder. Everything else asks: the rule of a type (`TypeFacts`), the dialect, `text_rule`, the abilities, the catalog.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from el.connectors.registry import connector_class

EL = Path(__file__).parent.parent / "el"
SHARED = ("sql", "documents")
OWN_FOLDERS = tuple(path.parent for path in EL.glob("connectors/*/__init__.py") if path.parent.name not in SHARED)
SCHEMES = {folder.name for folder in OWN_FOLDERS}
# Words of every day, or of Python and Arrow, which some database calls a type by too.
PLAIN_WORDS = {
    *("bit", "text", "time", "date", "float", "double", "int", "integer", "real", "xml", "json", "enum", "map"),
    *("timestamp", "decimal", "numeric", "binary", "boolean", "char", "money", "image", "vector", "interval", "uuid"),
    *("blob", "set", "year", "point", "bool", "name", "tid", "varchar", "rowversion"),
}
# Where a name may stand all the same, and why.
MAY_NAME = {
    # A warehouse is a part of el, not a connector: landing types, the ledger and the dbt models are made for each.
    "loading/": {"snowflake", "duckdb"},
    "codegen/": {"snowflake", "duckdb"},
    "types/rule.py": {"snowflake", "duckdb", "timestamp with time zone"},
    "types/mapping.py": {"snowflake", "duckdb"},
    # README shows the types of one source.
    "reporting/readme_types.py": {"sqlserver"},
    # Files that SQL Server wrote say its types by name, and no connection is there to be asked.
    "dumps/formats/": {
        *("tinyint", "smallint", "bigint", "smallmoney", "datetime", "smalldatetime", "datetime2", "datetimeoffset"),
        *("uniqueidentifier", "nchar", "nvarchar", "ntext", "varbinary"),
    },
    # The sample shop is a DuckDB file, and so is its warehouse.
    "sample/": {"duckdb"},
}
MAY_SAY = {
    # A strategy that el.yml calls by SQL Server's own name: other databases are refused by their abilities.
    "planning/strategies/rowversion.py",
    # It says what the sample stands in for.
    "sample/demo.py",
}


def modules() -> list[Path]:
    found = sorted(EL.rglob("*.py"))
    return [path for path in found if not any(path.is_relative_to(folder) for folder in OWN_FOLDERS)]


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """The texts of a module that are no docstrings."""
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node


def allowed(path: Path, word: str) -> bool:
    place = path.relative_to(EL).as_posix()
    return any(place.startswith(where) and word in words for where, words in MAY_NAME.items())


def type_names() -> set[str]:
    rules = [getattr(connector_class(scheme), "rules", ()) for scheme in SCHEMES]
    return {name for found in rules for rule in found for name in rule.names} - PLAIN_WORDS


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(EL).as_posix())
def test_a_databases_names_stand_in_its_own_folder(path: Path) -> None:
    names = type_names() | SCHEMES
    found = {
        (node.value, node.lineno)
        for node in texts(ast.parse(path.read_text(encoding="utf-8")))
        if node.value.lower() in names and not allowed(path, node.value.lower())
    }
    assert not found, f"ask the rule of the type, or the connector: {sorted(found)}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(EL).as_posix())
def test_nothing_is_decided_by_the_name_of_a_connector_or_of_a_type(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        of_connector = any(isinstance(side, ast.Attribute) and side.attr == "scheme" for side in sides)
        of_type = any(
            isinstance(side, ast.Attribute)
            and side.attr == "name"
            and (getattr(side.value, "attr", None) == "type" or getattr(side.value, "id", None) == "type_")
            for side in sides
        )
        constant = any(isinstance(side, ast.Constant | ast.Tuple | ast.Set) for side in sides)
        assert not (constant and (of_connector or of_type)), f"{path.relative_to(EL)}:{node.lineno}"


VENDORS_SENTENCES = ("READ COMMITTED", "SQL Server", "MIN_ACTIVE_ROWVERSION", "sp_cdc_", "ALTER DATABASE")


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(EL).as_posix())
def test_what_is_said_of_any_source_is_said_in_no_databases_words(path: Path) -> None:
    found = {
        (vendor, node.lineno)
        for node in texts(ast.parse(path.read_text(encoding="utf-8")))
        for vendor in VENDORS_SENTENCES
        if vendor in node.value
    }
    if path.relative_to(EL).as_posix() in MAY_SAY:
        assert found, "it need not be allowed any longer"
    else:
        assert not found, f"let the connector give the words: {sorted(found)}"
