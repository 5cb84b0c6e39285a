"""Into whatever project codegen writes: its names and settings stay, or a line says which file is in the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from el.cli.app import main
from el.codegen import older_dbt
from el.codegen.older_dbt import is_older
from el.codegen.project import DbtProject
from el.sample import shop
from tests.dbt.project import ROOT

EL_YML = "version: 1\nsource: shop\ndestination: warehouse\ntables:\n  - {name: sales.customers}\n"
SETTINGS = "name: mine\nprofile: theirs\n"
Codegen = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "shop.duckdb"
    shop.create(path)
    return path


@pytest.fixture
def codegen(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Codegen:
    """Put these files into the project, run codegen, and give its exit code and what it said."""
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "shop.duckdb").symlink_to(source)
    shutil.copy(ROOT / "profiles.example.yml", tmp_path / "profiles.yml")
    monkeypatch.chdir(tmp_path)

    def run(settings: str = "", *flags: str, tables: str = "", **files: str) -> tuple[int, str]:
        (tmp_path / "el.yml").write_text(EL_YML + tables)
        for name, text in {"dbt_project.yml": SETTINGS + settings, **files}.items():
            path = tmp_path / "dbt_project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        capsys.readouterr()
        code = main(["codegen", *flags])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def there(path: str) -> Path:
    return Path("dbt_project", path)


def described(path: str) -> Any:
    return yaml.safe_load(there(path).read_text())


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("models/marts/customers.sql", "select 1"),
        ("models/marts/customers.py", "def model(dbt, session): ..."),
        ("models/sales/customers.sql", "select 'where el would put its own'"),
        ("seeds/customers.csv", "id\n1\n"),
        ("snapshots/all.sql", "{% snapshot customers %}select 1{% endsnapshot %}"),
        ("snapshots/all.yml", "snapshots: [{name: customers, relation: ref('a')}]"),
    ],
    ids=["model", "python", "same_place", "seed", "snapshot", "snapshot_yaml"],
)
def test_a_name_that_the_project_has_stays_its_own_and_els_model_gets_another(
    codegen: Codegen, file: str, text: str
) -> None:
    code, said = codegen(**{file: text})
    assert code == 0
    assert f"{file} is called customers, so what sales.customers becomes is called sales__customers" in said
    assert there(file).read_text() == text
    (model,) = described("models/sales/sales__customers.yml")["models"]
    assert (model["name"], model["config"].get("alias")) == ("sales__customers", None)
    assert main(["codegen", "--check"]) == 0


def test_a_staging_view_gets_another_name_too(codegen: Codegen) -> None:
    codegen(**{"models/stg_shop__customers.sql": "select 1"})
    assert there("models/staging/shop/el_stg_shop__customers.sql").exists()
    assert "ref('el_stg_shop__customers')" in there("models/sales/customers.sql").read_text()


def test_a_model_that_someone_took_over_keeps_its_name(codegen: Codegen) -> None:
    codegen()
    code, said = codegen(**{"models/sales/customers.sql": "select 'mine'"})
    assert code == 0
    assert "models/sales/customers.sql: not generated, left alone" in said
    assert not there("models/sales/sales__customers.sql").exists()


@pytest.mark.parametrize(
    "path", ["macros/el/el_now.sql", "macros/el/apply_grants.sql", "models/staging/shop/_shop__sources.yml"]
)
def test_any_file_that_someone_took_over_is_left_alone(codegen: Codegen, path: str) -> None:
    codegen()
    mine = there(path).read_text().partition("\n")[2]
    code, said = codegen(**{path: mine})
    assert code == 0
    assert f"{path}: not generated, left alone" in said
    assert there(path).read_text() == mine


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("models/a.yml", "sources: [{name: shop_sales, tables: [{name: customers}]}]", "source shop_sales.customers"),
        ("models/marts/el_loads_taken.sql", "select 1", "is called el_loads_taken"),
        ("macros/a.sql", "{%- macro el_now() %}now(){% endmacro %}", "has el_now, as el has"),
        ("tests/generic/a.sql", "{% test el_row_rules(model) %}{% endtest %}", "has test_el_row_rules, as el has"),
        ("macros/a.sql", "{% materialization incremental, default %}{% endmaterialization %}", "how el's models are"),
        ("macros/a.sql", "{% materialization incremental, adapter='duckdb' %}{% endmaterialization %}", "give it"),
        ("macros/a.sql", "{% macro get_incremental_append_sql(a) %}{% endmacro %}", "how el's models are built"),
    ],
)
def test_what_is_in_the_way_is_said_with_its_file_and_nothing_is_written(
    codegen: Codegen, file: str, text: str, line: str
) -> None:
    code, said = codegen(**{file: text})
    assert code == 2
    assert file in said
    assert line in said
    assert not there("macros/el").exists()
    assert "on-run-start" not in there("dbt_project.yml").read_text()


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("{% macro apply_grants(a, b, c) %}{% endmacro %}", "apply_grants"),
        ("{% macro snowflake__create_view_as(a, b) %}{% endmacro %}", "snowflake__create_view_as"),
        ("{% macro sqlserver__get_test_sql(a) %}{% endmacro %}", "sqlserver__get_test_sql"),
        ("{% materialization view, adapter='snowflake' %}{% endmaterialization %}", "materialization_view_snowflake"),
        ("{% materialization test, default %}{% endmaterialization %}", "materialization_test_duckdb"),
    ],
)
def test_a_macro_of_the_project_that_overrides_dbts_own_stays_the_one_that_dbt_calls(
    codegen: Codegen, text: str, left_out: str
) -> None:
    codegen()
    assert there(f"macros/el/{left_out}.sql").exists()
    code, said = codegen(**{"macros/mine.sql": text})
    assert code == 0
    assert f"macros/el/{left_out}.sql is not written: macros/mine.sql has {left_out}" in said
    assert not there(f"macros/el/{left_out}.sql").exists()


POLICY = "  - {name: sales.products, columns: {name: {pii: name}}}\ndbt: {pii: policy}\n"
NOT_SEARCHED = "dispatch: [{macro_namespace: dbt, search_order: [tools, dbt]}]\n"


def test_masking_policies_are_never_left_out(codegen: Codegen) -> None:
    own = {"macros/mine.sql": "{% macro snowflake__create_view_as(a, b) %}{% endmacro %}"}
    code, said = codegen(tables=POLICY, **own)
    assert code == 2
    assert "macros/mine.sql has snowflake__create_view_as" in said
    there("macros/mine.sql").unlink()
    code, said = codegen(NOT_SEARCHED, tables=POLICY)
    assert code == 2
    assert "begin the search_order of dbt under dispatch with mine" in said
    assert codegen(NOT_SEARCHED.replace("tools", "mine, tools"), tables=POLICY)[0] == 0
    code, said = codegen(NOT_SEARCHED)
    assert code == 0
    assert "there is el's sqlserver__get_test_sql" in said


def test_a_schema_that_the_project_decides_is_pointed_out_where_personal_data_stands_in_one_of_its_own(
    codegen: Codegen,
) -> None:
    own = {"macros/mine.sql": "{% macro generate_schema_name(a, b) %}{% endmacro %}"}
    assert "staging_pii" not in codegen(**own)[1]
    assert "macros/mine.sql: see to it that schema staging_pii stays" in codegen(tables=POLICY, **own)[1]


def test_a_group_that_the_project_has_is_els_too(codegen: Codegen) -> None:
    code, said = codegen(**{"models/groups.yml": "groups: [{name: sales, owner: {name: we}}]"})
    assert code == 0
    assert "models/groups.yml has group sales" in said
    assert not there("models/sales/_sales__groups.yml").exists()


def test_two_sources_go_into_one_project_and_neither_touches_what_is_of_the_other(codegen: Codegen) -> None:
    codegen()
    before = {path: path.read_text() for path in there("").rglob("*") if path.is_file()}
    profiles = yaml.safe_load(Path("profiles.yml").read_text())
    Path("profiles.yml").write_text(yaml.safe_dump({**profiles, "erp": profiles["shop"]}))
    settings = Path("el.yml").read_text()
    Path("erp.yml").write_text(settings.replace("source: shop", "source: erp"))
    assert main(["codegen", "--config", "erp.yml"]) == 0
    assert {path: path.read_text() for path in before} == before
    assert there("models/staging/erp/stg_erp__customers.sql").exists()
    assert "ref('stg_erp__customers')" in there("models/sales/sales__customers.sql").read_text()
    assert main(["codegen", "--check"]) == 0
    assert main(["codegen", "--config", "erp.yml", "--check"]) == 0
    Path("erp.yml").write_text(Path("erp.yml").read_text().replace("sales.customers", "sales.products"))
    assert main(["codegen", "--config", "erp.yml"]) == 0
    assert main(["codegen", "--check"]) == 0


def test_everything_goes_where_the_project_has_its_models(codegen: Codegen) -> None:
    settings = "model-paths: [src/models]\n"
    codegen(settings)
    assert there("src/models/sales/customers.sql").exists()
    assert not there("models").exists()
    said = codegen(settings, tables="  - {name: sales.customers, exclude: true}\n  - {name: sales.products}\n")[1]
    assert "src/models/sales/customers.sql: generated once, and no longer" in said


def test_sources_stay_unquoted_on_snowflake_where_the_project_quotes(codegen: Codegen) -> None:
    codegen("quoting: {identifier: true}\n")
    (entry,) = described("models/staging/shop/_shop__sources.yml")["sources"]
    assert entry["quoting"] == dict.fromkeys(("database", "schema", "identifier"), "{{ target.type != 'snowflake' }}")
    codegen()
    assert "quoting" not in described("models/staging/shop/_shop__sources.yml")["sources"][0]


def asked_of(content: Any) -> list[dict[str, Any]]:
    """Every test of a YAML file, by what stands under its name."""
    if isinstance(content, list):
        return [found for item in content for found in asked_of(item)]
    if not isinstance(content, dict):
        return []
    own = [inside for test in content.get("data_tests", []) for inside in test.values()]
    return own + [found for item in content.values() for found in asked_of(item)]


def test_a_project_for_dbt_before_1_10_gets_what_that_reads(codegen: Codegen) -> None:
    assert codegen('require-dbt-version: [">=1.9.0", "<1.10.0"]\n')[0] == 0
    paths = list(there("models").rglob("*.yml"))
    found = [test for path in paths for test in asked_of(yaml.safe_load(path.read_text()))]
    assert len(found) > 5
    assert not [test for test in found if "arguments" in test]
    assert [test for test in found if test.get("required") == ["model", "load_id"]]
    (entry,) = described("models/staging/shop/_shop__sources.yml")["sources"]
    (ledger,) = [table for table in entry["tables"] if table["name"] == "_el_ledger"]
    assert "loaded_at_query" not in ledger["config"]
    (customers,) = [table for table in entry["tables"] if table["name"] == "customers"]
    assert customers["columns"][0]["meta"]["stands_for"] == "number(10,0)"


def test_a_project_that_keeps_the_older_form_of_tests_gets_it_and_all_else_as_now(codegen: Codegen) -> None:
    codegen("flags: {require_generic_test_arguments_property: false}\n")
    content = described("models/staging/shop/_shop__sources.yml")
    assert not [test for test in asked_of(content) if "arguments" in test]
    assert "loaded_at_query" in str(content)


@pytest.mark.parametrize(
    ("bounds", "older"),
    [
        ([">=1.9.0", "<1.10.0"], True),
        (">=1.9.0,<1.10", True),
        ("1.9.4", True),
        ("<=1.9.9", True),
        ([">=1.7.0", "<2.0.0"], False),
        (">=1.9.0", False),
        (["<=1.10.0"], False),
        (None, False),
    ],
)
def test_which_dbt_a_project_is_for_is_what_it_says(bounds: object, older: bool) -> None:
    assert is_older(DbtProject(Path(), {"require-dbt-version": bounds})) is older


def test_an_older_dbt_beside_el_is_pointed_out(codegen: Codegen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(older_dbt, "version", lambda _: "1.9.4")
    assert "dbt 1.9.4 is installed: `require-dbt-version:" in codegen()[1]
    assert "is installed" not in codegen("require-dbt-version: 1.9.4\n")[1]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [\n", "is not YAML"),
        ("profile: a\n", "has no `name`"),
        ("name: a\nmodel-paths: [\"{{ var('x') }}\"]\n", "write model-paths as a list of plain names"),
    ],
)
def test_a_project_that_cannot_be_read_is_an_error_of_one_line(
    codegen: Codegen, capsys: pytest.CaptureFixture[str], text: str, line: str
) -> None:
    codegen()
    there("dbt_project.yml").write_text(text)
    assert main(["codegen"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said


def test_a_project_without_anything_of_its_own_needs_no_word(codegen: Codegen) -> None:
    lines = codegen()[1].splitlines()
    assert [line for line in lines if not line.endswith((": new", "call el"))][1:] == [lines[-1]]
