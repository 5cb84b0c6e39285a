"""A setting holds a reference to its secret: what is a reference, where one may stand, and what travels."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from el.config.mask_key import MaskKey
from el.config.profile_secrets import Variable, variables_of
from el.config.profiles import Output, load_output
from el.connectors.registry import open_connector
from el.errors import ConfigError, ReadError, SecretUnavailable
from el.secrets import references
from el.secrets.hidden import hidden
from el.secrets.references import SCHEMES, Secret, is_reference, resolve
from tests.secrets.leaks import leaks

SECRET = "Zw3i/Geh&eim#7%"
SERVER = "shop:\n  target: it\n  outputs:\n    it:\n      type: sqlserver\n      host: h\n      user: u\n      {}\n"


def output(folder: Path, line: str) -> Output:
    (folder / "profiles.yml").write_text(SERVER.format(line))
    return load_output(folder / "profiles.yml", "shop", None)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a keeper of secrets has, in place of every one of them."""
    found: dict[str, str] = {}

    def ask(scheme: str, name: Any) -> str:
        if (value := found.get(str(name))) is None:
            raise name.gone("there is no such secret")
        return value

    monkeypatch.setattr(references, "_ask", ask)
    monkeypatch.setattr(references, "_remembered", {})
    return found


@pytest.mark.parametrize(
    "line",
    [
        "password: '{secret}'",
        "password: \"{{{{ env_var('EL_T_SECRET') }}}}\"",
        "password: \"{{{{ env_var('EL_T_' ~ 'SECRET') }}}}\"",
        "password: \"{{{{ env_var('EL_T_UNSET', '{secret}') }}}}\"",
        "odbc: {{PWD: '{secret}'}}",
        "odbc: {{PWD: \"{{{{ env_var('EL_T_SECRET') }}}}\"}}",
        "client_secret: '{secret}'",  # dbt-sqlserver's, which el does not know
        "more: [{{deep: '{secret}'}}]",
    ],
)
def test_an_output_its_pickle_and_its_repr_hold_no_secret(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_T_SECRET", SECRET)
    found = output(tmp_path, line.format(secret=SECRET))
    travels = pickle.dumps(found)
    for text in (travels.decode("latin-1"), repr(found), str(found.settings), repr(copy.deepcopy(found.settings))):
        assert SECRET not in text
        assert "Geh" not in text
    there = pickle.loads(travels)
    if "password" in line:
        assert there.settings["password"].get_secret_value() == SECRET
        assert open_connector(there.settings).config.keywords()["PWD"] == SECRET
    if "odbc" in line:
        assert open_connector(there.settings).config.keywords()["PWD"] == SECRET


def test_a_password_of_the_file_is_read_again_when_it_is_needed_and_is_missed_by_its_place(tmp_path: Path) -> None:
    found = output(tmp_path, f"password: '{SECRET}'")
    assert found.settings["password"].reference == f"{tmp_path / 'profiles.yml'}#shop.it.password"
    output(tmp_path, "password: other")
    assert found.settings["password"].get_secret_value() == "other"
    output(tmp_path, "")
    with pytest.raises(SecretUnavailable, match=r"profiles\.yml#shop\.it\.password: is no longer there"):
        found.settings["password"].get_secret_value()


def test_a_variable_that_is_gone_by_then_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_T_SECRET", SECRET)
    found = output(tmp_path, "password: \"{{ env_var('EL_T_SECRET') }}\"")
    monkeypatch.delenv("EL_T_SECRET")
    with pytest.raises(SecretUnavailable, match="environment variable EL_T_SECRET is not set") as caught:
        open_connector(found.settings).config.keywords()
    assert caught.value.exit_code == 3


def test_a_reference_is_looked_up_on_connecting_and_once_a_minute(tmp_path: Path, kept: dict[str, str]) -> None:
    found = output(tmp_path, "password: 'aws-sm:shop/prod#password'")
    connector = open_connector(found.settings)
    with pytest.raises(SecretUnavailable, match="aws-sm:shop/prod#password: there is no such secret"):
        connector.config.keywords()
    kept["aws-sm:shop/prod#password"] = SECRET
    assert connector.config.keywords()["PWD"] == SECRET
    kept.clear()
    assert connector.config.keywords()["PWD"] == SECRET
    assert SECRET not in repr(connector)


def test_a_setting_that_is_no_secret_may_be_a_reference(tmp_path: Path, kept: dict[str, str]) -> None:
    kept.update({"vault:kv/shop#host": "db01", "vault:kv/shop#port": "1444", "vault:kv/shop#password": SECRET})
    path = tmp_path / "profiles.yml"
    path.write_text(
        "shop: {target: it, outputs: {it: {type: sqlserver, host: 'vault:kv/shop#host', port: 'vault:kv/shop#port', "
        "user: u, password: 'vault:kv/shop#password'}}}"
    )
    found = load_output(path, "shop", None)
    assert found.setting("host") == "db01"
    assert open_connector(found.settings).config.place == "db01:1444"


def test_the_type_can_be_no_reference(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yml"
    for type_ in ("'keyring:shop/type'", "\"{{ env_var('EL_T_UNSET', 'keyring:shop/type') | lower }}\""):
        path.write_text(f"shop: {{target: it, outputs: {{it: {{type: {type_}}}}}}}")
        with pytest.raises(ConfigError, match="can be no reference"):
            load_output(path, "shop", None)


@pytest.mark.parametrize("text", ["op:hunter2", "secret:hunter2", "vault:kv/hunter2", "aws-sm:", "gcp-sm:hunter2"])
def test_a_password_that_only_begins_like_a_reference_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"#shop\.it\.password: begins like a reference") as caught:
        output(tmp_path, f"password: '{text}'")
    assert "hunter2" not in str(caught.value)


def test_what_a_variable_holds_is_the_value_as_it_is_to_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_T_SECRET", "keyring:shop/hunter2")
    found = output(tmp_path, "password: \"{{ env_var('EL_T_SECRET', 'keyring:shop/el') }}\"")
    assert found.settings["password"].get_secret_value() == "keyring:shop/hunter2"


def test_a_variable_that_is_not_set_leaves_the_reference_that_is_its_default(
    tmp_path: Path, kept: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "password: \"{{ env_var('DBT_ENV_SECRET_SHOP', 'secret:shop.it.password') }}\""
    kept["secret:shop.it.password"] = SECRET
    monkeypatch.delenv("DBT_ENV_SECRET_SHOP", raising=False)
    assert output(tmp_path, line).settings["password"].get_secret_value() == SECRET
    monkeypatch.setenv("DBT_ENV_SECRET_SHOP", "of the child's environment")
    assert output(tmp_path, line).settings["password"].get_secret_value() == "of the child's environment"


@pytest.mark.parametrize(
    ("template", "password"),
    [
        ("{{ env_var('EL_T_UNSET', 'secret:shop.it.password') | as_text }}", SECRET),
        ("{{ env_var('EL_T_UNSET', 'secret:shop.it.password') | upper }}", SECRET.upper()),
        ("a-{{ env_var('EL_T_UNSET', 'secret:shop.it.password') }}", f"a-{SECRET}"),
        ("{{ env_var('EL_T_UNSET', env_var('EL_T_UNSET_TOO', 'secret:shop.it.password')) }}", SECRET),
    ],
)
def test_a_template_works_on_the_value_of_a_reference_and_never_on_its_text(
    tmp_path: Path, kept: dict[str, str], template: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept["secret:shop.it.password"] = SECRET
    found = output(tmp_path, f'password: "{template}"')
    assert not leaks(pickle.dumps(found), {"it": SECRET})
    assert found.settings["password"].get_secret_value() == password
    kept.clear()
    monkeypatch.setattr(references, "_remembered", {})
    with pytest.raises(SecretUnavailable, match=r"secret:shop\.it\.password: there is no such secret"):
        found.settings["password"].get_secret_value()


def test_of_a_template_whose_variable_is_set_no_reference_is_looked_up(
    tmp_path: Path, kept: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_T_SET", "by hand")
    found = output(tmp_path, "password: \"{{ env_var('EL_T_SET', 'secret:shop.it.password') | upper }}\"")
    assert found.settings["password"].get_secret_value() == "BY HAND"


def test_a_number_may_be_kept_where_secrets_are(tmp_path: Path, kept: dict[str, str]) -> None:
    kept["secret:shop.it.port"] = "1444"
    found = output(tmp_path, "port: \"{{ env_var('EL_T_UNSET', 'secret:shop.it.port') | as_number }}\"")
    assert open_connector(found.settings).config.place == "h:1444"


def test_an_empty_variable_is_a_setting_that_is_not_set(tmp_path: Path) -> None:
    assert output(tmp_path, "password: \"{{ env_var('EL_T_UNSET', '') }}\"").settings["password"] == ""


def test_the_variables_that_dbt_has_to_be_given_are_told(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text(
        "shop:\n  outputs:\n    it:\n      type: sqlserver\n      host: \"{{ env_var('HOST', 'h') }}\"\n"
        "      user: 'keyring:shop/user'\n"
        "      password: \"{{ env_var('DBT_ENV_SECRET_SHOP', 'secret:shop.it.password') }}\"\n"
    )
    assert variables_of(path, "shop", "it") == [
        Variable("shop.it.host", "HOST", None, False),
        Variable("shop.it.user", None, "keyring:shop/user", False),
        Variable("shop.it.password", "DBT_ENV_SECRET_SHOP", "secret:shop.it.password", True),
    ]


def test_a_token_in_a_path_is_a_secret_and_a_plain_path_is_none(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text(
        "w: {target: a, outputs: {a: {type: duckdb, path: 'md:shop?motherduck_token=hunter2'}, "
        "b: {type: duckdb, path: w.duckdb}}}"
    )
    assert "hunter2" not in pickle.dumps(load_output(path, "w", None)).decode("latin-1")
    assert load_output(path, "w", "b").settings["path"] == "w.duckdb"


@pytest.mark.parametrize(
    "form",
    [
        *("aws-sm:shop/prod", "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf#password"),
        *("aws-sm:shop?stage=AWSPREVIOUS#a b", "azure-kv:shop-vault/el-password", "gcp-sm:my-project/shop?version=3"),
        *("gcp-sm:projects/p/secrets/s/versions/2", "vault:kv/shop/prod#password", "op://Shop/db01/password"),
        *("op://Shop/db01/section/one-time password?attribute=otp", "keyring:el/shop", "secret:shop.prod.password"),
    ],
)
def test_these_are_references(form: str) -> None:
    assert is_reference(form)


@pytest.mark.parametrize("text", ["C:\\x", "env:X", "md:shop", "s3://a/b", "keyring", "vault:8200", "secret", "op:a"])
def test_these_are_none(text: str) -> None:
    assert not is_reference(text)


def test_a_field_of_a_secret_in_json_is_taken_and_a_wrong_one_is_named_without_a_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SCHEMES, "keyring", ("tests.secrets.test_references", "", r"[^?#]+/[^/?#]+(#.+)?"))
    monkeypatch.setattr(references, "_remembered", {})
    assert resolve("keyring:a/json#password") == SECRET
    assert resolve("keyring:a/json#port") == "1433"
    for reference, says in (("keyring:a/json#pasword", "no field 'pasword'"), ("keyring:a/text#password", "no JSON")):
        with pytest.raises(SecretUnavailable, match=says) as caught:
            resolve(reference)
        assert SECRET not in str(caught.value)


def read(name: Any) -> str:
    """A keeper of two secrets."""
    return f'{{"password": "{SECRET}", "port": 1433}}' if name.path == "a/json" else SECRET


def test_what_was_looked_up_is_taken_out_of_a_text_however_it_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_T_SECRET", SECRET)
    assert Secret("env:EL_T_SECRET").get_secret_value() == SECRET
    told = f"a {SECRET} b Zw3i%2FGeh%26eim%237%25 c Zw3i/Geh&amp;eim#7% d WnczaS9HZWgmZWltIzcl e"
    assert hidden(told) == "a *** b *** c *** d *** e"


def test_the_key_of_masks_is_kept_where_secrets_are(kept: dict[str, str]) -> None:
    key = MaskKey("gcp-sm:project/mask")
    kept["gcp-sm:project/mask"] = "k" * 32
    assert key.secret() == b"k" * 32
    with pytest.raises(ValueError, match="name where the key is"):
        MaskKey("gcp-sm:mask")


def test_what_a_driver_says_of_a_secret_stands_in_no_message_of_els(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_T_SECRET", SECRET)
    assert Secret("env:EL_T_SECRET").get_secret_value() == SECRET
    assert str(ReadError(f"cannot parse PWD={SECRET};")) == "database error: cannot parse PWD=***;"
