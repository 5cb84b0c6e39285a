"""`python -m el secrets`: what each command says and does, its exit code, and that no value is ever said."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from el.cli.app import main
from el.errors import ConfigError
from el.secrets.keeping import Keeper
from el.secrets.references import forget

OTHER = str(pyrage.x25519.Identity.generate().to_public())
VALUE = "hunter2-Tür€"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def el(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a folder and a home of its own; its exit code, output and errors."""
    (tmp_path / "repo").mkdir()
    monkeypatch.chdir(tmp_path / "repo")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("EL_SECRETS", "EL_IDENTITY", "EL_ROLE", "EL_HOME", "DBT_PROFILES_DIR"):
        monkeypatch.delenv(name, raising=False)
    forget()

    def run(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        given = io.BytesIO(typed.encode("utf-8", "surrogateescape"))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(given, encoding="latin-1"))
        try:
            code = main(["secrets", *arguments])
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        assert VALUE not in out + err
        return code, out, err

    return run


@pytest.fixture
def filled(el: Run) -> Run:
    assert el("init")[0] == 0
    assert el("set", "shop.prod.password", typed=f"{VALUE}\n")[0] == 0
    assert el("set", "lake.prod.token", typed="a\nkey of\ntwo lines\n")[0] == 0
    return el


def value(path: str) -> str:
    from el.secrets.store import read_secret

    return read_secret(path)


def test_init_makes_an_identity_of_ones_own_and_a_store_and_keeps_what_is_there(el: Run) -> None:
    code, out, _ = el("init")
    identity = Path.home() / ".config" / "el" / "identity"
    assert (code, identity.stat().st_mode & 0o777) == (0, 0o600)
    assert "age1" in out
    assert identity.read_text().strip() not in out
    held = identity.read_text(), Path("secrets.yml").read_bytes()
    code, again, _ = el("init")
    assert (code, again.splitlines()[-1]) == (0, out.splitlines()[-1])
    assert (identity.read_text(), Path("secrets.yml").read_bytes()) == held


def test_a_value_is_taken_whole_from_standard_input_and_stands_nowhere(filled: Run) -> None:
    assert value("shop.prod.password") == VALUE
    assert value("lake.prod.token") == "a\nkey of\ntwo lines"
    for place in Path().rglob("*"):
        assert not place.is_file() or VALUE.encode() not in place.read_bytes()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\r\nb\r\n", "a\r\nb"),
        ("a\rb", "a\rb"),
        ("\ufeffa\r\n", "a"),
        (" a \n\n", " a \n"),
        ("x" * 65536 + "\n", "x" * 65536),
        ("x" * 65537, None),
    ],
)
def test_standard_input_is_taken_as_its_bytes_are_up_to_what_an_environment_takes(
    el: Run, given: str, kept: str | None
) -> None:
    el("init")
    code, _, err = el("set", "shop.prod.password", typed=given)
    assert (code, "longer than 64 KiB" in err) == ((0, False) if kept else (2, True))
    assert kept is None or value("shop.prod.password") == kept


def test_no_input_at_all_is_told_in_one_line(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from el.cli import secrets_store
    from el.loading.state import ask

    def ended(*prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", ended)
    monkeypatch.setattr("builtins.input", ended)
    monkeypatch.setattr(secrets_store, "_at_terminal", lambda: True)
    code, _, err = filled("set", "shop.prod.password")
    assert (code, err.strip()) == (2, "error: shop.prod.password: nothing was typed; nothing was set")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert ask("all of it") is False
    monkeypatch.undo()
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ConfigError, match="--yes"):
        ask("all of it")
    assert secrets_store._at_terminal() is False
    with pytest.raises(ConfigError, match="empty"):
        Keeper(Path("secrets.yml"), None, lambda *asked: True).put("a.b.c", secrets_store._value("a.b.c"))


def test_a_user_without_a_home_who_has_an_identity_does_all(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_IDENTITY", (Path.home() / ".config" / "el" / "identity").read_text())

    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    assert filled("set", "shop.prod.password", typed=VALUE)[0] == 0
    assert filled("grant", "engineer", OTHER, "--yes")[0] == 0
    assert filled("check")[0] == 0
    assert value("shop.prod.password") == VALUE


def test_a_word_that_is_no_role_is_told_before_anything_is_done(el: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_ROLE", "boss")
    code, _, err = el("init")
    assert (code, "'boss' is no role" in err, Path("secrets.yml").exists()) == (2, True, False)


def test_a_value_is_typed_twice_and_not_shown(el: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from el.cli import secrets_store

    el("init")
    typed = iter([VALUE, VALUE, VALUE, "another", "\udcff", "\udcff"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr(secrets_store, "_at_terminal", lambda: True)
    assert el("set", "shop.prod.password")[0] == 0
    assert value("shop.prod.password") == VALUE
    code, _, err = el("set", "shop.prod.password")
    assert (code, "not the same" in err) == (2, True)
    code, _, err = el("set", "shop.prod.password")
    assert (code, "not UTF-8" in err) == (2, True)


def test_list_says_what_is_set_when_and_who_reads_it(filled: Run) -> None:
    assert filled("grant", "engineer", OTHER, "--connection", "shop.prod")[0] == 0
    code, out, _ = filled("list")
    assert code == 0
    shop, lake = out.split("lake.prod.token")
    assert "shop.prod.password  set 20" in shop
    assert f"engineer {OTHER}" in shop
    assert OTHER not in lake


def test_revoke_names_what_to_change_at_the_server(filled: Run) -> None:
    filled("grant", "engineer", OTHER)
    code, out, _ = filled("revoke", OTHER)
    assert code == 0
    assert "secrets set shop.prod.password" in out
    assert "secrets set lake.prod.token" in out
    assert OTHER not in Path("secrets.yml").read_text()


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("set", "shop.password"), 2, "PROFILE.TARGET.FIELD"),
        (("set", "shop.prod.pass word"), 2, "PROFILE.TARGET.FIELD"),
        (("set", "shop.prod..x"), 2, "PROFILE.TARGET.FIELD"),
        (("set", "shop.prod.a#b"), 2, "PROFILE.TARGET.FIELD"),
        (("set", "shop.prod.a\x1b[2K"), 2, "PROFILE.TARGET.FIELD"),
        (("set", "shop.prod.empty"), 2, "the value is empty"),
        (("set", "shop.prod.zero"), 2, "zero byte"),
        (("set", "shop.prod.user", "--like", "lake.prod"), 2, "leave out --like"),
        (("set", "new.prod.password", "--like", "none.prod"), 2, "does not have the connection none.prod"),
        (("grant", "engineer", "ssh-ed25519 AAAA"), 2, "this is no recipient; there are: age1"),
        (("grant", "boss", OTHER), 2, "invalid choice"),
        (("grant", "staging", OTHER), 2, "--connection"),
        (("grant", "staging", OTHER, "--connection", "shop.prod"), 2, "staging never reads"),
        (("grant", "engineer", OTHER, "--connection", "no.where"), 2, "does not have the connection no.where"),
        (("revoke", OTHER), 2, "is a recipient of none of its connections"),
        (("rotate", "--connection", "no.where"), 2, "no.where"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    filled: Run, command: tuple[str, ...], code: int, says: str
) -> None:
    Path("el.yml").write_text("version: 1\nsource: shop\ndestination: lake\ntables: [{name: s.t}]\n")
    before = Path("secrets.yml").read_bytes()
    found, _, err = filled(*command, typed={"shop.prod.empty": "", "shop.prod.zero": "a\0b"}.get(command[1], "x"))
    assert (found, says in err) == (code, True), err
    assert Path("secrets.yml").read_bytes() == before


@pytest.mark.parametrize(
    ("role", "may"), [("owner", {"set", "grant", "revoke", "rotate"}), ("engineer", {"set"}), ("staging", set())]
)
def test_a_role_may_do_what_the_matrix_says_and_a_refusal_is_noted(
    filled: Run, monkeypatch: pytest.MonkeyPatch, role: str, may: set[str]
) -> None:
    other = str(pyrage.x25519.Identity.generate().to_public())
    filled("grant", "engineer", OTHER)
    monkeypatch.setenv("EL_ROLE", role)
    commands = {
        "set": ("set", "shop.prod.password"),
        "grant": ("grant", "engineer", other),
        "revoke": ("revoke", OTHER),
        "rotate": ("rotate",),
    }
    done = set()
    for name, command in commands.items():
        code, _, err = filled(*command, typed="x")
        assert code in (0, 3)
        assert code == 0 or f"role {role}" in err
        done |= {name} if code == 0 else set()
    assert done == may
    lines = [json.loads(line) for line in (Path(".el") / "audit.jsonl").read_text().split("\n") if line]
    noted = {
        (each["command"], each["result"])
        for each in lines
        if each["el_role"] == role and each["command"] != "secrets init"
    }
    assert {(f"secrets {name}", "done" if name in may else "refused") for name in commands} <= noted


def test_the_access_of_a_profiles_output_counts_too(filled: Run) -> None:
    Path("profiles.yml").write_text(
        "shop: {target: prod, outputs: {prod: {type: duckdb, path: \"{{ env_var('NOT_SET') }}\", access: staging}, "
        "dev: {type: duckdb, path: \"{{ env_var('NOT_SET') }}\"}}}\n"
    )
    code, _, err = filled("set", "shop.prod.password", typed="x")
    assert code == 3
    assert "shop.prod: role staging" in err
    assert filled("set", "lake.prod.token", typed="x")[0] == 0
    # What else the output needs may not be there yet.
    assert filled("set", "shop.dev.password", typed="x")[0] == 0


def test_check_says_who_reads_what_and_how_old_it_is(filled: Run) -> None:
    filled("grant", "engineer", OTHER, "--connection", "shop.prod")
    text = Path("secrets.yml").read_text()
    code, out, _ = filled("check")
    assert code == 0, out
    assert f"shop.prod: read by engineer: {OTHER}" in out
    assert "shop.prod: age of password: 0 days" in out
    assert "shop.prod: seal: whole" in out
    assert filled("check", "--max-age", "-1")[1].count("warning") == 2
    # A day that was changed by hand is a change like any other.
    Path("secrets.yml").write_text(text.replace("set: '20", "set: '19").replace("set: 20", "set: 19"))
    code, out, _ = filled("check", "--json")
    assert code == 2
    assert {each["subject"] for each in json.loads(out)["checks"] if each["level"] == "error"} == {"seal"}


def test_check_finds_a_reference_to_nothing_and_staging_that_reads_the_source(filled: Run) -> None:
    source = "version: 1\nsource: {}\ndestination: lake\ntables: [{{name: s.t}}]\n"
    Path("el.yml").write_text(source.format("other"))
    assert filled("grant", "staging", OTHER, "--connection", "shop.prod")[0] == 0
    Path("el.yml").write_text(source.format("shop"))
    Path("profiles.yml").write_text(
        "shop: {target: prod, outputs: {prod: {type: sqlserver, host: h, password: 'secret:shop.prod.password'}}}\n"
        "lake: {target: prod, outputs: {prod: {type: snowflake, password: 'secret:lake.prod.password'}}}\n"
    )
    code, out, _ = filled("check")
    assert code == 2
    errors = [line for line in out.splitlines() if line.startswith("error")]
    assert [word for word in ("staging can read", "secret:lake.prod.password is not") if word not in out] == []
    assert len(errors) == 2


def test_check_finds_secrets_that_lie_open_and_says_none(filled: Run) -> None:
    assert "ok      secrets: plaintext: no secret lies open" in filled("check")[1]
    Path(".env").write_text(f"SHOP_PASSWORD={VALUE}\n")
    # Neither is it YAML that can be read.
    Path("profiles.yml").write_text(f"shop: {{target: prod, outputs: {{prod: {{\n  password: {VALUE}\n")
    code, out, _ = filled("check")
    assert code == 2
    assert ".env: plaintext: line 1: SHOP_PASSWORD: the secret itself -> keep it where secrets are kept" in out
    assert "profiles.yml: plaintext: line 2: password: the secret itself" in out
    errors = {
        each["subject"] for each in json.loads(filled("check", "--json")[1])["checks"] if each["level"] == "error"
    }
    assert errors == {"plaintext", "reference"}


def test_check_knows_a_reference_in_whatever_template_it_stands(filled: Run) -> None:
    Path("profiles.yml").write_text(
        "shop: {outputs: {prod: {a: \"{{ env_var('A', 'secret:shop.prod.password') | as_number }}\",\n"
        " b: \"{{ env_var('B', 'secret:lake.prod.token') }}:{{ env_var('C', 'secret:shop.prod.gone') }}\"}}}\n"
    )
    code, out, _ = filled("check")
    errors = [line for line in out.splitlines() if line.startswith("error")]
    assert (code, len(errors), "secret:shop.prod.gone is not in the store" in errors[0]) == (2, 1, True), out


def test_staging_is_granted_the_source_by_no_way(filled: Run) -> None:
    grant = ("grant", "staging", OTHER, "--connection", "lake.prod")
    for config in ((), ("--config", "ell.yml")):
        code, _, err = filled(*grant, *config)
        assert (code, "says what the source is: --config" in err) == (2, True)
    Path("el.yml").write_text("version: 1\nsource: shop\ndestination: lake\ntables: [{name: s.t}]\n")
    assert filled(*grant)[0] == 0
    assert filled("set", "shop.dev.password", "--like", "lake.prod", typed="x")[0] == 0
    assert filled("list")[1].count(OTHER) == 1


def test_a_store_is_found_beside_the_profiles_that_were_named(filled: Run, tmp_path: Path) -> None:
    from el.api import connect

    other = tmp_path / "elsewhere"
    other.mkdir()
    assert filled("init", "--profiles-dir", str(other))[0] == 0
    filled("set", "shop.prod.password", "--profiles-dir", str(other), typed="theirs")
    (other / "profiles.yml").write_text(
        "shop: {target: prod, outputs: {prod: {type: sqlserver, host: h, port: 1, database: d, user: u, "
        "password: 'secret:shop.prod.password'}}}\n"
    )
    source = connect("shop", profiles_dir=other)
    assert source.config.password.get_secret_value() == "theirs"
    assert value("shop.prod.password") == VALUE


def test_without_the_libraries_one_line_says_how_they_are_had(el: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr("el.cli.secrets.find_spec", lambda name: None if name == "pyrage" else find_spec(name))
    code, _, err = el("init")
    assert (code, err.strip()) == (2, 'error: secrets: a library is missing: pip install "el-loader[secrets]"')
    assert not os.path.exists("secrets.yml")


def test_a_value_that_is_no_text_and_a_file_that_was_merged_by_hand_are_one_line_each(
    filled: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = filled("set", "shop.prod.password", typed="\udcff")
    assert (code, err.strip()) == (2, "error: shop.prod.password: the value is not UTF-8; nothing was set")
    text = Path("secrets.yml").read_text().splitlines(keepends=True)
    Path("secrets.yml").write_text("".join([*text[:3], "<<<<<<< HEAD\n", *text[3:]]))
    code, _, err = filled("list")
    assert code == 2
    assert "secrets.yml line " in err


HOSTILE = {
    "an anchor to itself": ("  shop.prod:", "  shop.prod: &a"),
    "a name for a long list": ("version: 1", "version: 1\nx: &x [a]\ny: [*x, *x]"),
    "a tag": ("version: 1", "version: !!int a"),
    "another YAML": ("# Secrets", "%YAML 1.1\n---\n# Secrets"),
    "a day that is none": ("version: 1", "version: 1\nx: 2026-99-99"),
    "a number too long": ("version: 1", f"version: 1\nx: {'9' * 5000}"),
    "deep": ("version: 1", f"version: 1\nx: {'[' * 3000}"),
    "large": ("# Secrets", f"# {'x' * 5_000_000}"),
    "a connection that is a number": ("  shop.prod:", "  5:"),
    "a connection that a terminal hides": ("  shop.prod:", '  "shop\\e[2K.prod":'),
    "a field that is a number": ("      password:", "      1: {set: a, sealed: b}\n      password:"),
    "a field that is a list": ("      password:", "      ? [a, b]\n      : {set: a, sealed: b}\n      password:"),
    "a recipient that is nothing": ("      owner:", "      owner:\n        ~: x"),
    "a recipient that a terminal hides": ("      owner:", '      owner:\n        "age1\\e[2K": x'),
    "a key that is no base64": ("      owner:", "      owner:\n        age1x: üü"),
    "a seal that is no base64": ("    seal:", "    seal: ü #"),
    "a part of a part": ("    seal:", "    ? {a: b}\n    : c\n    seal:"),
    "two branches": ("  shop.prod:", "<<<<<<< HEAD\n  shop.prod:"),
    "twice": ("    seal:", "    seal: a\n    seal:"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_store_that_somebody_wrote_to_do_harm_is_refused_in_one_line(filled: Run, what: str) -> None:
    from el.errors import SecretUnavailable

    text = Path("secrets.yml").read_text().replace(*HOSTILE[what], 1)
    Path("secrets.yml").write_text(text)
    for command in (("list",), ("check",), ("set", "shop.prod.password"), ("grant", "engineer", OTHER, "--yes")):
        code, out, err = filled(*command, typed="x")
        assert (code in (2, 3), err.count("\n") < 2, "a defect" in err) == (True, True, False) or (
            command == ("list",) and what == "a seal that is no base64"
        ), (command, out, err)
        assert "\x1b" not in out + err
    with pytest.raises((ConfigError, SecretUnavailable)):
        value("shop.prod.password")
    assert Path("secrets.yml").read_text() == text
