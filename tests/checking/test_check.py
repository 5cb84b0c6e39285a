"""`check`: one line each, of both ends, with what is to be done; a bad end hides nothing of the other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from el.checking.clock import Clock, clock
from el.checking.connection import connected
from el.checking.versions import of_libraries
from el.cli.app import main
from el.connectors.access import Access
from el.connectors.check import Level
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.rights import WarehouseNeeds
from el.connectors.snowflake.checks import SnowflakeChecks
from el.connectors.snowflake.config import SnowflakeConfig
from el.errors import ReadError

SECRET = "a-secret-that-nobody-may-see"
TABLES = "tables:\n  - {name: sales.orders}\n"


@pytest.fixture
def workspace(folder: Path) -> Path:
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute("CREATE SCHEMA sales; CREATE TABLE sales.orders AS SELECT 1 AS id")
    write(folder, TABLES)
    return folder


def write(folder: Path, tables: str, **outputs: dict[str, Any]) -> None:
    (folder / "el.yml").write_text(f"version: 1\nsource: shop\ndestination: warehouse\n{tables}")
    local = {
        "shop": {"type": "duckdb", "path": str(folder / "shop.duckdb"), "read_only": True},
        "warehouse": {"type": "duckdb", "path": str(folder / "warehouse.duckdb")},
    }
    profiles = {name: {"target": "it", "outputs": {"it": outputs.get(name, found)}} for name, found in local.items()}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))


def found(capsys: pytest.CaptureFixture[str], *, code: int, role: str = "engineer") -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["check", "--json", "--role", role]) == code
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["ok"] is (code == 0)
    assert SECRET not in said.out + said.err
    checks: list[dict[str, str]] = answer["checks"]
    return checks


def of(checks: list[dict[str, str]], end: str, subject: str) -> dict[str, str]:
    (one,) = [each for each in checks if each["end"].startswith(end) and each["subject"] == subject]
    return one


def test_two_ends_that_are_well_are_told_a_line_each(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok      ") for line in lines)
    assert any("source shop.it: connection: embedded (owner) in database shop of DuckDB" in line for line in lines)
    assert any("source shop.it: tables: 1 are seen" in line for line in lines)
    assert any("warehouse warehouse.it: rights: " in line for line in lines)
    assert any("driver: duckdb " in line for line in lines)


def test_a_bad_source_hides_nothing_of_the_warehouse(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = {"type": "duckdb", "path": f"{workspace}/nowhere.duckdb?token={SECRET}", "read_only": True}
    write(workspace, TABLES, shop=gone)
    checks = found(capsys, code=3)
    assert of(checks, "source", "connection")["level"] == Level.ERROR
    assert of(checks, "warehouse", "connection")["level"] == Level.OK


def test_a_bad_warehouse_hides_nothing_of_the_source(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snowflake = {"type": "snowflake", "account": "a", "user": "u", "database": "d", "warehouse": "w", "role": "r"}
    # Nobody listens there.
    where = {"host": "127.0.0.1", "port": 9, "protocol": "http", "login_timeout": 1, "network_timeout": 1}
    write(workspace, TABLES, warehouse={**snowflake, **where, "password": SECRET})
    checks = found(capsys, code=3)
    assert of(checks, "source", "tables")["level"] == Level.OK
    assert of(checks, "warehouse", "connection")["level"] == Level.ERROR


def test_a_table_that_is_not_seen_is_an_error_by_its_name(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace, "tables:\n  - {name: sales.orders}\n  - {name: sales.ordrs}\n")
    assert "no table matches 'sales.ordrs'" in of(found(capsys, code=3), "source", "tables")["text"]


def test_an_entry_that_protects_what_is_not_seen_is_an_error_too(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(workspace, "tables:\n  - {name: sales.orders}\n  - {name: sales.people, columns: {email: {exclude: true}}}\n")
    assert "no table matches 'sales.people'" in of(found(capsys, code=3), "source", "tables")["text"]


def test_the_role_staging_is_not_connected_to_the_source(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(workspace, TABLES, shop={"type": "duckdb", "path": f"{workspace}/nowhere.duckdb", "read_only": True})
    checks = found(capsys, code=0, role="staging")
    assert "does not connect" in of(checks, "source", "connection")["text"]


def test_a_file_that_anyone_may_change_is_told(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "shop.duckdb").chmod(0o666)
    said = of(found(capsys, code=0), "source", "rights")
    assert (said["level"], said["remedy"]) == (Level.WARNING, f"chmod o-w {workspace / 'shop.duckdb'}")


def test_the_places_of_dumps_are_listed(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "files").mkdir()
    (workspace / "files" / "a.csv").write_text("id\n1\n")
    entry = "{{name: old.{0}, files: 'files/{0}*.csv', format: {{type: csv}}}}"
    write(workspace, f"{TABLES}dumps:\n" + "".join(f"  - {entry.format(name)}\n" for name in ("a", "b")))
    listed = {each["text"]: each["level"] for each in found(capsys, code=0) if each["end"] == "files"}
    assert listed == {
        "old.a: files/a*.csv can be listed": Level.OK,
        "old.b: no file is there that files/b*.csv means": Level.WARNING,
    }


def test_each_check_has_the_same_keys_and_no_others(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for each in found(capsys, code=0):
        assert list(each) == ["end", "level", "subject", "text", "remedy"]


def test_libraries_are_told_and_a_missing_one_with_the_command_that_brings_it() -> None:
    libraries, dbt = of_libraries("duckdb")
    assert libraries.text.startswith("dlt ")
    assert dbt.text.startswith("dbt-core ")
    (_, missing) = of_libraries("nothing")
    assert missing.level is Level.WARNING
    assert "dbt-nothing not installed" in missing.text
    assert missing.remedy == 'pip install "el-loader[dbt]"'


def test_grants_says_that_a_file_has_no_rights(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for role in ("owner", "engineer", "staging"):
        assert main(["grants", "--role", role]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert all(line.startswith("--") or not line for line in lines), "a script of comments alone"


@pytest.mark.parametrize(
    ("ahead", "level", "says"),
    [
        (0, Level.OK, "as this"),
        (3, Level.OK, "3 s ahead"),
        (20, Level.WARNING, "20 s ahead"),
        (-400, Level.WARNING, "behind"),
    ],
)
def test_a_clock_that_is_off_by_more_than_a_few_seconds_is_told(ahead: int, level: Level, says: str) -> None:
    class Off(DuckDb):
        def utc_now(self) -> datetime | None:  # type: ignore[override]
            return datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=ahead)

    found = clock(Off(DuckDb.config_type()))
    assert found is not None
    said = found.check()
    assert (said.level, says in said.text) == (level, True)


def test_two_servers_whose_clocks_are_apart_are_told() -> None:
    none = timedelta()
    early, late = Clock(timedelta(seconds=-4), none), Clock(timedelta(seconds=4), timedelta(seconds=1))
    assert [each.check().level for each in (early, late)] == [Level.OK, Level.OK]
    said = late.beside(early, "the source's")
    assert (said.level, said.text.startswith("8 s ahead of the source's")) == (Level.WARNING, True)


def test_what_snowflake_does_not_tell_a_role_of_itself_is_not_said_to_be_missing() -> None:
    def show(sql: str) -> list[dict[str, Any]]:
        if sql.startswith("SHOW GRANTS TO ROLE"):
            return [{"privilege": "USAGE", "granted_on": "DATABASE_ROLE", "name": "ANALYTICS.RAW_W"}]
        raise ReadError(f"SQL access control error: Insufficient privileges: {sql}")

    given = {"account": "a", "database": "analytics", "user": "u", "private_key": "x"}
    config = SnowflakeConfig.model_validate(given)
    found = list(SnowflakeChecks(show, config, "EL_ENGINEER", WarehouseNeeds("engineer", ("SHOP_SALES",))).all())
    assert not [each for each in found if each.level is Level.ERROR]
    (said,) = [each for each in found if each.subject == "rights"]
    assert (said.level, "cannot be asked" in said.text) == (Level.WARNING, True)


def test_a_connection_of_the_role_staging_is_checked_as_that(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = {"type": "duckdb", "path": str(workspace / "warehouse.duckdb"), "access": "staging"}
    write(workspace, TABLES, warehouse={**local, "staging_data": ["staging"]})
    capsys.readouterr()
    assert main(["check", "--json"]) == 0, "its role is the profile's"
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert "does not connect" in of(checks, "source", "connection")["text"]
    assert of(checks, "warehouse", "rights")["level"] == Level.OK
    write(workspace, TABLES, warehouse=local)
    assert "staging_data" in of(found(capsys, code=3, role="staging"), "warehouse", "connection")["text"]


@pytest.mark.parametrize(
    ("access", "granted", "warehouse", "says"),
    [
        ("engineer", ("OWNERSHIP", "SCHEMA", "ANALYTICS.SHOP_SALES"), {}, "owns schema ANALYTICS.SHOP_SALES"),
        ("engineer", ("USAGE", "ROLE", "SYSADMIN"), {}, "SYSADMIN, which holds more than el needs"),
        ("staging", ("SELECT", "TABLE", "ANALYTICS.SHOP_SALES.ORDERS"), {}, "rights in ANALYTICS.SHOP_SALES"),
        ("engineer", ("USAGE", "WAREHOUSE", "W"), {"auto_suspend": None}, "never suspends"),
        ("engineer", ("USAGE", "WAREHOUSE", "W"), {"auto_resume": "false"}, "does not resume by itself"),
    ],
)
def test_more_than_is_needed_in_snowflake_is_a_warning_with_what_takes_it_away(
    access: str, granted: tuple[str, str, str], warehouse: dict[str, Any], says: str
) -> None:
    def show(sql: str) -> list[dict[str, Any]]:
        if sql.startswith("SHOW GRANTS TO ROLE") and "EL_" in sql:
            return [dict(zip(("privilege", "granted_on", "name"), granted, strict=True))]
        if sql.startswith("SHOW WAREHOUSES"):
            return [{"name": "W", "size": "X-Small", "state": "STARTED", "auto_suspend": "60", **warehouse}]
        return []

    given = {"account": "a", "database": "analytics", "warehouse": "w", "user": "u", "private_key": "x"}
    needs = WarehouseNeeds(Access(access), ("SHOP_SALES",), ("staging",), ("sales",))
    checks = SnowflakeChecks(show, SnowflakeConfig.model_validate(given), f"EL_{access.upper()}", needs).all()
    (said,) = [each for each in checks if each.level is Level.WARNING and says in each.text]
    assert said.remedy


def test_a_login_that_is_in_no_database_is_told_without_one(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ping = DuckDb.ping
    monkeypatch.setattr(DuckDb, "ping", lambda self: replace(ping(self), database=""))
    with DuckDb(DuckDbConfig(path=str(workspace / "shop.duckdb"))) as connector:
        assert "embedded (owner) at DuckDB, " in str(connected(connector))
