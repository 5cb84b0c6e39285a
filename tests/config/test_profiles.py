"""profiles.yml: rendered as dbt renders it; no value of it in any message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from el.config.profiles import find_profiles, load_output
from el.connectors.registry import open_connector
from el.errors import ConfigError
from el.secrets.references import Secret

PROFILES = """\
shop:
  target: local
  outputs:
    local: {type: duckdb, path: "{{ env_var('SHOP_PATH', 'shop.duckdb') }}"}
    prod:
      type: sqlserver
      password: "{{ env_var('SHOP_PASSWORD') }}"
      port: "{{ env_var('SHOP_PORT', '1433') | as_number }}"
      encrypt: "{{ env_var('SHOP_ENCRYPT', 'true') | as_bool }}"
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    path = tmp_path / "profiles.yml"
    path.write_text(PROFILES)
    return path


def test_the_profiles_own_target_is_taken_unless_another_is_asked_for(profiles: Path) -> None:
    assert load_output(profiles, "shop", None).settings["path"] == "shop.duckdb"


def test_env_vars_are_rendered_and_typed_where_a_filter_asks(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "0123")
    settings = load_output(profiles, "shop", "prod").settings
    assert (settings["password"].get_secret_value(), settings["port"], settings["encrypt"]) == ("0123", 1433, True)


def test_a_missing_variable_is_named(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="environment variable SHOP_PASSWORD is not set"):
        load_output(profiles, "shop", "prod")


def test_a_missing_profile_and_a_missing_output_name_those_that_there_are(profiles: Path) -> None:
    with pytest.raises(ConfigError, match="no profile 'shp'; there are: shop"):
        load_output(profiles, "shp", None)
    with pytest.raises(ConfigError, match="no output 'dev'; it has: local, prod"):
        load_output(profiles, "shop", "dev")


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"copy profiles\.example\.yml"):
        find_profiles(tmp_path)


def test_broken_yaml_names_the_line_and_no_content(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text("shop:\n  password: hunter2\n   x: [\n")
    with pytest.raises(ConfigError) as caught:
        load_output(path, "shop", None)
    assert "line" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_output_shows_no_setting_in_its_repr(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    assert "hunter2" not in repr(load_output(profiles, "shop", "prod"))


def test_an_unknown_type_names_the_connectors_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no connector for type 'oracle'; there are: .*duckdb.*sqlserver"):
        open_connector({"type": "oracle"})


SERVER = "shop:\n  target: it\n  outputs:\n    it:\n      type: sqlserver\n      host: h\n      user: u\n"


@pytest.mark.parametrize(
    "line",
    [
        "password: NO",
        "password: 0123",
        "password: 12:30:59",
        "database: off",
        "user: 1_000",
        "odbc: {MultiSubnetFailover: Yes}",
        "odbc:\n        PacketSize: 010",
    ],
)
def test_a_value_that_yaml_1_1_and_1_2_read_differently_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text(SERVER.replace("      user: u\n", "") + f"      {line}\n")
    with pytest.raises(ConfigError, match=rf"profiles\.yml line {6 + len(line.splitlines())}: .*quotes") as caught:
        load_output(path, "shop", None)
    assert line.split(":", 1)[1].strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("password: 'NO'", "password", "NO"),
        ('password: "0123"', "password", "0123"),
        ("encrypt: yes", "encrypt", True),
        ("port: 1433", "port", 1433),
        ("password: 1e3", "password", "1e3"),
        ("schema: on", "schema", True),
    ],
)
def test_a_value_that_dbt_reads_as_el_does_is_read_as_dbt_reads_it(
    tmp_path: Path, line: str, name: str, value: object
) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text(SERVER + f"      {line}\n")
    found = load_output(path, "shop", None).settings[name]
    assert (found.get_secret_value() if isinstance(found, Secret) else found) == value
    assert yaml.safe_load(path.read_text())["shop"]["outputs"]["it"][name] == value


def test_a_key_that_stands_twice_is_refused_with_both_lines_and_no_value(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text(SERVER + "      password: hunter1\n      host: hunter2\n")
    with pytest.raises(ConfigError, match=r"line 9: host: this key stands twice, first in line 6") as caught:
        load_output(path, "shop", None)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text(SERVER + "      password: größer\n", encoding=encoding)
    assert load_output(path, "shop", None).settings["password"].get_secret_value() == "größer"
