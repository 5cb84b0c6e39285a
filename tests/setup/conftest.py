"""An empty repository in which `init` runs, and what it left there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from el.cli.app import main


@dataclass(frozen=True)
class Repository:
    """A folder; commands run in this process, and nobody sits at a terminal unless `typed` says what they type."""

    path: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def el(self, *arguments: str, code: int = 0) -> str:
        """A command; what it said, also on standard error, which comes last."""
        self.capsys.readouterr()
        found = main(list(arguments))
        out, err = self.capsys.readouterr()
        assert found == code, out + err
        return out + err

    def init(self, source: Mapping[str, Any] | None = None, *more: str, code: int = 0, to: str = "duckdb") -> str:
        """`init` with the flags of this output, its password in the environment."""
        given = dict(source or {})
        flags = ["--source", str(given.pop("type"))] if "type" in given else []
        if password := given.pop("password", None):
            self.monkeypatch.setenv("DBT_ENV_SECRET_SHOP_PASSWORD", str(password))
        flags += [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        if source is not None:
            flags += ["--name", "shop", *(["--to", to] if to else [])]
        return self.el("init", *flags, *more, code=code)

    def typed(self, *answers: str, hidden: tuple[str, ...] = ()) -> list[str]:
        """Somebody at a terminal who types these; what they are asked comes into the list that is returned."""
        asked: list[str] = []
        plain, secret = iter(answers), iter(hidden)

        def answer(prompt: str, given: Any) -> str:
            asked.append(prompt)
            return str(next(given))

        self.monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        self.monkeypatch.setattr("builtins.input", lambda prompt: answer(prompt, plain))
        self.monkeypatch.setattr("getpass.getpass", lambda prompt: answer(prompt, secret))
        return asked

    def forget(self) -> None:
        """No password is in the environment; what a command puts there is gone with the test."""
        for name in ("SHOP", "WAREHOUSE"):
            self.monkeypatch.setenv(f"DBT_ENV_SECRET_{name}_PASSWORD", "")
            self.monkeypatch.delenv(f"DBT_ENV_SECRET_{name}_PASSWORD")

    def text(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def profile(self, name: str) -> dict[str, Any]:
        """The settings of the one output of a profile."""
        (output,) = yaml.safe_load(self.text("profiles.yml"))[name]["outputs"].values()
        return dict(output)

    def mend(self, old: str, new: str) -> None:
        """Correct profiles.yml by hand."""
        text = self.text("profiles.yml")
        assert text.count(old) == 1, text
        (self.path / "profiles.yml").write_text(text.replace(old, new), encoding="utf-8")

    def tables(self) -> list[dict[str, Any]]:
        return list(yaml.safe_load(self.text("el.yml"))["tables"])

    def state(self) -> dict[str, str]:
        """Every file that belongs to the repository, and what it holds."""
        found = (path for path in self.path.rglob("*") if path.is_file() and ".duckdb" not in path.name)
        kept = (path for path in found if ".el" not in path.parts)
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Repository:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder / "home"))
    for name in ("DBT_PROFILES_DIR", "EL_SECRETS", "EL_IDENTITY", "EL_ROLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    found = Repository(folder, monkeypatch, capsys)
    found.forget()
    return found


@pytest.fixture
def shop_file(folder: Path) -> dict[str, str]:
    """A source without a server: two tables of schema sales, one of hr."""
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute(
            "CREATE SCHEMA sales; CREATE SCHEMA hr; CREATE TABLE sales.orders (id INTEGER PRIMARY KEY); "
            'CREATE TABLE sales."odd.name" (id INTEGER PRIMARY KEY); CREATE TABLE hr.people (id INTEGER PRIMARY KEY); '
            "INSERT INTO sales.orders VALUES (1), (2)"
        )
    return {"type": "duckdb", "path": "shop.duckdb"}
