"""What codegen makes of personal data: a view without it in the place of the staging view, in SQL and in words."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml
from jinja2 import Template

from el.codegen import Generated, generate
from el.codegen.pii import masked_types
from el.config.settings import load_config
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.errors import ConfigError, PlanError
from el.planning.held import HeldColumn, HeldTable
from el.planning.places import tables_of

SOURCE = """
CREATE SCHEMA hr;
CREATE TABLE hr.people (id INTEGER PRIMARY KEY, email VARCHAR, born DATE, pay DECIMAL(12, 2), changed DATE NOT NULL);
CREATE TABLE hr.logins (email VARCHAR PRIMARY KEY, n INTEGER);
"""
HEAD = "version: 1\nsource: shop\ndestination: warehouse\n"


def config_of(tmp_path: Path, entries: str, more: str = "") -> DuckDb:
    path = tmp_path / "shop.duckdb"
    if not path.exists():
        with duckdb.connect(str(path)) as source:
            source.execute(SOURCE)
    (tmp_path / "el.yml").write_text(f"{HEAD}{more}tables:\n{entries}")
    return DuckDb(DuckDbConfig(path=str(path), read_only=True))


def generated(tmp_path: Path, entries: str, more: str = "") -> Generated:
    with config_of(tmp_path, entries, more) as source:
        return generate(load_config(tmp_path / "el.yml"), source)


def columns(found: Generated, name: str, target: str) -> list[str]:
    (body,) = [file.body for file in found.files if file.path.name == f"{name}.sql"]
    shown = Template(body).render(target={"type": target}, ref=str)
    return [line.strip().rstrip(",") for line in shown.partition("from")[0].splitlines()[1:] if line.strip()]


def said(found: Generated, name: str) -> dict[str, object]:
    (body,) = [file.body for file in found.files if file.path.name == f"{name}.yml"]
    return dict(yaml.safe_load(body)["models"][0]["config"])


PEOPLE = "  - {name: hr.people, columns: {EMAIL: {pii: email}, pay: {pii: salary}}}\n"
LANDING = ["_dlt_load_id", "_el_op", "_el_position", "_el_extracted_at"]


def test_the_view_has_the_name_of_the_one_with_all_columns_which_stands_elsewhere(tmp_path: Path) -> None:
    found = generated(tmp_path, PEOPLE + "  - {name: hr.logins}\n")
    name = "stg_shop__people__masked"
    for target in ("snowflake", "duckdb"):
        assert columns(found, name, target) == ["id", "born", "changed", *LANDING]
    assert said(found, name)["alias"] == "stg_shop__people"
    assert said(found, "stg_shop__people")["schema"] == "staging_pii"
    assert said(found, "stg_shop__people")["grants"] == {"select": []}
    assert said(found, "stg_shop__logins")["schema"] == "staging"
    assert "stg_shop__logins__masked.sql" not in [file.path.name for file in found.files]


def test_under_policies_snowflakes_view_has_them_and_no_other_warehouses(tmp_path: Path) -> None:
    found = generated(tmp_path, PEOPLE, "dbt: {pii: policy}\n")
    name = "stg_shop__people__masked"
    assert columns(found, name, "snowflake") == ["id", "email", "born", "pay", "changed", *LANDING]
    assert columns(found, name, "duckdb") == ["id", "born", "changed", *LANDING]
    meta = said(found, name)["meta"]
    assert meta == {
        "el_pii": {
            "of": "stg_shop__people",
            "kinds": {"email": "email", "pay": "salary"},
            "policies": {"email": "el_pii_varchar", "pay": "el_pii_number_12_2"},
        }
    }
    with config_of(tmp_path, PEOPLE, "dbt: {pii: policy}\n") as source:
        config = load_config(tmp_path / "el.yml")
        chosen = tables_of(config, source)[1]
        # What the project names, `grants` makes.
        assert masked_types(config, source, chosen) == ("number(12,2)", "varchar")


def test_what_repeats_a_personal_value_is_left_out_with_it(tmp_path: Path) -> None:
    key = generated(tmp_path, "  - {name: hr.logins, columns: {email: {pii: email}}}\n")
    assert columns(key, "stg_shop__logins__masked", "duckdb") == ["n", *LANDING]
    cursor = generated(tmp_path, "  - {name: hr.people, cursor: Changed, columns: {changed: {pii: moment}}}\n")
    assert "_el_position" not in columns(cursor, "stg_shop__people__masked", "duckdb")


def test_a_kind_is_a_word_and_is_taken_away_by_name(tmp_path: Path) -> None:
    for wrong in ("true", "", "E-Mail", "'a b'"):
        with pytest.raises(ConfigError, match=r"columns\.email\.pii: .* is no kind of personal data"):
            generated(tmp_path, f"  - {{name: hr.people, columns: {{email: {{pii: {wrong}}}}}}}\n")
    gone = "  - {name: hr.people, columns: {email: {pii: none}, Pay: {pii: none}}}\n"
    assert said(generated(tmp_path, PEOPLE + gone), "stg_shop__people")["schema"] == "staging"
    with pytest.raises(PlanError, match=r"no table matches 'hr\.pepole'"):
        generated(tmp_path, "  - {name: 'hr.*'}\n  - {name: hr.pepole, columns: {email: {pii: email}}}\n")


def test_files_with_the_older_rows_of_a_table_are_as_personal_as_it_is(tmp_path: Path) -> None:
    entries = PEOPLE + (
        "dumps:\n"
        "  - {name: hr.people_2019, files: p/*, format: csv, into: hr.people, history: archive, pii: {nick: name}}\n"
        "  - {name: hr.visits, files: v/*.csv, format: csv, pii: {ip: ip_address}}\n"
    )

    def columns_of(*names: str) -> HeldTable:
        return HeldTable({name: HeldColumn(name, name, "text", True, None, "string", "VARCHAR") for name in names})

    held = {
        ("shop_hr", "people_2019"): columns_of("id", "email", "nick"),
        ("shop_hr", "visits"): columns_of("ip", "seen"),
    }
    with config_of(tmp_path, entries) as source:
        found = generate(load_config(tmp_path / "el.yml"), source, lambda _: held)
    assert columns(found, "stg_shop__people_2019__masked", "duckdb")[:2] == ["id", "_el_file"]
    assert columns(found, "stg_shop__visits__masked", "duckdb")[:2] == ["seen", "_el_file"]
    assert said(found, "stg_shop__visits")["schema"] == "staging_pii"
