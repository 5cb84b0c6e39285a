"""Secrets that lie open in files are found, with the place and what to do, and without any value."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from el.checking.plaintext import NotSearched, Plaintext, find_plaintext
from el.secrets.plaintext import lies_open, looks_secret

ROOT = Path(__file__).parents[2]
SECRET = "Zw3i/Geh&eim#7%"


def told(profiles: Path | None, folder: Path) -> list[tuple[str, int, str, str]]:
    found = find_plaintext(profiles, folder)
    assert all(isinstance(each, Plaintext) for each in found), list(map(str, found))
    return [(each.path.name, each.line, each.field, each.what) for each in found if isinstance(each, Plaintext)]


def test_a_secret_setting_of_any_output_that_holds_a_literal_is_found_with_what_to_do(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text(
        "shop:\n"
        "  target: dev\n"
        "  outputs:\n"
        f"    dev: {{type: sqlserver, host: h, user: u, password: '{SECRET}'}}\n"
        "    prod:\n"
        "      type: sqlserver\n"
        "      password: \"{{ env_var('P', 'secret:shop.prod.password') }}\"\n"
        f"      client_secret: '{SECRET}'\n"
        f"      odbc: {{Encrypt: 'yes', PWD: '{SECRET}'}}\n"
        "files:\n"
        "  outputs:\n"
        f"    it: {{type: files, url: 's3://a/b', secret_access_key: \"{{{{ env_var('K', '{SECRET}') }}}}\"}}\n"
        f"    other: {{type: no_such_database, pwd: '{SECRET}', users_file: '/etc/u', pass: 12345678, token: true}}\n"
    )
    assert told(profiles, tmp_path) == [
        ("profiles.yml", 4, "shop.dev.password", "the secret itself"),
        ("profiles.yml", 8, "shop.prod.client_secret", "the secret itself"),
        ("profiles.yml", 9, "shop.prod.odbc.PWD", "the secret itself"),
        ("profiles.yml", 12, "files.it.secret_access_key", "the secret itself"),
        ("profiles.yml", 13, "files.other.pwd", "the secret itself"),
        ("profiles.yml", 13, "files.other.pass", "the secret itself"),
    ]
    first = find_plaintext(profiles, tmp_path)[0]
    assert isinstance(first, Plaintext)
    assert str(first) == f"{profiles} line 4: shop.dev.password: the secret itself"
    assert first.remedy == (
        "python -m el secrets set shop.dev.password, and write \"{{ env_var('DBT_ENV_SECRET_SHOP_DEV_PASSWORD', "
        "'secret:shop.dev.password') }}\"; change it if others can read this file"
    )


@pytest.mark.parametrize(
    "setting",
    [
        *("password: ''", "password:", "password: \"{{ env_var('P') }}\"", "password: \"{{ env_var('P', '') }}\""),
        *("password: 'op://a/b/c'", "password: \"{{ env_var('P', 'aws-sm:a#b') | as_text }}\"", "password: <password>"),
        *("password: '***'", "private_key_path: /home/el/key.p8", "token: false", "password: ${PASSWORD}"),
        *("host: postgres://u@h/db", "path: 'w.duckdb?access_mode=read_only'", "url: 's3://a/b?versionId=abcdefgh'"),
        *(
            "dsn: \"postgres://u:{{ env_var('P') }}@h\"",
            "odbc: {UID: u, PWD: \"{{ env_var('P') }}\"}",
            "password: ENC[AES]",
        ),
        *("schema: password", "query_tag: 'no secret'", "threads: 4", "token: \"Bearer {{ env_var('T') }}\""),
        *("mask_key: env:MASK", "mask_key: 'gcp-sm:p/mask'", "authenticator: oauth", "password: \"{{ var('p') }}\""),
    ],
)
def test_what_stands_for_a_secret_is_none(tmp_path: Path, setting: str) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text(f"shop:\n  outputs:\n    it:\n      type: sqlserver\n      {setting}\n")
    assert told(profiles, tmp_path) == []


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        (f"dsn: 'postgres://u:{SECRET[:4]}@h/db'", "a password in an address"),
        ("dsn: \"postgres://{{ env_var('U') }}:hunter2@h/db\"", "a password in an address"),
        ("dsn: \"{{ env_var('DSN', 'postgres://u:hunter2@h/db') }}\"", "a password in an address"),
        ("path: 'md:shop?motherduck_token=hunter2hunter2'", "a token in an address"),
        ("url: 'https://a.blob.core.windows.net/b?sv=2024&sig=abc%2Fdef'", "a token in an address"),
        ("odbc_string: 'DRIVER=x;UID=u;PWD=hunter2'", "a password in a connection string"),
        ("cert: |\n        -----BEGIN ENCRYPTED PRIVATE KEY-----\n        AAAA", "a private key"),
        ("note: AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQ", "an identity of age"),
        ("password: changeme", "the secret itself"),
        ("password: $ecret1", "the secret itself"),
        ("# password: hunter22x", "the secret itself"),
    ],
)
def test_a_secret_is_found_by_its_form_too(tmp_path: Path, setting: str, what: str) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text(f"shop:\n  outputs:\n    it:\n      type: sqlserver\n      {setting}\n")
    assert [(line, said) for _, line, _, said in told(profiles, tmp_path)] == [(5, what)]


def test_files_of_an_environment_are_searched_beside_profiles_and_in_the_working_folder(tmp_path: Path) -> None:
    conf, work = tmp_path / "conf", tmp_path / "work"
    (work / "dbt_project").mkdir(parents=True)
    conf.mkdir()
    (conf / "profiles.yml").write_text("shop: {outputs: {it: {type: duckdb, path: a.duckdb}}}\n")
    text = (
        "# of the shop\n"
        "EL_HOST=db01\n"
        f"export SHOP_PASSWORD='{SECRET}' # of the reader\n"
        "SHOP_TOKEN=$OTHER\n"
        "AWS_ACCESS_KEY_ID=AKIAXXXXXXXX\n"
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI\n"
        "#OLD_PASSWORD=hunter22x\n"
        "# password: ask the owner\n"
        "DB_PASSWORD_FILE=/run/secrets/db\n"
        "PWD=/home/el\n"
        "ONE=${DB_PASSWORD:-hunter2}\n"
        "DB_PASSWORD=${OTHER:-hunter2}\n"
        "DATABASE_URL=postgres://u:hunter2@h/db\n"
        'KEY="-----BEGIN PRIVATE KEY-----\n'
        "MIIEvQ==\n"
        '-----END PRIVATE KEY-----"\n'
    )
    for place in (conf / ".env", work / ".env.prod", work / "shop.env", work / "dbt_project" / ".env"):
        place.write_text(text)
    found = told(conf / "profiles.yml", work)
    assert [each[0] for each in found[::6]] == [".env", ".env.prod", "shop.env", ".env"]
    assert [each[1:] for each in found[:6]] == [
        (3, "SHOP_PASSWORD", "the secret itself"),
        (6, "AWS_SECRET_ACCESS_KEY", "the secret itself"),
        (7, "OLD_PASSWORD", "the secret itself"),
        (12, "DB_PASSWORD", "the secret itself"),
        (13, "DATABASE_URL", "a password in an address"),
        (14, "KEY", "a private key"),
    ]
    assert len(found) == 24


def test_an_example_may_say_what_nobody_signs_in_with(tmp_path: Path) -> None:
    text = "DB_PASSWORD=changeme\nDB_TOKEN=your-token\nAPI_KEY=replace_me\nDB_PWD=hunter2\n"
    (tmp_path / ".env.example").write_text(text)
    assert [line for _, line, _, _ in told(None, tmp_path)] == [4]
    (tmp_path / ".env.example").rename(tmp_path / ".env")
    assert [line for _, line, _, _ in told(None, tmp_path)] == [1, 2, 3, 4]


def test_names_of_columns_are_no_secrets_and_variables_of_dbt_may_be(tmp_path: Path) -> None:
    (tmp_path / "el.yml").write_text(
        "source: shop\ntables:\n  - name: sales.users\n    columns: {password: exclude, api_token: {pii: name}}\n"
        "mask_key: hunter2-hunter2\n"
    )
    (tmp_path / "dbt_project.yml").write_text(
        "name: shop\nvars:\n  api_key: hunter2\n  other: \"{{ env_var('API_KEY') }}\"\nmodels:\n  +token: words\n"
    )
    assert told(None, tmp_path) == [
        ("dbt_project.yml", 3, "vars.api_key", "the secret itself"),
        ("el.yml", 5, "mask_key", "the secret itself"),
    ]


def test_the_project_itself_has_none() -> None:
    assert find_plaintext(ROOT / "profiles.example.yml", ROOT) == []


def test_what_is_no_readable_file_is_passed_over_or_told(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    os.mkfifo(tmp_path / ".env.pipe")
    (tmp_path / ".env.loop").symlink_to(tmp_path / ".env.loop")
    (tmp_path / ".env.gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / ".env.bin").write_bytes(b"PASSWORD=hunter2\n\x00\x01\xff" * 9)
    there = tmp_path / "there"
    there.mkdir()
    (there / "real").write_text("PASSWORD=hunter2\n")
    (tmp_path / "link.env").symlink_to(there / "real")
    (tmp_path / "again.env").symlink_to(there / "real")
    found = find_plaintext(None, tmp_path)
    assert [type(each) for each in found] == [NotSearched, Plaintext]
    assert "it cannot be read (OSError), and was not searched" in str(found[0])
    assert (found[1].path.name, found[1].line) == ("again.env", 1)  # type: ignore[union-attr]


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PASSWORD=hunter2\n")
    (tmp_path / ".env").chmod(0)
    assert "PermissionError" in str(find_plaintext(None, tmp_path)[0])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_bytes("# Tür\r\nPASSWORD=hünter2\r\n".encode(encoding))
    assert told(None, tmp_path) == [(".env", 2, "PASSWORD", "the secret itself")]


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a:",
        "a://",
        "a://b:",
        "?sig",
        "password=",
        "{{",
        "[",
        "- ",
        "${",
        "#",
        "'",
        "\n",
        "-----BEGIN ",
        "<",
        "=a;pwd",
    ],
)
def test_a_big_file_is_searched_as_far_as_is_told_and_soon(tmp_path: Path, unit: str) -> None:
    body = unit * (1_200_000 // len(unit))
    (tmp_path / ".env").write_text(f"PASSWORD=hunter2\n{body}\nTOKEN=hunter2\n")
    (tmp_path / "el.yml").write_text(body[:100_000])
    before = time.perf_counter()
    found = find_plaintext(None, tmp_path)
    assert time.perf_counter() - before < 10
    assert any(isinstance(each, Plaintext) and each.line == 1 for each in found)
    assert [each.why for each in found if isinstance(each, NotSearched)] == ["only its first 1 MiB were searched"]


def test_anchors_count_where_they_are_used_and_have_an_end(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text(
        "base: &base\n  password: hunter2\nshop:\n  outputs:\n    a: {<<: *base, type: sqlserver}\n"
        "    b: {type: sqlserver, password: *missing}\n".replace("*missing", "hunter2")
    )
    assert [each[2] for each in told(profiles, tmp_path)] == ["base.password", "shop.a.password", "shop.b.password"]
    bomb = "a0: &a0 {password: hunter2}\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    (tmp_path / "el.yml").write_text(bomb)
    assert len(told(None, tmp_path)) > 0


def test_a_password_that_a_slip_of_the_pen_makes_a_name_is_not_shown(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text(
        "shop:\n  outputs:\n    it: {type: sqlserver, password: {hunter2: x}, client_secret=hunter2: {token: x9}}\n"
    )
    found = find_plaintext(profiles, tmp_path)
    assert len(found) == 1
    assert "hunter" not in f"{found}{found[0]}"


def test_a_file_that_is_no_yaml_is_searched_by_lines(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text("shop:\n  outputs: {it: {\n   password: hunter2\n  ]\n")
    assert told(profiles, tmp_path) == [("profiles.yml", 3, "password", "the secret itself")]


# A value is told from the words of what is said by its first letters.
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40).map(
    "qZ9".__add__
)
NAMES = st.sampled_from(
    ["PASSWORD", "client_secret", "api-key", "user", "DATABASE_URL", "odbc", "note", "token", "PWD"]
)
SHAPES = st.sampled_from(
    [
        *("{}", "'{}'", '"{}"', "postgres://u:{}@h/db", "https://h/?sig={}", "DRIVER=x;PWD={};", "${{X:-{}}}", "<{}>"),
        *("{{{{ env_var('P', '{}') }}}}", "-----BEGIN PRIVATE KEY-----{}", "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQ{}"),
        *("postgres://{}:x@h", "{}://u:p@h", "# {}", "[{}]", "{{{}: x}}", "&{} x", "*{}", "!{} x", "|\n    {}"),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(NAMES, SHAPES, VALUES), min_size=1, max_size=6), separator=st.sampled_from(["=", ": "]))
def test_no_value_is_in_what_is_said(tmp_path: Path, rows: list[tuple[str, str, str]], separator: str) -> None:
    lines = [f"{name}{separator}{shape.format(value)}" for name, shape, value in rows]
    (tmp_path / ".env").write_text("\n".join(lines), "utf-8")
    profiles = tmp_path / "profiles.yml"
    profiles.write_text("shop:\n  outputs:\n    it:\n" + "".join(f"      {line}\n" for line in lines), "utf-8")
    (tmp_path / "el.yml").write_text("\n".join(lines), "utf-8")
    said = "\n".join(
        f"{each}{each!r}{each.remedy if isinstance(each, Plaintext) else ''}"
        for each in find_plaintext(profiles, tmp_path)
    )
    assert "qZ9" not in said


@settings(max_examples=150, deadline=None)
@given(value=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=40))
def test_a_plain_word_as_a_password_is_always_found(value: str) -> None:
    assert lies_open(value) or set(value.lower()) == {"x"}


@pytest.mark.parametrize(
    "name",
    [
        *("PASSWORD", "db_password", "PGPASSWORD", "MYSQL_PWD", "clientSecret", "apiKey", "AWS_SECRET_ACCESS_KEY"),
        *("private_key", "private_key_passphrase", "SNOWFLAKE_TOKEN", "sas_token", "AIRFLOW__CORE__FERNET_KEY", "pass"),
    ],
)
def test_these_names_are_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("user", "primary_key", "unique_key", "private_key_path", "PASSWORD_FILE", "AWS_ACCESS_KEY_ID", "token_url"),
        *("passport", "compass", "secret_name", "EL_SECRETS", "password_min_length", "max_tokens", "bypass", "", "1"),
    ],
)
def test_these_names_are_not(name: str) -> None:
    assert not looks_secret(name)
