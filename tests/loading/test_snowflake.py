"""`python -m el.run` into Snowflake: the real driver and dlt's own destination, over the wire."""

from __future__ import annotations

import json
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from el.cli.app import main
from el.connectors.registry import open_connector
from el.connectors.snowflake import Snowflake
from el.connectors.sql.select import Statement
from tests.shop import Workspace
from tests.standins.snowflake import SnowflakeStandIn


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, standin: SnowflakeStandIn, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    found = Workspace(tmp_path).create()
    profiles = yaml.safe_load((tmp_path / "profiles.yml").read_text())
    profiles["warehouse"]["outputs"]["local"] = standin.dbt_output()
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return found


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, int]]:
    code = main(["run", "--json", *arguments])
    said = capsys.readouterr()
    assert code == 0, said
    return {table["table"]: (table["status"], table["rows"]) for table in json.loads(said.out)["tables"]}


def test_a_run_lands_whole_through_a_named_stage_that_is_left_empty(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(standin.queries)
    first = run(capsys)
    assert first == {
        "sales.lines": ("loaded", 9000),
        "sales.nothing": ("loaded", 0),
        "sales.orders": ("loaded", 3000),
    }
    again = run(capsys)
    assert {status for status, _ in again.values()} == {"unchanged"}
    shop.source("UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    assert run(capsys)["sales.orders"] == ("loaded", 10)

    with open_connector(standin.dbt_output()) as warehouse:
        assert isinstance(warehouse, Snowflake)

        def ask(sql: str) -> list[tuple[object, ...]]:
            return warehouse.fetch(Statement(sql))

        held = ask("SELECT COUNT(*), COUNT(DISTINCT ID), SUM(AMOUNT) FROM SHOP_SALES.ORDERS")
        assert (int(str(held[0][0])), int(str(held[0][1]))) == (3010, 3000)
        rows = ask("SELECT TABLE_NAME, SUM(ROW_COUNT) FROM SHOP_SALES._EL_LEDGER GROUP BY 1 ORDER BY 1")
        assert [(name, int(str(count))) for name, count in rows] == [("lines", 9000), ("nothing", 0), ("orders", 3010)]
        transient = ask(
            "SELECT DISTINCT IS_TRANSIENT FROM INFORMATION_SCHEMA.TABLES "
            "WHERE TABLE_SCHEMA = 'SHOP_SALES' AND TABLE_TYPE = 'BASE TABLE'"
        )
        assert transient == [("YES",)]
        assert ask("LIST @SHOP_SALES._EL_STAGE") == []

    copies = [query for query in standin.queries[before:] if query.sql.lstrip().upper().startswith("COPY INTO")]
    assert copies
    assert all("USE_VECTORIZED_SCANNER" in query.sql and "USE_LOGICAL_TYPE" in query.sql for query in copies)
    tags = [json.loads(query.tag) for query in copies]
    assert {tag["app"] for tag in tags} == {"el"}
    assert {tag["table"] for tag in tags} >= {"lines", "orders", "_el_ledger"}
    assert all(len(tag["run"]) == 12 for tag in tags)


def test_a_copy_that_fails_once_is_loaded_again_and_no_row_stands_twice(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.path / "el.yml").write_text((shop.path / "el.yml").read_text().replace("source: shop", "source: again"))
    profiles = yaml.safe_load((shop.path / "profiles.yml").read_text())
    (shop.path / "profiles.yml").write_text(yaml.safe_dump({**profiles, "again": profiles["shop"]}))
    # The COPY commits and its answer is lost: what a retry alone would load twice.
    standin.fail(r"COPY INTO.*LINES", times=1, after=True)
    run_code = main(["run", "--json"])
    capsys.readouterr()
    if run_code != 0:
        run(capsys)
    with open_connector(standin.dbt_output()) as warehouse:
        assert isinstance(warehouse, Snowflake)
        counts = warehouse.fetch(Statement("SELECT COUNT(*) FROM AGAIN_SALES.LINES"))
    assert int(str(counts[0][0])) == 9000


def login_as(shop: Workspace, standin: SnowflakeStandIn, **way: str) -> str:
    """Have the profile sign in so, and load into a raw schema that no other test has; its name."""
    profiles = yaml.safe_load((shop.path / "profiles.yml").read_text())
    output = {name: value for name, value in standin.dbt_output().items() if name != "password"}
    profiles["warehouse"]["outputs"]["local"] = {**output, **way}
    (shop.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return own_schema(shop)


def own_schema(shop: Workspace) -> str:
    """A raw schema that no other test has: its name as the warehouse stores it."""
    name = f"r{uuid.uuid4().hex[:8]}"
    text = (shop.path / "el.yml").read_text().replace("tables:", f"raw: {{schema: {name}}}\ntables:")
    (shop.path / "el.yml").write_text(text)
    return name.upper()


def key_pair() -> str:
    key = rsa.generate_private_key(65537, 2048)
    encoding, form, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(encoding, form, plain).decode()


def ask(standin: SnowflakeStandIn, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    with open_connector(standin.dbt_output()) as warehouse:
        assert isinstance(warehouse, Snowflake)
        return warehouse.fetch(Statement(sql, parameters))


@pytest.mark.parametrize("way", ["token", "oauth", "private_key", "private_key_path", "password"])
def test_a_load_signs_in_each_way_that_a_plan_does(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    (shop.path / "key.p8").write_text(key_pair())
    given, authenticator = {
        "token": ({"token": "pat"}, "PROGRAMMATIC_ACCESS_TOKEN"),
        "oauth": ({"token": "oauth token", "authenticator": "oauth"}, "OAUTH"),
        "private_key": ({"private_key": key_pair()}, "SNOWFLAKE_JWT"),
        "private_key_path": ({"private_key_path": str(shop.path / "key.p8")}, "SNOWFLAKE_JWT"),
        "password": ({"password": standin.password}, ""),
    }[way]
    login_as(shop, standin, **given)
    before = len(standin.logins)
    assert run(capsys)["sales.orders"] == ("loaded", 3000)
    assert {login["AUTHENTICATOR"] for login in standin.logins[before:]} == {authenticator}


def test_the_plan_warns_of_a_password_alone_and_names_what_goes_on_working(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    login_as(shop, standin, password=standin.password)
    assert main(["plan"]) == 0
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "a password alone" in line]
    assert said.startswith("warehouse.local: ")
    assert "private_key_path" in said
    assert "workload_identity_provider" in said


def test_each_session_of_a_run_says_what_an_account_may_have_set_otherwise(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    own_schema(shop)
    before = len(standin.logins)
    run(capsys)
    logins = standin.logins[before:]
    assert len(logins) > 2
    wanted = {
        "TIMEZONE": "UTC",
        "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
        "ABORT_DETACHED_QUERY": "TRUE",
        "QUOTED_IDENTIFIERS_IGNORE_CASE": "FALSE",
    }
    assert [{name: str(login.get(name)).upper() for name in wanted} for login in logins] == [wanted] * len(logins)


def test_a_role_that_may_not_create_schemas_loads_into_those_that_are_there(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """CREATE ... IF NOT EXISTS is refused without its right, also where there is nothing to create."""
    schema = own_schema(shop)
    role = f"LOADER_{schema}"
    with open_connector(standin.dbt_output()) as admin:
        assert isinstance(admin, Snowflake)
        for sql in (
            f"CREATE ROLE {role}",
            f"CREATE TRANSIENT SCHEMA {schema}",
            f"CREATE STAGE {schema}._EL_STAGE",
            f"GRANT USAGE ON DATABASE {standin.database} TO ROLE {role}",
            f"GRANT USAGE ON WAREHOUSE LOADING TO ROLE {role}",
            f"GRANT USAGE ON SCHEMA {schema} TO ROLE {role}",
            f"GRANT CREATE TABLE ON SCHEMA {schema} TO ROLE {role}",
            f"GRANT READ ON STAGE {schema}._EL_STAGE TO ROLE {role}",
            f"GRANT WRITE ON STAGE {schema}._EL_STAGE TO ROLE {role}",
        ):
            admin.execute(Statement(sql))
    profiles = yaml.safe_load((shop.path / "profiles.yml").read_text())
    profiles["warehouse"]["outputs"]["local"]["role"] = role
    (shop.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    run(capsys)
    shop.source("UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    assert run(capsys)["sales.orders"] == ("loaded", 10)


def test_tables_and_columns_are_made_with_their_comments_and_only_what_changed_is_said_again(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = own_schema(shop)

    def said_again(*arguments: str) -> list[str]:
        before = len(standin.queries)
        run(capsys, *arguments)
        # The lock's holder, and behind the ledger's comment when the last whole run began, are said by each run.
        sent = [query.sql for query in standin.queries[before:] if "_EL_HOLDER" not in query.sql]
        sent = [sql for sql in sent if not re.search(r'^COMMENT ON TABLE "\w+"\."_EL_LEDGER"', sql)]
        return [sql for sql in sent if "COMMENT" in sql and "CREATE TABLE" not in sql and "ADD COLUMN" not in sql]

    assert said_again() == []
    comments = "SELECT comment FROM information_schema.{} WHERE table_schema = ? AND table_name = 'ORDERS'"
    assert ask(standin, comments.format("tables"), schema) == [("sales.orders at the source",)]
    columns = {str(row[0]) for row in ask(standin, comments.format("columns"), schema)}
    assert {"id integer not null", "note varchar", "amount decimal(12,2)", "updated_at timestamp"} <= columns
    shop.source("ALTER TABLE sales.orders ALTER amount TYPE DECIMAL(14, 2)")
    shop.source("UPDATE sales.orders SET updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    again = said_again()
    assert len(again) == 1
    assert again[0].endswith("ALTER \"AMOUNT\" COMMENT 'amount decimal(14,2)'")


@pytest.mark.parametrize(
    "step", [("statement COMMENT", 1), ("statement PUT", 1), ("statement COPY", 2), ("file moved to completed_jobs", 1)]
)
def test_a_stage_is_empty_after_a_kill_and_a_recovery(
    shop: Workspace, standin: SnowflakeStandIn, step: tuple[str, int]
) -> None:
    schema = own_schema(shop)
    assert shop.run(stop_at=step) == -9
    assert shop.run() == 0, (shop.path / "output.log").read_text()[-2000:]
    assert ask(standin, f"LIST @{schema}._EL_STAGE") == []
    assert str(ask(standin, f"SELECT COUNT(*) FROM {schema}.LINES")[0][0]) == "9000"


def test_what_a_lost_folder_had_put_into_the_stage_is_removed_by_the_next_load(
    shop: Workspace, standin: SnowflakeStandIn
) -> None:
    schema = own_schema(shop)
    assert shop.run(stop_at=("statement COPY", 2)) == -9
    shutil.rmtree(shop.path / ".el")
    assert ask(standin, f"LIST @{schema}._EL_STAGE") != []
    assert shop.run() == 0
    assert ask(standin, f"LIST @{schema}._EL_STAGE") == []


def test_a_copy_of_a_file_that_snowflake_knows_already_loads_it_again(tmp_path: Path) -> None:
    """A stage that the server encrypts: the file that is put again after a kill is the same one to COPY."""
    with SnowflakeStandIn() as server:
        server.keep_checksums()
        shop = Workspace(tmp_path).create()
        schema = login_as(shop, server, password=server.password)
        assert shop.run(stop_at=("file moved to completed_jobs", 1)) == -9
        assert shop.run() == 0, (shop.path / "output.log").read_text()[-2000:]
        for table, rows in {"ORDERS": "3000", "LINES": "9000"}.items():
            assert str(ask(server, f"SELECT COUNT(*) FROM {schema}.{table}")[0][0]) == rows


def test_a_table_that_a_killed_run_still_holds_is_waited_for(shop: Workspace, standin: SnowflakeStandIn) -> None:
    schema = own_schema(shop)
    (shop.path / "el.yml").write_text((shop.path / "el.yml").read_text().replace("retries: 0", "retries: 2"))
    assert shop.run(stop_at=("file moved to completed_jobs", 1)) == -9
    standin.fail(f"DELETE FROM .*{schema}", times=1, number=625)
    assert shop.run() == 0, (shop.path / "output.log").read_text()[-2000:]
    assert str(ask(standin, f"SELECT COUNT(*) FROM {schema}.LINES")[0][0]) == "9000"


def test_purge_removes_what_a_lost_folder_had_put_into_the_stage(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = own_schema(shop)
    text = (shop.path / "el.yml").read_text().replace(schema.lower(), f"{schema.lower()}, keep: 0d")
    (shop.path / "el.yml").write_text(f"{text}dbt: {{loads_taken: none}}\n")
    run(capsys)
    shop.source("UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    assert shop.run(stop_at=("statement COPY", 2)) == -9
    assert ask(standin, f"LIST @{schema}._EL_STAGE") != []
    shutil.rmtree(shop.path / ".el")
    assert main(["purge", "--yes"]) == 0
    assert ask(standin, f"LIST @{schema}._EL_STAGE") == []


EXTREMES = """
CREATE TABLE sales.extremes AS SELECT * FROM (VALUES
    (1, -9223372036854775808, DATE '0001-01-01', TIMESTAMP '0001-01-01 00:00:00', TIME '00:00:00',
     -99999999999999999999999999999999999999::DECIMAL(38, 0), -1.7976931348623157e308::DOUBLE, '', ''::BLOB, false),
    (2, 9223372036854775807, DATE '9999-12-31', TIMESTAMP '9999-12-31 23:59:59.999999', TIME '23:59:59.999999',
     99999999999999999999999999999999999999::DECIMAL(38, 0), 4.9406564584124654e-324::DOUBLE,
     'ä\\''€😀 ', '\\x00\\xFF'::BLOB, true),
    (3, 0, DATE '1582-10-10', TIMESTAMP '1500-02-28 12:34:56.789012', TIME '12:34:56.000001',
     0::DECIMAL(38, 0), 0.1::DOUBLE, 'NULL', NULL, NULL),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) AS v (id, whole, day, moment, hour, digits, real, words, bytes, truth)
"""


def test_the_extremes_of_each_type_arrive_as_they_are(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = own_schema(shop)
    shop.source(EXTREMES)
    assert run(capsys, "--select", "extremes")["sales.extremes"] == ("loaded", 4)
    with duckdb.connect(str(shop.path / "shop.duckdb")) as source:
        wanted = source.execute("SELECT * FROM sales.extremes ORDER BY id").fetchall()
    columns = "ID, WHOLE, DAY, MOMENT, HOUR, DIGITS, REAL, WORDS, BYTES, TRUTH"
    found = ask(standin, f"SELECT {columns} FROM {schema}.EXTREMES ORDER BY ID")
    assert [tuple(bytes(v) if isinstance(v, bytearray) else v for v in row) for row in found] == wanted


def test_a_raw_schema_that_the_role_may_not_look_into_is_no_first_load(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.path / "el.yml").write_text((shop.path / "el.yml").read_text().replace("source: shop", "source: closed"))
    profiles = yaml.safe_load((shop.path / "profiles.yml").read_text())
    (shop.path / "profiles.yml").write_text(yaml.safe_dump({**profiles, "closed": profiles["shop"]}))
    run(capsys)
    with open_connector(standin.dbt_output()) as admin:
        assert isinstance(admin, Snowflake)
        for sql in (
            "CREATE ROLE stranger",
            "GRANT USAGE ON DATABASE el TO ROLE stranger",
            "GRANT USAGE ON WAREHOUSE loading TO ROLE stranger",
            "GRANT CREATE SCHEMA ON DATABASE el TO ROLE stranger",
            "GRANT MONITOR ON SCHEMA closed_sales TO ROLE stranger",
        ):
            admin.execute(Statement(sql))
    profiles["warehouse"]["outputs"]["local"] = standin.dbt_output(role="STRANGER")
    (shop.path / "profiles.yml").write_text(yaml.safe_dump({**profiles, "closed": profiles["shop"]}))
    assert main(["plan"]) == 3
    said = capsys.readouterr()
    assert "raw schema CLOSED_SALES is there and STRANGER may not use it" in said.out + said.err


def test_jobs_whose_sessions_are_gone_are_loaded_over_others(
    shop: Workspace, standin: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = own_schema(shop)
    (shop.path / "el.yml").write_text((shop.path / "el.yml").read_text().replace("retries: 0", "retries: 2"))
    ended: list[str] = []

    def end(event: str, arguments: tuple[object, ...]) -> None:
        # The session in which the tables were looked at waits for the first job.
        if event == "os.rename" and "started_jobs" in str(arguments[1]) and not ended:
            ended.append("all of them")
            standin.end_sessions()

    run(capsys)
    shop.source("UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    sys.addaudithook(end)
    assert run(capsys)["sales.orders"] == ("loaded", 10)
    assert ended
    assert str(ask(standin, f"SELECT COUNT(*) FROM {schema}.ORDERS")[0][0]) == "3010"
