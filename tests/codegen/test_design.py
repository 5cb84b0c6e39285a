"""What is made of each table: names that need no quotes and are unique, kinds by what the table has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import yaml
from jinja2 import Template

from el.codegen import Generated, generate
from el.codegen.constraints import model_tests, source_tests
from el.config.settings import load_config
from el.connectors.catalog import Column, SourceType, TableName
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.sqlserver.collation import text_rule
from el.connectors.sqlserver.dialect import TSQL
from el.errors import ConfigError, PlanError
from el.planning.held import HeldColumn, HeldTable
from el.types.key_text import TextRule

SOURCE = """
CREATE SCHEMA sales; CREATE SCHEMA archive;
CREATE TABLE sales.customer (id INTEGER PRIMARY KEY, "group" VARCHAR, email VARCHAR UNIQUE);
CREATE TABLE sales."order" (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES sales.customer (id));
CREATE TABLE sales.log (what VARCHAR);
CREATE TABLE archive.customer (id INTEGER PRIMARY KEY, odd DOUBLE CHECK (sin(odd) > 0));
COMMENT ON TABLE sales.customer IS 'Who buys {{ not a template }}';
"""
HEAD = "version: 1\nsource: shop\ndestination: warehouse\n"


def generated(tmp_path: Path, entries: str, more: str = "") -> Generated:
    path = tmp_path / "shop.duckdb"
    if not path.exists():
        with duckdb.connect(str(path)) as source:
            source.execute(SOURCE)
    (tmp_path / "el.yml").write_text(f"{HEAD}{more}tables:\n{entries}")
    with DuckDb(DuckDbConfig(path=str(path), read_only=True)) as source:
        return generate(load_config(tmp_path / "el.yml"), source)


def text(found: Generated, name: str) -> str:
    (body,) = [file.body for file in found.files if file.path.name == name]
    return body


def models(found: Generated) -> dict[str, list[tuple[str, str]]]:
    return {str(table.table.name): [(str(model.kind), model.name) for model in table.models] for table in found.tables}


def test_a_table_with_a_key_becomes_its_current_state_and_one_without_its_last_snapshot(tmp_path: Path) -> None:
    found = models(generated(tmp_path, '  - {name: "sales.*"}\n'))
    assert found["sales.customer"] == [("current", "customer")]
    assert found["sales.log"] == [("snapshot", "log")]


def test_a_table_without_a_key_that_is_read_by_a_cursor_becomes_a_log(tmp_path: Path) -> None:
    found = models(generated(tmp_path, "  - {name: sales.log, cursor: what, accept: [text_cursor]}\n"))
    assert found["sales.log"] == [("log", "log_log")]


def test_tables_of_one_name_in_two_schemas_have_models_of_their_own_and_keep_their_name_in_the_warehouse(
    tmp_path: Path,
) -> None:
    found = generated(tmp_path, '  - {name: "*.*"}\n')
    assert models(found)["archive.customer"] == [("current", "archive__customer")]
    assert "alias: customer" in text(found, "archive__customer.yml")
    assert "{{ source('shop_archive', 'customer') }}" in text(found, "stg_shop__archive__customer.sql")


def test_schemas_that_land_in_one_raw_schema_are_tested_each_in_its_own_at_the_source(tmp_path: Path) -> None:
    entries = '  - {name: "*.*"}\n  - {name: archive.customer, rename: old}\n'
    found = generated(tmp_path, entries, "raw: {schema: landed}\n")
    sources = yaml.safe_load(text(found, "_shop__sources.yml"))["sources"]
    assert {source["name"]: source["schema"] for source in sources} == {
        "landed__archive": "{{ 'archive' if target.name == 'source' else 'landed' }}",
        "landed__sales": "{{ 'sales' if target.name == 'source' else 'landed' }}",
    }
    assert "{{ source('landed__archive', 'old') }}" in text(found, "stg_shop__old.sql")


def test_reserved_words_are_renamed_in_staging_and_quoted_nowhere_after(tmp_path: Path) -> None:
    found = generated(tmp_path, '  - {name: "sales.*"}\n')
    assert models(found)["sales.order"] == [("current", "order_")]
    assert "cast({{ el_quoted('group') }} as varchar) as group_" in text(found, "stg_shop__customer.sql")
    assert "    group_,\n" in text(found, "customer.sql")


def test_a_comment_that_looks_like_a_template_stays_text(tmp_path: Path) -> None:
    body = text(generated(tmp_path, '  - {name: "sales.*"}\n'), "customer.yml")
    assert "{% raw %}Who buys {{ not a template }}; as the source has it now.{% endraw %}" in body


def test_a_condition_and_names_that_look_like_a_template_stay_text(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as source:
        source.execute(
            """CREATE SCHEMA sales; CREATE TABLE sales."we#}ird" """
            """(id INTEGER PRIMARY KEY, "v{{x" VARCHAR NOT NULL CHECK ("v{{x" LIKE '{%'))"""
        )
    found = generated(tmp_path, '  - {name: "sales.*"}\n')
    sources = text(found, "_shop__sources.yml")
    tested = [test for table in yaml.safe_load(sources)["sources"][0]["tables"] for test in table.get("data_tests", [])]
    (rules,) = [t["el_source_row_rules"]["arguments"] for t in tested if "el_source_row_rules" in t]
    assert [Template(name).render() for name in rules["required_at_source"]] == ["id", "v{{x"]
    (at_source,), (raw,) = rules["checks_at_source"].values(), rules["checks"].values()
    assert Template(at_source).render().count("'{%'") == 1
    assert Template(raw).render() == "v_x like '{%'"
    assert ": sales.we# }ird;" in next(file.text for file in found.files if file.path.name == "we_ird.sql")


def test_what_the_source_enforces_and_no_test_says_is_named_with_the_reason(tmp_path: Path) -> None:
    found = generated(tmp_path, "  - {name: sales.order}\n  - {name: archive.customer}\n")
    reasons = {str(item.table): item.why for item in found.untested}
    assert reasons["sales.order"] == "sales.customer is not taken"
    assert "SIN may mean something else there" in reasons["archive.customer"]
    assert "not_tested" in text(found, "order_.yml")


def test_a_reference_to_a_table_of_which_not_all_rows_are_taken_is_tested_at_the_source_alone(tmp_path: Path) -> None:
    entry = '  - {name: "sales.*"}\n  - {name: sales.customer, filters: [{column: id, op: ">", value: 9}]}\n'
    found = generated(tmp_path, entry)
    assert [item.why for item in found.untested] == ["not all rows of sales.customer are taken"]
    (schema,) = yaml.safe_load(text(found, "_shop__sources.yml"))["sources"]
    tables = {table["name"]: table for table in schema["tables"]}
    (test,) = [t["el_source_relationships"] for t in tables["order"]["data_tests"] if "el_source_relationships" in t]
    assert test["config"] == {"enabled": "{{ target.name == 'source' }}"}


def test_a_reference_of_text_leaves_out_the_blanks_that_sql_server_leaves_out(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as source:
        source.execute(
            "CREATE SCHEMA sales; CREATE TABLE sales.unit (code VARCHAR PRIMARY KEY); "
            "CREATE TABLE sales.item (id INTEGER PRIMARY KEY, unit VARCHAR REFERENCES sales.unit (code))"
        )
    tables = {table.table.name: table for table in generated(tmp_path, '  - {name: "sales.*"}\n').tables}
    item = tables[TableName("sales", "item")]
    exact, _ = model_tests(item, item.models[0], tables, TSQL)
    item = replace(item, columns=tuple(replace(c, compared=TextRule()) for c in item.columns))
    found = [*model_tests(item, item.models[0], tables, TSQL)[0], *source_tests(item, tables, TSQL)]
    loosely = {test.generic: test.arguments.get("ignore_blanks") for test in found if "relationships" in test.generic}
    assert loosely == {"el_relationships_together": True, "el_source_relationships": True}
    assert "relationships" in {test.generic for test in exact}


def test_a_reference_that_the_source_compares_without_accents_is_tested_there_alone(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as source:
        source.execute(
            "CREATE SCHEMA sales; CREATE TABLE sales.unit (code VARCHAR PRIMARY KEY); "
            "CREATE TABLE sales.item (id INTEGER PRIMARY KEY, unit VARCHAR REFERENCES sales.unit (code))"
        )
    tables = {table.table.name: table for table in generated(tmp_path, '  - {name: "sales.*"}\n').tables}
    item = tables[TableName("sales", "item")]
    without = text_rule(Column("c", SourceType("varchar"), collation="Latin1_General_CI_AI"))
    item = replace(item, columns=tuple(replace(c, compared=without) for c in item.columns))
    tests, untested = model_tests(item, item.models[0], tables, TSQL)
    assert not [test for test in tests if "relationships" in test.generic]
    assert [item.why for item in untested] == [
        "a column of it is compared without accents at the source, where it is tested"
    ]
    (there,) = [test for test in source_tests(item, tables, TSQL) if "relationships" in test.generic]
    assert there.config == {"enabled": "{{ target.name == 'source' }}"}


def test_settings_choose_schema_kinds_and_how_deletes_are_kept(tmp_path: Path) -> None:
    entry = "  - {name: sales.customer, model: {kind: [current, history, log], deleted: flag, schema: core}}\n"
    found = generated(tmp_path, entry)
    assert [name for _, name in models(found)["sales.customer"]] == ["customer", "customer_history", "customer_log"]
    assert "el_flagged_state(" in text(found, "customer.sql")
    assert "where: not _el_deleted" in text(found, "customer.yml")
    assert "schema: core" in text(found, "customer_history.yml")


def test_a_column_that_was_renamed_at_the_source_goes_on_under_its_name_in_raw(tmp_path: Path) -> None:
    generated(tmp_path, "  - {name: sales.customer}\n")
    mail = HeldColumn("mail", "email", "varchar", True, 3, "string", "VARCHAR")
    with DuckDb(DuckDbConfig(path=str(tmp_path / "shop.duckdb"), read_only=True)) as source:
        held = {("shop_sales", "customer"): HeldTable({"mail": mail})}
        found = generate(load_config(tmp_path / "el.yml"), source, lambda _: held)
    assert "cast(mail as varchar) as mail" in text(found, "stg_shop__customer.sql")
    assert "columns: [mail], at_source: [email]" in text(found, "_shop__sources.yml")


def test_a_frozen_table_fails_when_its_columns_change(tmp_path: Path) -> None:
    found = generated(tmp_path, "  - {name: sales.customer, contract: freeze}\n")
    assert "on_schema_change='fail'" in text(found, "customer.sql")


def test_a_table_has_cluster_keys_only_where_el_yml_names_them(tmp_path: Path) -> None:
    found = generated(tmp_path, "  - {name: sales.customer, model: {cluster_by: [id]}}\n")
    assert "cluster_by=['id']" in text(found, "customer.sql")
    assert "cluster_by" not in text(generated(tmp_path, "  - {name: sales.customer}\n"), "customer.sql")


def test_a_table_that_raw_can_give_again_is_transient_and_no_other(tmp_path: Path) -> None:
    names = {"current": "customer.sql", "history": "customer_history.sql", "log": "customer_log.sql"}
    for model, transient in (("current", True), ("history", False), ("log", False), ("{deleted: flag}", False)):
        found = generated(tmp_path, f"  - {{name: sales.customer, model: {model}}}\n")
        name = names.get(model, "customer.sql")
        assert ("transient=true" in text(found, name)) is transient


def test_a_history_without_a_key_is_refused_with_the_setting_that_helps(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"sales\.log has no key for `model: history`; give it one with `key`"):
        generated(tmp_path, "  - {name: sales.log, model: history}\n")


def test_two_tables_that_would_become_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"archive\.customer and sales\.customer would both become core\.customer"):
        generated(tmp_path, '  - {name: "*.customer"}\n', "dbt: {schema: core}\n")


@pytest.mark.parametrize("more", ['dbt: {schema: "{source}_{schema}"}\n', "raw: {schema: staging}\n"])
def test_what_dbt_builds_never_takes_the_place_of_raw(tmp_path: Path, more: str) -> None:
    with pytest.raises(PlanError, match=r"is a raw schema; set|both be in schema staging; set"):
        generated(tmp_path, "  - {name: sales.customer}\n", more)


def test_an_unknown_kind_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"el\.yml line 5: tables\[0\]\.model"):
        generated(tmp_path, "  - {name: sales.log, model: snapshots}\n")
