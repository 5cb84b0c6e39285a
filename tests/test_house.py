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

TESTS = Path(__file__).parent
EL = TESTS.parent / "el"
SHARED = ("sql", "documents")
OWN_FOLDERS = tuple(path.parent for path in EL.glob("connectors/*/__init__.py") if path.parent.name not in SHARED)
SCHEMES = {folder.name for folder in OWN_FOLDERS}
# Words of every day, or of Python and Arrow, which some database calls a type by too.
PLAIN_WORDS = {
    *("bit", "text", "time", "date", "float", "double", "int", "integer", "real", "xml", "json", "enum", "map"),
    *("timestamp", "decimal", "numeric", "binary", "boolean", "char", "money", "image", "vector", "interval", "uuid"),
    *("blob", "set", "year", "point", "bool", "name", "tid", "varchar", "rowversion", "array", "range", "path"),
    *("composite", "line", "box", "circle", "polygon", "text", "character", "cube", "seg", "raster", "int8"),
    *("document", "index"),
}
# Where a name may stand all the same, and why.
MAY_NAME = {
    # A warehouse is a part of el, not a connector: landing types, the ledger and the dbt models are made for each.
    "loading/": {"snowflake", "duckdb"},
    "codegen/": {"snowflake", "duckdb"},
    "types/rule.py": {"snowflake", "duckdb", "timestamp with time zone"},
    "types/mapping.py": {"snowflake", "duckdb"},
    # What el.yml calls the type of a document's field.
    "connectors/documents/": {"bigint", "timestamptz"},
    # The page shows the types of one source.
    "reporting/types_page.py": {"sqlserver"},
    # Files that SQL Server wrote say its types by name, and no connection is there to be asked.
    "dumps/formats/": {
        *("tinyint", "smallint", "bigint", "smallmoney", "datetime", "smalldatetime", "datetime2", "datetimeoffset"),
        *("uniqueidentifier", "nchar", "nvarchar", "ntext", "varbinary"),
    },
    # The sample shop is a DuckDB file, and so is its warehouse; its former database is a file that SQL Server wrote.
    "sample/": {"duckdb"},
    "sample/old_database.py": {"duckdb", "datetime", "nvarchar"},
}
MAY_SAY = {
    # It says what the sample stands in for.
    "sample/demo.py",
}


def modules() -> list[Path]:
    found = sorted(EL.rglob("*.py"))
    return [path for path in found if not any(path.is_relative_to(folder) for folder in OWN_FOLDERS)]


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """The texts of a module that are no docstrings: of a module, a class, a function, or of the field above."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
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


# A file is one concept, of about 300 lines; a function is about 40 lines. What is longer than this is two.
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 360, 60
# Tests that are of no folder of el: of the way as a whole, of the dbt project, of all connectors, of what they run on.
BESIDE_EL = {"pipeline", "dbt", "conformance", "guests", "examples", "install", "standins", "real", "databases", "site"}


def test_no_file_and_no_function_is_longer_than_one_concept() -> None:
    files, functions = {}, {}
    for path in EL.rglob("*.py"):
        text, place = path.read_text(encoding="utf-8"), path.relative_to(EL).as_posix()
        files[place] = text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{place}:{node.lineno} {node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    assert len(files) > 100
    for bound, lines in ((LINES_OF_A_FILE, files), (LINES_OF_A_FUNCTION, functions)):
        longest = dict(sorted(lines.items(), key=lambda item: -item[1])[:10])
        assert max(lines.values()) <= bound, f"divide by concept what is longer than {bound} lines; longest: {longest}"


def test_tests_lie_as_what_they_test_lies_in_el() -> None:
    top = {path.name for path in TESTS.glob("test_*.py")}
    assert top == {"test_house.py", "test_readme.py"}, "put it into the folder that is called as el's own"
    for path in TESTS.rglob("test_*.py"):
        folder = path.parent.relative_to(TESTS)
        if not folder.parts or folder.parts[0] in BESIDE_EL:
            continue
        assert (EL / folder).is_dir(), f"el has no folder {folder.as_posix()}: {path.name}"
    assert not {name for name in BESIDE_EL if not (TESTS / name).is_dir()}


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
