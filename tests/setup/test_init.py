"""`init`: a repository that has nothing is ready after it, and what it has is left as it is."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from el.connectors.registry import connector_class, schemes
from tests.setup.conftest import Repository


def test_an_empty_repository_can_run_after_it(repository: Repository, shop_file: dict[str, str]) -> None:
    said = repository.init(shop_file)
    assert "el.yml: 3 tables" in said
    assert "source shop.prod: tables: 3 are seen" in said, "it checks"
    assert "into shop_sales" in said, "it plans"
    assert [each["name"] for each in repository.tables()] == ["hr.people", '"sales"."odd.name"', "sales.orders"]
    assert repository.profile("shop") == {"type": "duckdb", "path": "shop.duckdb", "read_only": True}
    assert (repository.path / "dbt_project" / "dbt_project.yml").is_file()
    assert ".el/" in repository.text(".gitignore").splitlines()
    repository.el("run", "--progress", "none")
    ignored = repository.text(".gitignore").splitlines()
    left = {path.name for path in repository.path.glob("*.lock")} | {".user.yml"}
    assert all(any(fnmatch(name, line) for line in ignored) for name in left), "what el and dbt leave of this machine"


def test_a_second_time_it_changes_nothing(repository: Repository, shop_file: dict[str, str]) -> None:
    repository.init(shop_file)
    before = repository.state()
    repository.init(shop_file)
    repository.init()
    assert repository.state() == before


def test_only_the_tables_that_a_pattern_names_are_taken(repository: Repository, shop_file: dict[str, str]) -> None:
    repository.init(shop_file, "--tables", "hr.*", "sales.orders")
    assert [each["name"] for each in repository.tables()] == ["hr.people", "sales.orders"]


def test_a_pattern_that_means_no_table_is_told_and_can_be_mended(
    repository: Repository, shop_file: dict[str, str]
) -> None:
    said = repository.init(shop_file, "--tables", "sales.ordrs", code=2)
    assert "no table matches 'sales.ordrs'" in said.splitlines()[-1]
    assert "mend el.yml, and run `python -m el init` again" in said.splitlines()[-1]
    text = repository.text("el.yml").replace("ordrs", "orders")
    (repository.path / "el.yml").write_text(text, encoding="utf-8")
    repository.init()
    assert [each["name"] for each in repository.tables()] == ["sales.orders"]


OWN = b"# ours\r\njaffle:   # own\r\n  target: dev\r\n  outputs: {dev: {type: duckdb, path: j.duckdb}}\r\n# the end"


def test_a_profiles_yml_keeps_each_byte_of_what_it_has(repository: Repository, shop_file: dict[str, str]) -> None:
    (repository.path / "profiles.yml").write_bytes(OWN)
    (repository.path / ".gitignore").write_bytes(b"/target\nown/")
    repository.init(shop_file)
    found = (repository.path / "profiles.yml").read_bytes()
    assert found.startswith(OWN)
    assert b"\n" not in found.replace(b"\r\n", b""), "its ends of lines"
    assert repository.profile("jaffle")["path"] == "j.duckdb"
    assert repository.profile("shop")["type"] == "duckdb"
    assert repository.text(".gitignore").splitlines()[:3] == ["/target", "own/", ".el/"]


@pytest.mark.parametrize("own", [b"{jaffle: {outputs: {}}}\n", b"jaffle: {outputs: {}}\n...\n", b"- a list\n"])
def test_a_profiles_yml_that_nothing_can_be_added_to_is_left_alone(
    repository: Repository, shop_file: dict[str, str], own: bytes
) -> None:
    (repository.path / "profiles.yml").write_bytes(own)
    said = repository.init(shop_file, code=2)
    assert said.startswith("error: profiles.yml: ")
    assert len(said.splitlines()) == 1
    assert (repository.path / "profiles.yml").read_bytes() == own
    assert not (repository.path / "el.yml").exists()


def test_the_profile_of_a_dbt_project_that_is_there_is_the_destination(
    repository: Repository, shop_file: dict[str, str]
) -> None:
    project = "name: jaffle_shop\nprofile: jaffle\nmodel-paths: [models]\n"
    (repository.path / "dbt_project.yml").write_text(project)
    (repository.path / "profiles.yml").write_bytes(OWN)
    said = repository.init(shop_file, to="")
    assert "profiles.yml: jaffle is there, and is left as it is" in said
    assert "destination: jaffle" in repository.text("el.yml")
    assert repository.text("dbt_project.yml") == project
    assert not (repository.path / "dbt_project").exists()


def test_a_profile_of_the_sources_name_and_another_type_is_not_taken_for_it(repository: Repository) -> None:
    (repository.path / "profiles.yml").write_bytes(OWN)
    said = repository.el("init", "--source", "mariadb", "--name", "jaffle", "--to", "duckdb", code=2)
    assert "there is a profile jaffle already, of type duckdb" in said
    assert "--name" in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), "--source is missing (type of the source: duckdb, "),
        (("--source", "oracle"), "there is no connector for type 'oracle'; there are: duckdb, "),
        (("--source", "aurora"), "'aurora' may be of type mysql or postgres"),
        (("--source", "mssql", "--to", "duckdb"), "--host is missing (shop: server)"),
        (("--source", "mssql", "--host", "h", "--port", "x"), "port: Input should be a valid integer"),
        (("--source", "mssql", "--host", "h", "--sslmode", "x"), "--sslmode: unknown setting"),
        (("--source", "mssql", "--host", "h", "--password", "hunter2"), "--password: a secret on the command line"),
        (("--source", "mssql", "--host"), "--host needs a value"),
        (("--source", "mssql", "stray"), "'stray' belongs to no flag"),
        (("--source", "duckdb", "--path", "s.duckdb"), "--to is missing (type of the destination: duckdb, snowflake)"),
        (("--source", "duckdb", "--path", "s.duckdb", "--to", "postgres"), "--to postgres: it cannot be a destination"),
        (("--source", "duckdb", "--path", "s.duckdb", "--to", "snowflake"), "--to-account is missing"),
        (("--source", "snowflake", "--to", "duckdb"), "it cannot be a source"),
    ],
)
def test_without_a_terminal_what_is_missing_or_wrong_is_one_line_and_nothing_is_written(
    repository: Repository, flags: tuple[str, ...], says: str
) -> None:
    said = repository.el("init", "--name", "shop", *flags, code=2)
    assert says in said
    assert len(said.splitlines()) == 1
    assert "hunter2" not in said
    assert not list(repository.path.iterdir())


@pytest.mark.parametrize("scheme", sorted(schemes()))
def test_each_connector_asks_for_what_it_needs(scheme: str) -> None:
    config_type = connector_class(scheme).config_type
    asked = [question.setting for question in config_type.asks]
    assert asked
    assert set(asked) | {name for each in config_type.asks for name in each.unless} <= set(config_type.model_fields)
    assert {name for name, field in config_type.model_fields.items() if field.is_required()} <= set(asked)


def test_flags_of_no_command_are_refused_by_the_other_commands(repository: Repository) -> None:
    with pytest.raises(SystemExit):
        repository.el("plan", "--host", "h")


def test_a_person_is_asked_what_is_missing_again_where_it_is_wrong(
    repository: Repository, shop_file: dict[str, str]
) -> None:
    asked = repository.typed("duckdb", "shop", "shop.duckdb", "duckdb", "", "sales.orders")
    repository.init()
    assert "type of the source: duckdb, " in asked[0]
    assert asked[2] == "shop: file: ", "a source's file is nobody's to guess"
    assert asked[-1].startswith("which of them")
    assert [each["name"] for each in repository.tables()] == ["sales.orders"]
    assert repository.profile("warehouse")["path"] == "warehouse.duckdb"
    assert repository.typed() == []
    repository.init()


# Nobody listens there.
SERVER = (
    "--source",
    "postgres",
    "--host",
    "127.0.0.1",
    "--port",
    "9",
    "--database",
    "s",
    "--user",
    "el",
    "--to",
    "duckdb",
)
SECRET = "hunter2-and-more"


@pytest.mark.parametrize("store", ["yes", "no"])
def test_a_password_that_is_typed_stands_in_no_file_as_it_is(repository: Repository, store: str) -> None:
    project = repository.path / "project"
    project.mkdir()
    repository.monkeypatch.chdir(project)
    repository.typed("w.duckdb", store, hidden=(SECRET,))
    said = repository.el("init", "--name", "shop", *SERVER, code=3)
    written = "".join(p.read_text(errors="replace") for p in repository.path.rglob("*") if p.is_file())
    assert SECRET not in written + said
    variable = "env_var('DBT_ENV_SECRET_SHOP_PASSWORD'"
    text = (project / "profiles.yml").read_text()
    if store == "yes":
        assert f"{variable}, 'secret:shop.prod.password')" in text
        assert "secrets.yml: shop.prod.password is kept there" in said
        repository.forget()
        assert "nobody answers" in repository.el("init", code=3), "the password is found again"
    else:
        assert f"{variable})" in text
        assert "the password is kept nowhere: export DBT_ENV_SECRET_SHOP_PASSWORD=..." in said


def test_a_reference_may_stand_on_the_command_line(repository: Repository) -> None:
    repository.el("init", "--name", "shop", *SERVER, "--password", "vault:kv/shop#password", code=3)
    assert "{{ env_var('DBT_ENV_SECRET_SHOP_PASSWORD', 'vault:kv/shop#password') }}" in repository.text("profiles.yml")
