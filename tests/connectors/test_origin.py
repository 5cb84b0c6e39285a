"""Servers are told which run asks, and in which role."""

from __future__ import annotations

import json
from typing import Any

import pytest

from el.connectors.access import Access
from el.connectors.origin import current_run, in_words, of_run
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.driver import statement_settings
from el.connectors.sqlserver.session import SqlServerSession
from tests.engines import connected, statement


def test_a_sql_server_session_says_its_run_and_its_role(
    sqlserver: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_ROLE", "engineer")
    said: list[str] = []
    ask = SqlServerSession.execute

    def noted(self: SqlServerSession, asked: Any) -> int:
        said.append(asked.sql)
        return ask(self, asked)

    monkeypatch.setattr(SqlServerSession, "execute", noted)
    with of_run("1f2e3d4c5b6a"), connected(sqlserver) as session:
        assert session.fetch(statement("SELECT 1")) == [(1,)]
    mark = next(sql for sql in said if sql.startswith("SET CONTEXT_INFO 0x"))
    assert bytes.fromhex(mark.rpartition("0x")[2]).decode() == "el run=1f2e3d4c5b6a role=engineer"


def test_snowflakes_query_tag_has_run_and_role_and_keeps_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EL_ROLE", raising=False)
    settings = {"account": "a", "user": "u", "password": "p", "database": "d"}
    config = SnowflakeConfig.model_validate({**settings, "access": "engineer", "query_tag": "cost centre 7"})
    with of_run("1f2e3d4c5b6a"):
        session = config.arguments()["session_parameters"]["QUERY_TAG"]
    wanted = {"app": "el", "run": "1f2e3d4c5b6a", "role": "engineer", "query_tag": "cost centre 7"}
    assert json.loads(session) == wanted
    one = statement_settings(config, "COPY INTO t", json.dumps({"app": "el", "run": "r", "table": "t"}))
    assert one is not None
    assert json.loads(one["QUERY_TAG"]) == {**wanted, "run": "r", "table": "t"}


def test_a_query_tag_is_no_longer_than_snowflake_takes_and_stays_json() -> None:
    settings = {"account": "a", "user": "u", "password": "p", "database": "d", "query_tag": '"' * 1900}
    tag = SnowflakeConfig.model_validate(settings).tag(json.dumps({"run": "r", "table": "t" * 255}))
    assert len(tag) <= 2000
    assert json.loads(tag)["run"] == "r"


def test_a_run_that_ended_is_told_of_no_longer() -> None:
    with of_run("outer"):
        assert in_words(Access.OWNER) == "el run=outer role=owner"
    assert current_run() is None
    assert in_words(Access.STAGING) == "el role=staging"
