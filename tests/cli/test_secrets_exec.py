"""`secrets exec`: a command has the secrets that profiles.yml's variables refer to, and nobody else has them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyrage
import pytest

from el.cli.app import main
from el.config.profile_secrets import Variable, variables_of
from el.errors import ConfigError
from el.secrets import child, references
from tests.secrets.leaks import leaks, leaks_of_folder

SECRET = "Zw3i/Geh&eim#7%ü"
REFERENCE = "op://Shop/db01/password"
PROFILES = """
shop:
  target: it
  outputs:
    it: {{type: duckdb, path: shop.duckdb, access: "{{{{ env_var('SHOP_ACCESS', 'owner') }}}}", {shop}}}
warehouse:
  target: it
  outputs:
    it: {{type: duckdb, path: warehouse.duckdb, {warehouse}}}
"""
# It says what it was given, and what can be seen of it from outside.
CHILD = """
import json, os, pathlib, sys
proc = pathlib.Path("/proc")
lines = [(proc / pid / "cmdline").read_bytes().decode() for pid in (str(os.getpid()), str(os.getppid()))]
print(json.dumps({"environment": dict(os.environ), "pid": os.getpid(), "lines": lines, "given": sys.argv[1:]}))
sys.exit(7)
"""


def reads(name: str, reference: str = REFERENCE, more: str = "") -> str:
    return f"\"{{{{ env_var('{name}', '{reference}'){more} }}}}\""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a program `op` that knows one secret."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "op"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stdout.buffer.write({SECRET.encode()!r}"
        f" if sys.argv[-1] == {REFERENCE!r} else b'another one')\nsys.exit('/none/' in sys.argv[-1])\n"
    )
    program.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    for name in ("EL_HOME", "EL_ROLE", "EL_TARGET", "DBT_PROFILES_DIR", "SHOP_PASSWORD", "WAREHOUSE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(references, "_remembered", {})
    (folder / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\ntables:\n  - name: main.orders\n    strategy: full\n"
    )
    profiles(folder, f"password: {reads('SHOP_PASSWORD')}", f"password: {reads('WAREHOUSE_PASSWORD')}")
    return folder


def profiles(folder: Path, shop: str = "threads: 1", warehouse: str = "threads: 1") -> None:
    (folder / "profiles.yml").write_text(PROFILES.format(shop=shop, warehouse=warehouse))


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "el", "secrets", "exec", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def said(*arguments: str) -> dict[str, Any]:
    done = started(*arguments, "--", sys.executable, "-c", CHILD, "--target", "x")
    assert done.returncode == 7, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_command_has_the_secrets_and_nobody_else_has_them(place: Path) -> None:
    found = said()
    assert found["environment"]["SHOP_PASSWORD"] == found["environment"]["WAREHOUSE_PASSWORD"] == SECRET
    assert found["given"] == ["--target", "x"]
    assert not leaks("\n".join(found["lines"]).encode(), {"it": SECRET})
    assert not leaks_of_folder(place, {"it": SECRET})
    assert "SHOP_PASSWORD" not in os.environ
    (noted,) = [json.loads(line) for line in (place / ".el/audit.jsonl").read_text().splitlines() if line]
    assert (noted["command"], noted["result"], noted["table_names"]) == (
        "secrets exec",
        "begun",
        "shop.it, warehouse.it",
    )


@pytest.mark.skipif(child.WINDOWS, reason="a process cannot become another one")
def test_the_command_is_the_process_itself_with_the_signals_of_a_new_one(place: Path) -> None:
    ask = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert started("--", sys.executable, "-c", ask).returncode == -signal.SIGTERM
    status = started("--", "grep", "SigIgn", "/proc/self/status").stdout.split()[-1]
    assert not int(status, 16) & (1 << signal.SIGPIPE - 1)


def test_a_variable_that_is_set_is_left_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "mine")
    profiles(place, f"password: {reads('SHOP_PASSWORD', 'op://Shop/none/password')}")
    assert said()["environment"]["SHOP_PASSWORD"] == "mine"


def test_of_one_profile_the_secrets_are_given_and_no_other_is_asked_for(place: Path) -> None:
    profiles(
        place,
        f"password: {reads('SHOP_PASSWORD', 'op://Shop/none/password')}",
        f"password: {reads('WAREHOUSE_PASSWORD')}",
    )
    found = said("--profile", "warehouse")["environment"]
    assert (found.get("SHOP_PASSWORD"), found["WAREHOUSE_PASSWORD"]) == (None, SECRET)
    (place / "el.yml").unlink()
    assert said("--profile", "warehouse", "--target", "it")["environment"]["WAREHOUSE_PASSWORD"] == SECRET


def test_who_may_not_read_the_source_is_given_no_secret_of_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_ACCESS", "staging")
    found = said()["environment"]
    assert (found.get("SHOP_PASSWORD"), found["WAREHOUSE_PASSWORD"]) == (None, SECRET)
    done = started("--profile", "shop", "--", "touch", "started")
    assert (done.returncode, (place / "started").exists()) == (3, False)
    assert "shop.it: role staging" in done.stderr


def test_a_secret_that_cannot_be_had_starts_nothing(place: Path) -> None:
    profiles(place, f"password: {reads('SHOP_PASSWORD', 'op://Shop/none/password')}")
    done = started("--", "touch", "started")
    assert (done.returncode, done.stdout) == (3, "")
    assert "op://Shop/none/password: `op` refused it" in done.stderr
    assert not (place / "started").exists()
    assert '"failed: SecretUnavailable"' in (place / ".el/audit.jsonl").read_text()


def test_one_variable_with_two_references_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profiles(place, f"password: {reads('P')}", f"password: {reads('P', 'op://Shop/db02/password')}")
    assert main(["secrets", "exec", "--", "true"]) == 2
    told = capsys.readouterr().err
    assert told == (
        "error: P: has two references, op://Shop/db01/password and op://Shop/db02/password: give each a variable\n"
    )


def test_a_reference_that_dbt_would_take_for_the_value_is_told_with_what_to_write(place: Path) -> None:
    profiles(place, f"password: '{REFERENCE}'")
    done = started("--", "true")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert f"\"{{{{ env_var('DBT_ENV_SECRET_SHOP_IT_PASSWORD', '{REFERENCE}') }}}}\"" in done.stderr


@pytest.mark.parametrize(
    ("command", "says"),
    [([], "no command to start"), (["--", "no-such-program"], "no-such-program: cannot be started: No such file")],
)
def test_a_command_that_cannot_be_started_is_one_line(
    place: Path, command: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    done = started(*command)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert says in done.stderr


@pytest.mark.parametrize("value", ["a\0" + SECRET, SECRET + "\ud800"])
def test_a_value_that_no_environment_can_hold_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ConfigError, match="that an environment can hold") as caught:
        child.become(["true"], {"P": value})
    assert SECRET not in str(caught.value)
    # A line that is cut later is an error still, and not the end of this process.
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN


def test_where_no_process_can_become_another_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "WINDOWS", True)
    ask = "import os, sys; sys.exit(os.environ['P'] != 'value' or 7)"
    assert child.become([sys.executable, "-c", ask], {"P": "value"}) == 7
    with pytest.raises(ConfigError, match="cannot be started"):
        child.become(["no-such-program"], {})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{ env_var('P', 'op://a/b/c') | as_text }}", [("P", "op://a/b/c")]),
        ("{{ env_var('P', 'op://a/b/c') | int }}", [("P", "op://a/b/c")]),
        ("{{ env_var('P', default='op://a/b/c') }}", [("P", "op://a/b/c")]),
        ("{{ env_var('P', 'op://a' ~ '/b/c') }}", [("P", "op://a/b/c")]),
        ("{{ env_var('A') ~ ':' ~ env_var('P', 'op://a/b/c') }}", [("A", None), ("P", "op://a/b/c")]),
        ("{{ env_var('A', env_var('P', 'op://a/b/c')) }}", [("A", None), ("P", "op://a/b/c")]),
        ("s3://{{ env_var('A', 'x') }}/{{ env_var('P', 'op://a/b/c') }}", [("A", None), ("P", "op://a/b/c")]),
        ("{{ env_var(name) }} {{ other('P', 'op://a/b/c') }}", []),
        ("{{ no template", []),
        ("env_var('P', 'op://a/b/c')", []),
    ],
)
def test_variables_are_found_in_every_template(tmp_path: Path, text: str, wanted: list[tuple[str, str | None]]) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text(json.dumps({"shop": {"outputs": {"it": {"type": "duckdb", "password": text}}}}))
    found = variables_of(path, "shop", "it")
    assert sorted((each.name or "", each.reference) for each in found) == wanted
    assert all(isinstance(each, Variable) and each.setting == "shop.it.password" for each in found)


def test_the_store_beside_profiles_yml_is_the_one_that_is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = place.parent / "elsewhere"
    there.mkdir()
    monkeypatch.delenv("EL_SECRETS", raising=False)
    monkeypatch.setenv("EL_IDENTITY", str(pyrage.x25519.Identity.generate()))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode())))
    options = ["--profiles-dir", str(there)]
    assert main(["secrets", "init", *options]) == main(["secrets", "set", "shop.it.password", *options]) == 0
    profiles(there, f"password: {reads('SHOP_PASSWORD', 'secret:shop.it.password')}")
    assert said(*options)["environment"]["SHOP_PASSWORD"] == SECRET
