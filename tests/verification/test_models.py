"""`verify --models`: each fault that is put into a schema table is found with its key and column, and nothing else.

The project is a user's own: it calls schemas otherwise, and one of its models was changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from el.cli.app import main
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from tests.dbt.project import Project, copy_project
from tests.standins.snowflake import SnowflakeStandIn

EL_YML = """\
version: 1
source: shop
destination: warehouse
dbt: {schema: core}
defaults: {workers: 1, retries: 0}
tables:
  - {name: main.notes}
  - {name: main.flagged, model: {kind: current, deleted: flag}}
  - {name: main.events, cursor: seen, model: [current, history, log]}
  - {name: main.plain}
  - {name: main.edited}
"""
COLUMNS = (
    '(id INTEGER{key}, body VARCHAR, price DOUBLE, ref UUID, day DATE, seen TIMESTAMP NOT NULL, "order" BLOB, '
    "span INTERVAL, bits BIT, moment TIMESTAMPTZ, fine TIMESTAMP_NS, noon TIME)"
)
ROWS = """
SELECT i, 'note ' || i, i / 7, '0badc0de-0000-4000-8000-0000000000' || (10 + i), DATE '2024-01-01' + i::INTEGER,
    TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR, 'x',
    CASE WHEN i NOT IN (9, 11) THEN INTERVAL (i * 31) DAY END, CASE WHEN i NOT IN (9, 11) THEN '0101'::BIT END,
    CASE WHEN i NOT IN (9, 11) THEN TIMESTAMPTZ '2024-01-01 00:00:00.000001+02' + INTERVAL (i) DAY END,
    CASE WHEN i NOT IN (9, 11) THEN '2024-01-01 00:00:00.123456789'::TIMESTAMP_NS END,
    CASE WHEN i NOT IN (9, 11) THEN TIME '23:59:59.999999' END
FROM range(50) AS t (i)
"""
TABLES = ("notes", "flagged", "events", "plain", "edited")
MODELS = ("notes", "flagged", "events", "events_history", "events_log", "plain", "edited")
BUILT = (*(f"dw_core.{model}" for model in MODELS), "dw_staging.el_loads_taken")
SCHEMA_NAME = "{% macro generate_schema_name(custom, node) %}dw_{{ custom or target.schema }}{% endmacro %}"


@dataclass
class Shop:
    """A source, a warehouse, and a dbt project; commands run in `project.path`."""

    project: Project
    warehouse: dict[str, Any]
    capsys: pytest.CaptureFixture[str] | None = None

    def source(self, *statements: str) -> None:
        with duckdb.connect(str(self.project.path / "shop.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """What the last of the statements gives in the warehouse."""
        with open_connector(self.warehouse) as connector:
            assert isinstance(connector, SqlConnector)
            for statement in statements[:-1]:
                connector.execute(Statement(statement))
            if statements[-1].startswith("SELECT"):
                return connector.fetch(Statement(statements[-1]))
            connector.execute(Statement(statements[-1]))
        return []

    def verified(self, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """What was said of each schema table, by its name."""
        assert self.capsys is not None
        self.capsys.readouterr()
        found = main(["verify", "--models", "--json", *arguments])
        said = self.capsys.readouterr()
        assert found == code, said
        return {table["target"]: table for table in json.loads(said.out)["tables"] if table["target"]}

    def not_noted(self, model: str) -> list[str]:
        """Have dbt not know that the model took the second load; the table's loads."""
        table = model.removesuffix("_log")
        found = self.sql(f"SELECT _dlt_load_id FROM shop_main._el_ledger WHERE table_name = '{table}' ORDER BY 1")
        second = found[1][0]
        self.sql(f"DELETE FROM dw_staging.el_loads_taken WHERE load_id = '{second}' AND model = 'dw_core.{model}'")
        return [str(load) for (load,) in found]

    def of(self, model: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        table = model.removesuffix("_history").removesuffix("_log")
        return self.verified("--select", f"main.{table}", *arguments, code=code)[f"dw_core.{model}"]


@pytest.fixture(scope="module", params=["duckdb", "snowflake"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two loads, each built; before the second one a row was changed, and one deleted."""
    folder = tmp_path_factory.mktemp("models")
    if request.param == "duckdb":
        yield make(folder, {"type": "duckdb", "path": str(folder / "warehouse.duckdb"), "schema": "main"})
    else:
        with SnowflakeStandIn() as standin:
            yield make(folder, standin.dbt_output())


def make(folder: Path, warehouse: dict[str, Any]) -> Shop:
    shop = Shop(Project(folder), warehouse)
    profiles = {
        "shop": {"target": "local", "outputs": {"local": {"type": "duckdb", "path": str(folder / "shop.duckdb")}}},
        "warehouse": {"target": "local", "outputs": {"local": warehouse}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    (folder / "el.yml").write_text(EL_YML)
    copy_project(folder, generated=False)
    (folder / "dbt_project" / "macros" / "generate_schema_name.sql").write_text(SCHEMA_NAME)
    for table in TABLES:
        key = "" if table == "plain" else " PRIMARY KEY"
        shop.source(
            f"CREATE TABLE {table} {COLUMNS.format(key=key)}",
            f"INSERT INTO {table} {ROWS}",
            f"UPDATE {table} SET body = '', price = {'8' if table == 'events' else '-0.0'}::DOUBLE WHERE id = 8",
            f'UPDATE {table} SET "order" = NULL WHERE id = 8',
        )
    shop.project.load()
    shop.project.el("codegen")
    change(folder / "dbt_project" / "models" / "core")
    shop.project.models()
    for table in TABLES:
        shop.source(
            f"UPDATE {table} SET body = 'later', seen = '2024-06-01' WHERE id = 9",
            f"DELETE FROM {table} WHERE id = 11",
        )
    shop.project.load()
    shop.project.models()
    shop.sql("CREATE SCHEMA saved")
    for place in BUILT:
        shop.sql(f"CREATE TABLE saved.{place.partition('.')[2]} AS SELECT * FROM {place}")
    return shop


def change(models: Path) -> None:
    """Someone leaves a column out of a model, and gives it one of their own."""
    model = models / "edited.sql"
    text = model.read_text()
    assert "    price,\n" in text
    model.write_text(text.replace("    price,\n", "    upper(body) as loud,\n"))
    described = models / "edited.yml"
    text = described.read_text()
    assert "name: price" in text
    described.write_text(text.replace("name: price", "name: loud").replace("data_type: double", "data_type: varchar"))


@pytest.fixture
def shop(built: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    """With the schema tables, and what dbt noted of them, as they were built."""
    monkeypatch.chdir(built.project.path)
    monkeypatch.setenv("DBT_TARGET_PATH", str(built.project.path / "target"))
    monkeypatch.delenv("EL_TARGET", raising=False)
    built.capsys = capsys
    yield built
    for place in BUILT:
        built.sql(f"DELETE FROM {place}", f"INSERT INTO {place} SELECT * FROM saved.{place.partition('.')[2]}")


def test_what_was_built_is_equal_in_every_kind_of_model(shop: Shop) -> None:
    found = shop.verified()
    assert {name: (each["verdict"], each["counts"]["equal"]) for name, each in found.items()} == {
        "dw_core.notes": ("EQUAL", 49),
        "dw_core.flagged": ("EQUAL", 49),
        "dw_core.events": ("EQUAL", 50),
        "dw_core.events_history": ("EQUAL", 50),
        "dw_core.events_log": ("EQUAL", 51),
        "dw_core.plain": ("EQUAL", 49),
        "dw_core.edited": ("EQUAL", 49),
    }
    assert not any(each["not_compared"] for name, each in found.items() if name != "dw_core.edited")
    noted = shop.sql("SELECT target, verdict, equal_rows FROM shop_main._el_verified WHERE target = 'dw_core.plain'")
    assert noted[:1] == [("dw_core.plain", "EQUAL", 49)]


FAULTS = {  # by the key of the row: what is done to it, what is found, in which column
    1: ("DELETE FROM {t} WHERE id = 1", "missing", []),
    2: ("INSERT INTO {t} SELECT * FROM saved.notes WHERE id = 2", "doubled", []),
    3: ("UPDATE {t} SET body = body || ' ' WHERE id = 3", "different", ["body"]),
    4: ("UPDATE {t} SET day = '2023-01-01' WHERE id = 4", "different", ["day"]),
    5: ("UPDATE {t} SET body = 'note 6' WHERE id = 5", "different", ["body"]),
    6: ("UPDATE {t} SET body = 'note 5' WHERE id = 6", "different", ["body"]),
    7: ("UPDATE {t} SET price = price + 1e-15 WHERE id = 7", "different", ["price"]),
    # DuckDB takes 0.0 for what is there already.
    8: ("UPDATE {t} SET price = 5, body = NULL WHERE id = 8; UPDATE {t} SET price = 0.0 WHERE id = 8", "different", []),
    9: ("UPDATE {t} SET body = 'note 9', seen = '2024-01-01 09:00:00' WHERE id = 9", "different", ["body", "seen"]),
    11: ("INSERT INTO {t} SELECT * REPLACE (11 AS id) FROM saved.notes WHERE id = 12", "extra", []),
    13: ("UPDATE {t} SET order_ = NULL WHERE id = 13", "different", ["order_"]),
}
FAULTS[8] = (*FAULTS[8][:2], ["body", "price"])


def test_every_fault_in_a_schema_table_is_found_with_its_key_and_column(shop: Shop) -> None:
    """A lost row, a doubled one, a blank, a day, a swapped pair, a digit, NULL for "", 0.0 for -0.0, an old version, a
    deleted row that is still there, NULL for bytes.
    """
    for sql, _, _ in FAULTS.values():
        shop.sql(*sql.format(t="dw_core.notes").split("; "))
    found = shop.of("notes", code=4)
    assert found["verdict"] == "DIFFERENT"
    shown = {int(each["key"]["id"]): (each["kind"], each["columns"]) for each in found["samples"]}
    assert shown == {key: (kind, columns) for key, (_, kind, columns) in FAULTS.items()}
    assert found["columns"] == {"body": 5, "price": 2, "day": 1, "seen": 1, "order_": 1}
    assert not any(each["values"] for each in found["samples"])
    counts = found["counts"]
    assert (counts["missing"], counts["extra"], counts["different"], counts["equal"]) == (1, 2, 8, 40)


def test_values_are_shown_where_that_is_asked_for(shop: Shop) -> None:
    shop.sql("UPDATE dw_core.notes SET body = CASE id WHEN 7 THEN 'note 10' ELSE 'note 7' END WHERE id IN (7, 10)")
    assert [(each["key"]["id"], each["values"]) for each in shop.of("notes", "--show-values", code=4)["samples"]] == [
        ("7", {"body": ["note 7", "note 10"]}),
        ("10", {"body": ["note 10", "note 7"]}),
    ]


# What is done to a model; how many rows are missing, extra and different then. Of two versions of which one is too
# many, nothing tells which: 9 is extra, and may be different too.
OF_KINDS: dict[str, tuple[list[str], list[tuple[int, int, int]]]] = {
    "flagged": (["SET _el_deleted = FALSE WHERE id = 11", "SET _el_deleted = TRUE WHERE id = 7"], [(1, 1, 0)]),
    "events_history": (
        [
            "SET body = 'x' WHERE id = 7 AND _el_valid_to IS NULL",
            "SET _el_valid_to = NULL WHERE id = 9",
            "SET _el_valid_to = '9' WHERE id = 10",
        ],
        [(1, 1, 1), (1, 1, 2)],
    ),
    "events_log": (["SET body = body || ' ' WHERE id = 7"], [(1, 1, 0)]),
    "plain": (["SET body = NULL WHERE id = 8"], [(1, 1, 0)]),
    "edited": (["SET body = 'x' WHERE id = 7"], [(0, 0, 1)]),
}


def test_every_kind_of_model_is_held_to_what_it_has_to_hold(shop: Shop) -> None:
    for model, (changes, _) in OF_KINDS.items():
        for change in changes:
            shop.sql(f"UPDATE dw_core.{model} {change}")
    found = shop.verified(code=4)
    for model, (_, wanted) in OF_KINDS.items():
        counts = found[f"dw_core.{model}"]["counts"]
        assert (counts["missing"], counts["extra"], counts["different"]) in wanted, model
    assert found["dw_core.notes"]["verdict"] == "EQUAL"


def test_of_a_changed_model_is_said_what_is_not_compared(shop: Shop) -> None:
    found = shop.of("edited")
    assert set(found["not_compared"]) == {"price", "loud"}
    assert any("not as codegen wrote it" in note for note in found["notes"])
    assert not shop.of("notes")["notes"]


def test_a_build_that_lags_behind_raw_is_no_difference(shop: Shop) -> None:
    """As if the second load had not been built: the schema tables as the first build left them, and its notes."""
    late = {"notes": 49, "events": 1, "events_log": 1}
    for model in late:
        raw = model.removesuffix("_log")
        first = shop.not_noted(model)[0]
        shop.sql(
            f"DELETE FROM dw_core.{model} WHERE id IN (9, 11)",
            f"INSERT INTO dw_core.{model} (id, {REST}, ref, order_) SELECT id, {REST}, CAST(ref AS UUID), order_ FROM "
            f"(SELECT *, {ORDER} AS order_ FROM shop_main.{raw}) AS r WHERE _dlt_load_id = '{first}' AND id IN (9, 11)",
        )
    found = shop.verified()
    for model, rows in late.items():
        one = found[f"dw_core.{model}"]
        assert (one["verdict"], one["counts"]["late"], one["counts"]["equal"]) == ("EQUAL", rows, 50), model


REST = "body, price, day, seen, _dlt_load_id, _el_op, _el_position, _el_extracted_at"
ORDER = '"order"'


def test_what_a_build_took_and_did_not_note_yet_is_no_difference(shop: Shop) -> None:
    """A build notes at its end what it took: one that is at work, or was killed, is ahead of its notes."""
    for model in ("notes", "events", "events_log"):
        shop.not_noted(model)
    found = shop.verified(code=1)
    assert {found[f"dw_core.{model}"]["verdict"] for model in ("events", "events_log")} == {"EQUAL"}
    # What a snapshot lacks, a build removes: nothing tells yet whether that is why a row is gone.
    assert found["dw_core.notes"]["verdict"] == "UNDECIDED"
    assert "dbt build" in found["dw_core.notes"]["why"]
    for model in ("events", "events_log"):
        shop.sql(f"UPDATE dw_core.{model} SET body = 'x' WHERE id = 7")
    found = shop.verified("--select", "main.events", code=4)
    assert [each["key"] for each in found["dw_core.events"]["samples"]] == [{"id": "7"}]
    assert found["dw_core.events_log"]["verdict"] == "DIFFERENT"


def test_without_a_manifest_one_line_says_what_to_do(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", "nowhere")
    assert main(["verify", "--models"]) == 2
    assert shop.capsys is not None
    assert "dbt parse" in shop.capsys.readouterr().err


def test_a_schema_table_that_is_not_there_is_refused_by_name(shop: Shop) -> None:
    shop.sql("ALTER TABLE dw_core.plain RENAME TO away")
    try:
        found = shop.of("plain", code=1)
        assert found["verdict"] == "REFUSED"
        assert "plain" in found["why"].lower()
    finally:
        shop.sql("ALTER TABLE dw_core.away RENAME TO plain")
