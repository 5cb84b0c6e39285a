"""No secret of a run stands in anything that it says, keeps, sends or leaves behind, wherever it fails.

The profiles give secrets in each way: by the environment, by a keeper, by the encrypted store, and in profiles.yml.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb as reader
import pyrage
import pytest
import yaml

from el.connectors.registry import open_connector
from el.connectors.rights import ENGINEER, SourceNeeds, TableName, TableNeed
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.rights import script
from el.secrets.document import create_document
from el.secrets.keeping import Keeper
from tests import forked
from tests.engines import batches, connected, own_database, statement
from tests.secrets.leaks import leaks, leaks_of_folder, watched
from tests.servers.object_storage import s3 as moto
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.sqlserver.process import StandInProcess

SECRETS = {
    "the source's password": "Zw3i/Geh&eim#7%;{}=ü",
    "the warehouse's token": "ver:Tok+en/5%<&>ßq9Xw",
    "the warehouse's password": 'Dritt"es$Wort\\8?*~é',
    "the key of the dumps": "dump/Key+41=%&Überall",
    "dbt's own": "dbt+Only/Se&cret%73=ö",
    "the masks' key": "mask/Key+0123456789&abcdefghijklmn%ö",
    "the identity": str(pyrage.x25519.Identity.generate()),
}
EL_YML = """\
version: 1
source: shop
destination: warehouse
mask_key: env:EL_T_MASK
defaults: {workers: 2, retries: 0}
tables:
  - {name: dbo.t, columns: {name: {mask: hmac}}}
dumps:
  - {name: sales.old, files: "*.csv", source: old, format: csv, settle: 0s}
"""
PROJECT = "name: shop\nversion: 1.0.0\nprofile: warehouse\n"
# One of each part of a run; `make soak` takes all.
FAILS = [("batch read", 1), ("package normalized", 1), ("statement COPY", 1)]


@dataclass
class Scene:
    """A folder with el.yml and profiles.yml, over a source, dumps, and a warehouse."""

    path: Path
    environment: dict[str, str]
    profiles: dict[str, Any]

    def write(self, **changes: dict[str, Any]) -> None:
        """profiles.yml; `changes` are laid over the output of each profile."""
        outputs = {name: {**output, **changes.get(name, {})} for name, output in self.profiles.items()}
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in outputs.items()}
        (self.path / "profiles.yml").write_text(yaml.safe_dump(profiles, allow_unicode=True))

    def run(self, *arguments: str, fail_at: Any = None, code: int | None = None) -> list[str]:
        """A run that may fail; the steps that it came to."""
        given = arguments or ("run", "--progress", "log")
        found, steps = watched(self.path, given, self.environment, SECRETS, fail_at)
        assert code in (None, found), (self.path / "output.log").read_text()[-3000:]
        return steps

    def leaks(self) -> list[str]:
        """What leaked since the beginning; profiles.yml is where one of them stands."""
        found = (self.path / "found.log").read_text().splitlines() if (self.path / "found.log").exists() else []
        return found + leaks_of_folder(self.path, SECRETS, but=("profiles.yml", "found.log"))


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as server:
        yield server


@pytest.fixture
def scene(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    _standin: StandInProcess,
) -> Iterator[Callable[..., Scene]]:
    """Makes a scene with this warehouse's output."""
    with own_database(_standin.output()) as output, moto() as bucket:
        login = f"el_{uuid.uuid4().hex[:12]}"
        table = TableNeed(TableName("dbo", "t"), seen=False)
        with connected(output) as server:
            server.driver.execute(statement("CREATE TABLE t (id int PRIMARY KEY, name nvarchar(20), v rowversion)"))
            server.driver.execute(statement("INSERT INTO t (id, name) VALUES (1, N'a'), (2, N'b')"))
            needs = SourceNeeds(ENGINEER, (table,), ("dbo",), user=login)
            for sql in batches(script(server.config, needs), SECRETS["the source's password"]):
                server.driver.execute(statement(sql))
        # Servers of one process share what they hold: other tests' files stand beside this folder.
        bucket.put(f"{login}/a.csv", b"id,note\n1,x\n")
        # A keeper that tells the warehouse's token.
        keeper = tmp_path_factory.mktemp("keeper") / "op"
        token = SECRETS["the warehouse's token"].encode()
        keeper.write_text(f"#!{sys.executable}\nimport sys\nsys.stdout.buffer.write({token!r})\n")
        keeper.chmod(0o755)
        environment = {
            "EL_T_PASSWORD": SECRETS["the source's password"],
            "EL_T_MASK": SECRETS["the masks' key"],
            "EL_IDENTITY": SECRETS["the identity"],
            "HOME": str(tmp_path / "home"),
            "PATH": f"{keeper.parent}:/usr/bin:/bin",
            "RUNTIME__LOG_LEVEL": "DEBUG",
        }
        source = {
            **output,
            "user": login,
            "password": "{{ env_var('EL_T_PASSWORD') }}",
            "client_secret": SECRETS["dbt's own"],
        }
        old = {"type": "files", "url": f"{bucket.root}/{login}", **bucket.settings}
        old["secret_access_key"] = "secret:old.it.secret_access_key"
        monkeypatch.setenv("HOME", environment["HOME"])
        create_document(store := tmp_path / "secrets.yml")
        Keeper(store, SECRETS["the identity"], lambda connection, others: True).put(
            "old.it.secret_access_key", SECRETS["the key of the dumps"]
        )

        def make(warehouse: dict[str, Any]) -> Scene:
            (tmp_path / "el.yml").write_text(EL_YML)
            (tmp_path / "project").mkdir()
            (tmp_path / "project" / "dbt_project.yml").write_text(PROJECT)
            found = Scene(tmp_path, environment, {"shop": source, "old": old, "warehouse": warehouse})
            found.write()
            return found

        yield make


def snowflake(standin: SnowflakeStandIn) -> dict[str, Any]:
    """A database of one's own, signed in by a token that a keeper tells."""
    database = f"L_{uuid.uuid4().hex[:8].upper()}"
    with open_connector(standin.dbt_output()) as connector:
        connector.execute(Statement(f"CREATE DATABASE {database}"))  # type: ignore[attr-defined]
    return {
        **standin.dbt_output(),
        "database": database,
        "token": "op://Shop/warehouse/token",
        "password": SECRETS["the warehouse's password"],
    }


def duckdb(folder: Path) -> dict[str, Any]:
    return {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}


def test_a_secret_is_found_in_each_form_in_which_it_may_stand(tmp_path: Path) -> None:
    import base64
    import gzip
    import pickle

    secret = SECRETS["the source's password"]
    for data in (
        *(
            f"a{secret}b".encode(),
            secret.encode("utf-16-le"),
            json.dumps({"p": secret}).encode(),
            pickle.dumps([secret]),
        ),
        *(base64.b64encode(b"x" * n + secret.encode() + b"yz") for n in range(3)),
        gzip.compress(f"PWD={secret};".encode()),
        repr({"p": secret}).encode(),
    ):
        assert leaks(data, SECRETS), data
    assert not leaks(b"nothing of it", SECRETS)


def test_no_secret_is_in_anything_of_a_run_that_fails_at_a_step(
    scene: Callable[..., Scene], standin: SnowflakeStandIn
) -> None:
    found = scene(snowflake(standin))
    for step in FAILS:
        steps = found.run(fail_at=step)
        assert steps[-1] == step[0] or step[0] in steps, (step, steps)
        assert "Failure" in (found.path / "output.log").read_text()
    found.run(code=0)
    assert list(found.path.glob("slice-*.pickle"))
    assert (found.path / "plan.pickle").exists()
    assert not found.leaks()
    assert not leaks("\n".join(str(query) for query in standin.queries).encode(), SECRETS)


def test_no_secret_is_in_anything_that_another_command_says_or_leaves(
    scene: Callable[..., Scene], tmp_path: Path
) -> None:
    found = scene(duckdb(tmp_path))
    found.run(code=0)
    for arguments in (
        ("plan", "--why", "--sql"),
        ("state",),
        ("state", "reset", "dbo.t", "--yes"),
        ("check",),
        ("grants", "--role", "engineer"),
        ("codegen", "--project-dir", "project"),
        ("purge", "--yes"),
        ("secrets", "list"),
        ("secrets", "rotate", "--yes"),
        ("secrets", "check"),
        ("run", "--json", "--full-refresh"),
    ):
        found.run(*arguments)
    said = (found.path / "output.log").read_text()
    assert "a defect of el" not in said, said[-3000:]
    assert not found.leaks()
    with reader.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        names = connection.sql("SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
        assert ("shop_dbo", "t") in names
        held = [connection.sql(f'SELECT * FROM "{schema}"."{table}"').fetchall() for schema, table in names]
        comments = connection.sql("SELECT comment FROM duckdb_tables()").fetchall()
    assert not leaks(f"{held}{comments}".encode(), SECRETS)


@pytest.mark.parametrize("which", ["shop", "old", "warehouse"])
def test_no_secret_is_in_what_is_said_of_a_login_that_is_refused(
    scene: Callable[..., Scene], standin: SnowflakeStandIn, which: str
) -> None:
    found = scene(snowflake(standin))
    changes: dict[str, dict[str, Any]] = {
        # The same secrets, of which the server knows no other.
        "shop": {"user": "nobody"},
        "old": {"url": "s3://nowhere"},
        "warehouse": {"token": "", "user": "nobody"},
    }
    found.write(**{which: changes[which]})
    for arguments in (("run",), ("check",)):
        found.run(*arguments)
    assert "error" in (found.path / "output.log").read_text()
    assert not found.leaks()


def test_a_secret_that_is_not_there_is_one_line_and_exit_code_3(scene: Callable[..., Scene], tmp_path: Path) -> None:
    found = scene(duckdb(tmp_path))
    found.write(shop={"password": "vault:kv/shop#password"})
    done = forked.call("el", ["plan"], found.path, {**found.environment, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.returncode == 3
    assert done.stderr == "error: vault:kv/shop#password: VAULT_ADDR, the address of Vault, is not set\n"


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["snowflake", "duckdb"])
def test_no_secret_is_in_anything_of_a_run_that_fails_at_any_of_its_steps(
    scene: Callable[..., Scene], standin: SnowflakeStandIn, kind: str, tmp_path: Path
) -> None:
    found = scene(snowflake(standin) if kind == "snowflake" else duckdb(tmp_path))
    found.run("codegen", "--project-dir", "project")
    found.run("changed", "--project-dir", "project")
    number = 1
    while len(found.run("run", "--full-refresh", fail_at=number)) >= number:
        number += 1
        assert not found.leaks(), number
    assert number > 30
