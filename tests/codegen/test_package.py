"""The dbt package that el brings: it is put into a project like generated models, and this repository's is made so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from el.cli.app import main
from el.codegen.new_project import new_project, own_files
from el.codegen.package import package_files
from el.codegen.project import DbtProject
from el.errors import ConfigError
from tests.dbt.project import ROOT

# What dbt calls by these names, whatever project it is.
OVERRIDES = {
    "apply_grants",
    "duckdb__get_where_subquery",
    "snowflake__get_where_subquery",
    "get_incremental_append_sql",
    "get_incremental_el_current_state_sql",
    "snowflake__create_view_as",
    "sqlserver__get_test_sql",
}
VALID = {"string", "bool", "int", "any", "list[any]", "dict[any, any]", "relation", "column"}
MINE = "{# mine #}\n{% macro mine() %}{% endmacro %}\n"
SHOP = """\
name: jaffle_shop   # ours
profile: duck
models:
  jaffle_shop: {+materialized: table}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbt_project.yml").write_text(SHOP)
    return tmp_path


def codegen(project: Path, *arguments: str) -> int:
    return main(["codegen", "--package", "--project-dir", str(project), *arguments])


def test_this_repositorys_project_has_the_package_as_codegen_puts_it_anywhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert codegen(ROOT / "dbt_project", "--check") == 0, capsys.readouterr().out


def test_this_repositorys_project_is_what_a_new_one_is(tmp_path: Path) -> None:
    ours = {path: (ROOT / "dbt_project" / path).read_text() for path in own_files("warehouse", "el")}
    assert own_files("warehouse", "el") == ours
    written = new_project(tmp_path / "dbt", "lake", "shop")
    settings = yaml.safe_load((tmp_path / "dbt" / "dbt_project.yml").read_text())
    assert (settings["name"], settings["profile"], list(settings["models"])) == ("shop", "lake", ["shop"])
    assert sorted(written) == sorted(path for path in (tmp_path / "dbt").rglob("*") if path.is_file())
    assert codegen(tmp_path / "dbt", "--check") == 0


def test_a_new_project_overwrites_nothing(project: Path) -> None:
    with pytest.raises(ConfigError, match="is a dbt project already"):
        new_project(project, "lake")
    with pytest.raises(ConfigError, match="no name of a dbt project"):
        new_project(project / "other", "lake", "my-shop")
    mine = project / "other" / "macros" / "generate_schema_name.sql"
    mine.parent.mkdir(parents=True)
    mine.write_text(MINE)
    assert mine not in new_project(project / "other", "lake")
    assert mine.read_text() == MINE


def test_no_name_of_the_package_can_meet_one_of_the_projects() -> None:
    said = "".join(file.body for file in package_files(DbtProject(ROOT)) if file.path.suffix in (".sql", ".md"))
    names = set(re.findall(r"{%-? (?:macro|test|docs) (\w+)", said))
    assert {name for name in names if not name.startswith("el_")} == OVERRIDES
    assert len(names) > 80


def test_what_is_written_of_each_macro_is_what_dbt_validates() -> None:
    """dbt's flag `validate_macro_args`: arguments by name and order, types of its list; generic tests have none."""
    bodies = "".join(file.body for file in package_files(DbtProject(ROOT)) if file.path.suffix == ".sql")
    signatures = {
        name: re.findall(r"(\w+)(?:=(?:'[^']*'|\"[^\"]*\"|[^,]*))?(?:,|$)", given.replace("\n", " "))
        for name, given in re.findall(r"{%-? macro (\w+)\(((?:\"[^\"]*\"|[^)])*)\)", bodies)
    }
    (described,) = [file for file in package_files(DbtProject(ROOT)) if file.path.name == "_el_macros.yml"]
    for entry in yaml.safe_load(described.body)["macros"]:
        arguments = entry.get("arguments", [])
        assert [argument["name"] for argument in arguments] == ([] if not arguments else signatures[entry["name"]])
        assert {argument["type"] for argument in arguments} <= VALID, entry["name"]


def test_it_comes_into_the_folders_that_the_project_has(project: Path) -> None:
    (project / "dbt_project.yml").write_text(
        SHOP + "model-paths: [src/models, more]\nmacro-paths: [jinja]\ntest-paths: [checks]\ndocs-paths: [texts]\n"
    )
    assert codegen(project) == 0
    for path in (
        "src/models/el/el_loads_taken.sql",
        "src/models/el/_el_loads.yml",
        "jinja/el/el_window.sql",
        "checks/generic/el/el_row_rules.sql",
        "texts/el/_el_landing_columns.md",
    ):
        assert (project / path).exists(), path
    assert not (project / "models").exists()
    assert codegen(project, "--check") == 0


def test_check_says_what_is_old_and_codegen_renews_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codegen(project)
    old = project / "macros" / "el" / "el_now.sql"
    wanted, body = old.read_text(), "{% macro el_now() %}now(){% endmacro %}\n"
    of_then = next(file for file in package_files(DbtProject.read(project)) if file.path.name == "el_now.sql")
    old.write_text(type(of_then)(of_then.path, body, of_then.about).text)
    capsys.readouterr()
    assert codegen(project, "--check") == 1
    assert "macros/el/el_now.sql: changed" in capsys.readouterr().out
    assert codegen(project) == 0
    assert old.read_text() == wanted


def test_an_edited_macro_is_kept_and_the_new_one_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codegen(project)
    path = project / "macros" / "el" / "el_now.sql"
    path.write_text(re.sub(r"hash \w+", "hash 0123456789abcdef", path.read_text()) + "-- mine\n")
    edited = path.read_text()
    assert codegen(project) == 0
    said = capsys.readouterr().out
    assert "macros/el/el_now.sql: edited, kept, and would now be generated otherwise" in said
    assert "\n--- mine\n" in said
    assert path.read_text() == edited
    assert codegen(project, "--check") == 1


def test_a_macro_of_an_earlier_el_is_removed_unless_it_was_edited(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codegen(project)
    file = package_files(DbtProject.read(project))[0]
    then, edited, mine = (project / "macros" / "el" / f"el_{name}.sql" for name in ("then", "edited", "mine"))
    then.write_text(type(file)(file.path, "{# then #}\n", file.about).text)
    edited.write_text(then.read_text() + "{# mine #}\n")
    mine.write_text(MINE)
    assert codegen(project) == 0
    assert "macros/el/el_then.sql: of an earlier el, and removed" in capsys.readouterr().out
    assert (then.exists(), edited.exists(), mine.read_text()) == (False, True, MINE)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", '\non-run-start:\n  - "{{ el_on_run_start() }}"\n\non-run-end:\n  - "{{ el_on_run_end() }}"\n'),
        (
            "on-run-start:\n- a   # first\n\n# end\non-run-end: [b]\n",
            'on-run-start:\n- a   # first\n- "{{ el_on_run_start() }}"\n\n# end\n'
            'on-run-end: [b, "{{ el_on_run_end() }}"]\n',
        ),
        (
            'on-run-end: "{{ grants() }}" # ours\non-run-start: []\nvars: {a: 1}\n',
            'on-run-end:\n  - "{{ grants() }}"\n  - "{{ el_on_run_end() }}" # ours\n'
            'on-run-start: ["{{ el_on_run_start() }}"]\nvars: {a: 1}\n',
        ),
        (
            "on-run-start:\n    - |\n      create x;\n      create y\non-run-end:\n",
            "on-run-start:\n    - |\n      create x;\n      create y\n"
            '    - "{{ el_on_run_start() }}"\non-run-end:\n  - "{{ el_on_run_end() }}"\n',
        ),
    ],
    ids=["none", "lists", "text", "lines"],
)
def test_the_hooks_are_put_into_dbt_project_yml_and_nothing_else_changes(
    project: Path, given: str, wanted: str
) -> None:
    (project / "dbt_project.yml").write_text(SHOP + given)
    assert codegen(project, "--check") == 1
    assert (project / "dbt_project.yml").read_text() == SHOP + given
    assert codegen(project) == 0
    assert (project / "dbt_project.yml").read_text() == SHOP + wanted
    assert yaml.safe_load(SHOP + wanted)
    assert codegen(project, "--check") == 0


def test_the_line_ends_of_dbt_project_yml_stay_as_they_are(project: Path) -> None:
    settings = project / "dbt_project.yml"
    given = (SHOP + "on-run-end: [b]\n").replace("\n", "\r\n")
    settings.write_bytes(given.encode())
    assert codegen(project) == 0
    text = settings.read_bytes().decode()
    assert text.startswith(given.replace("[b]", '[b, "{{ el_on_run_end() }}"]'))
    assert "\n" not in text.replace("\r\n", "")


def test_hooks_that_cannot_be_put_in_are_said_with_the_lines_to_write(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "dbt_project.yml").write_text(SHOP + "on-run-end: >\n  {{ grants() }}\n")
    assert codegen(project) == 2
    assert 'on-run-end: "{{ el_on_run_end() }}"' in capsys.readouterr().err
    assert not (project / "macros").exists()


def test_a_dbt_project_in_this_folder_is_found_without_its_name(folder: Path) -> None:
    (folder / "dbt_project.yml").write_text("name: mine\n")
    assert main(["codegen", "--package"]) == 0
    assert (folder / "macros" / "el" / "el_current_state.sql").is_file()
