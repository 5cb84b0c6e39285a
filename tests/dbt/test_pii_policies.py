"""Personal data on Snowflake: under a masking policy from the first moment, whoever makes the view anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner

from el.connectors.catalog import TableName
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from tests import snowflake_roles
from tests.dbt import test_snowflake_roles
from tests.dbt.test_snowflake_roles import Chain
from tests.standins.snowflake import SnowflakeStandIn

EL_YML = """\
version: 1
source: shop
destination: warehouse
dbt: {pii: policy}
tables:
  - {name: sales.customers, columns: {email: {pii: email}, credit_limit: {pii: credit}}}
"""
STAGED = TableName("STAGING", "STG_SHOP__CUSTOMERS")


class Masked(Chain):
    """The chain of roles, over one table with personal data."""

    def refresh(self) -> bool:
        self.act_as("engineer")
        places = ["--project-dir", "dbt_project", "--profiles-dir", ".", "--target-path", str(self.path / "target")]
        return bool(dbtRunner().invoke(["--quiet", "run", *places, "--full-refresh"]).success)

    def seen(self) -> list[int]:
        """How many e-mail addresses and credit limits the reader of staging sees."""
        with open_connector(snowflake_roles.output(self.standin, "staging")) as reader:
            rows = reader.read_buffer(ReadRequest(table=STAGED)).to_arrow()
        assert rows.num_rows > 0
        return [rows.num_rows - rows.column(name).null_count for name in ("EMAIL", "CREDIT_LIMIT")]

    def views(self) -> list[str]:
        """The statements that made the view which the reader sees, or would have."""
        made = [query.sql.lower() for query in self.standin.queries]
        return [
            sql
            for sql in made
            if "create or replace view analytics.staging.stg_shop__customers" in " ".join(sql.split())
        ]


def test_at_no_moment_a_reader_of_staging_sees_personal_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(test_snowflake_roles, "EL_YML", EL_YML)
    with SnowflakeStandIn() as standin:
        chain = Masked(standin, tmp_path / "project", monkeypatch)
        apply_tag = 'GRANT APPLY ON TAG "ANALYTICS"."EL_PII"."EL_PII" TO ROLE EL_ENGINEER'
        assert apply_tag in chain.scripts["engineer"]
        assert not [sql for sql in chain.scripts["staging"] if "PII" in sql]
        chain.apply(but=apply_tag)
        assert any(apply_tag in error for error in chain.errors("engineer", capsys))
        assert chain.load()
        # Without the right to mask, no view is made, with the columns or without.
        assert not chain.build()
        assert len(chain.views()) == 1
        chain.apply()
        chain.apply()
        assert not chain.errors("engineer", capsys)
        assert chain.build()
        assert chain.seen() == [0, 0]
        assert chain.refresh()
        assert chain.seen() == [0, 0]
        assert len(chain.views()) == 3
        for sql in chain.views():
            assert "with masking policy analytics.el_pii.el_pii_varchar" in sql
            assert "with masking policy analytics.el_pii.el_pii_number_12_2" in sql
            assert "with tag (analytics.el_pii.el_pii = 'credit')" in sql
        snowflake_roles.apply(standin, ["GRANT ROLE EL_PII TO ROLE EL_STAGING"])
        assert all(chain.seen())
