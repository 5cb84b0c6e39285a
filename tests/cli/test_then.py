"""`run --then dbt-cloud:JOB_ID`: the job is started by what was loaded, waited for, and its result is the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
import responses

from el import dbt_cloud
from el.cli.app import main

Said = pytest.CaptureFixture[str]
API = "https://cloud.getdbt.com/api/v2/accounts/7"
TOKEN = "dbtc_service_token_1234"


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as found:
        yield found


@pytest.fixture(autouse=True)
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_CLOUD_API_TOKEN", TOKEN)
    monkeypatch.setenv("DBT_CLOUD_ACCOUNT_ID", "7")
    monkeypatch.delenv("DBT_CLOUD_HOST", raising=False)
    monkeypatch.setattr(dbt_cloud, "_EVERY", 0.01)
    (folder / "profiles.yml").write_text(
        "shop: {target: one, outputs: {one: {type: duckdb, path: shop.duckdb}}}\n"
        "warehouse: {target: one, outputs: {one: {type: duckdb, path: warehouse.duckdb}}}\n"
    )
    (folder / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: main.orders, cursor: id}]\n"
    )
    place_order("CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY)", "INSERT INTO orders VALUES (1)")


def place_order(*statements: str) -> None:
    with duckdb.connect("shop.duckdb") as shop:
        for statement in statements:
            shop.execute(statement)


def run(*more: str) -> int:
    return main(["run", "--progress", "none", "--then", "dbt-cloud:42", *more])


def job(web: responses.RequestsMock, *statuses: int, **more: Any) -> responses.BaseResponse:
    started = web.post(f"{API}/jobs/42/run/", json={"data": {"id": 99, "status": 1}})
    for status in statuses:
        found = {"id": 99, "status": status, "href": "https://cloud.getdbt.com/runs/99", **more}
        web.get(f"{API}/runs/99/", json={"data": found})
    return started


def test_a_job_is_started_once_what_was_loaded_is_there_and_waited_for(web: responses.RequestsMock, said: Said) -> None:
    started = job(web, 1, 2, 3, 10)
    assert run() == 0
    call = started.calls[0].request
    assert call.headers["Authorization"] == f"Token {TOKEN}"
    assert json.loads(call.body)["cause"].startswith("el run ")
    assert "dbt Cloud job 42: run 99 succeeded (https://cloud.getdbt.com/runs/99)" in said.readouterr().err
    assert len(web.calls) == 5


def test_a_run_with_nothing_new_starts_none(web: responses.RequestsMock, said: Said) -> None:
    started = job(web, 10)
    assert (run(), run()) == (0, 0)
    assert started.call_count == 1
    assert "not started, nothing was loaded" in said.readouterr().err


@pytest.mark.parametrize(("status", "says"), [(20, "run 99 failed"), (30, "run 99 was cancelled")])
def test_a_job_that_did_not_succeed_is_exit_code_1(
    web: responses.RequestsMock, said: Said, status: int, says: str
) -> None:
    job(web, 3, status, status_message="a test failed")
    assert run() == 1
    error = said.readouterr().err
    assert says in error
    assert "a test failed" in error


def test_what_el_failed_at_stays_the_exit_code(web: responses.RequestsMock, folder: Path, said: Said) -> None:
    (folder / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\n"
        "tables: [{name: main.orders, cursor: id}, {name: main.names, cursor: gone}]\n"
    )
    place_order("CREATE TABLE names (id BIGINT)")
    job(web, 10)
    assert run() == 1
    out, error = said.readouterr()
    assert "FAILED main.names" in out
    assert "run 99 succeeded" in error


REFUSALS = [
    (401, 3, "the token in DBT_CLOUD_API_TOKEN is refused"),
    (403, 3, "Job Admin"),
    (404, 2, "there is none"),
    (500, 3, "answers 500"),
    (302, 3, "DBT_CLOUD_HOST"),
]


def test_a_job_that_could_not_be_started_is_started_by_a_later_run(web: responses.RequestsMock, said: Said) -> None:
    for code, exit_code, says in REFUSALS:
        # Only the first run loads something: from then on the job is owed.
        web.upsert("POST", f"{API}/jobs/42/run/", status=code)
        assert run() == exit_code, code
        error = said.readouterr().err
        assert says in error
        assert TOKEN not in error
    web.replace("POST", f"{API}/jobs/42/run/", json={"data": {"id": 99}})
    web.get(f"{API}/runs/99/", json={"data": {"id": 99, "status": 10}})
    # Nothing is new, and the job is still owed.
    assert run() == 0
    assert "run 99 succeeded" in said.readouterr().err
    assert run() == 0
    assert "not started" in said.readouterr().err


def test_a_request_without_an_answer_is_not_sent_again_in_the_same_run(web: responses.RequestsMock, said: Said) -> None:
    sent = web.post(f"{API}/jobs/42/run/", body=requests.ConnectionError("reset"))
    assert run() == 3
    assert sent.call_count == 1
    assert "the next run starts it" in said.readouterr().err


def test_silence_while_it_waits_is_endured(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
    web.post(f"{API}/jobs/42/run/", json={"data": {"id": 99}})
    web.get(f"{API}/runs/99/", body=requests.ConnectionError("reset"))
    web.get(f"{API}/runs/99/", status=503)
    web.get(f"{API}/runs/99/", json={"data": {"id": 99, "status": 10}})
    assert run() == 0


def test_silence_for_too_long_is_an_error(
    web: responses.RequestsMock, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_cloud, "_SILENT", 0.0)
    web.post(f"{API}/jobs/42/run/", json={"data": {"id": 99}})
    web.get(f"{API}/runs/99/", status=503)
    assert run() == 3
    assert "answers 503" in said.readouterr().err


@pytest.mark.parametrize(
    ("unset", "then", "says"),
    [
        ("DBT_CLOUD_API_TOKEN", "dbt-cloud:42", "DBT_CLOUD_API_TOKEN is not set"),
        ("DBT_CLOUD_ACCOUNT_ID", "dbt-cloud:42", "DBT_CLOUD_ACCOUNT_ID is not set"),
        ("", "dbt-cloud:build", "what can follow a run is dbt-cloud:JOB_ID"),
        ("", "airflow:1", "what can follow a run is dbt-cloud:JOB_ID"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, said: Said, unset: str, then: str, says: str
) -> None:
    monkeypatch.delenv(unset, raising=False)
    assert main(["run", "--progress", "none", "--then", then]) == 2
    assert says in said.readouterr().err
    assert not Path("warehouse.duckdb").exists()


def test_the_token_may_be_a_reference_to_a_secret(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_CLOUD_API_TOKEN", "keyring:el/dbt-cloud")
    monkeypatch.setattr(dbt_cloud, "resolve", lambda reference: f"value of {reference}")
    monkeypatch.setenv("DBT_CLOUD_HOST", "https://ab123.us1.dbt.com/")
    started = web.post("https://ab123.us1.dbt.com/api/v2/accounts/7/jobs/42/run/", json={"data": {"id": 99}})
    web.get("https://ab123.us1.dbt.com/api/v2/accounts/7/runs/99/", json={"data": {"id": 99, "status": 10}})
    assert run() == 0
    assert started.calls[0].request.headers["Authorization"] == "Token value of keyring:el/dbt-cloud"


@pytest.fixture
def said(capsys: Said) -> Said:
    return capsys
