"""`el check` says what `strategy: changes` needs of the server, and what the slots keep on its disk."""

from __future__ import annotations

import pytest

from el.connectors.access import Access
from el.connectors.catalog import TableName
from el.connectors.postgres import Postgres
from el.connectors.postgres.checks import PostgresChecks
from el.connectors.rights import SourceNeeds, TableNeed
from tests.connectors.postgres.log.shop import Follower, PostgresShop

T = "CREATE TABLE t (id int PRIMARY KEY, v int)"


def said(shop: PostgresShop, follow: str = "changes") -> list[str]:
    config = Postgres.config_type.model_validate(shop.output)
    with Postgres(config) as source:
        needs = SourceNeeds(Access.ENGINEER, (TableNeed(TableName("public", "t"), follow=follow),))
        checks = list(PostgresChecks(source.fetch, config, needs).all())
    return [f"{check.level}: {check.text}; {check.remedy}" for check in checks if check.subject == "log"]


def test_a_publication_that_is_missing_and_a_slot_that_waits_are_said(
    shop: PostgresShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sql(T)
    (line,) = said(shop, follow="full")
    assert line.startswith("ok: it can be followed"), "nothing asks for it, and nothing is wrong"
    (line,) = said(shop)
    assert 'there is no publication el; CREATE PUBLICATION "el" FOR TABLE "public"."t"' in line
    shop.sql("CREATE PUBLICATION el FOR TABLE t")
    Follower(shop).load()
    published, slot = said(shop)
    assert "publication el is there" in published
    assert "behind, and the server keeps 0 MB of its log for it" in slot
    shop.sql("INSERT INTO t VALUES (1, 1)")
    monkeypatch.setattr("el.connectors.postgres.checks.FAR_BEHIND", 1)
    assert "SELECT pg_drop_replication_slot('el_" in said(shop)[1]
