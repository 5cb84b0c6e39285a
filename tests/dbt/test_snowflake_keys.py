"""Keys on Snowflake are equal as the source says: raw's state, the models and the key sweep compare `_el_key` alone."""

from __future__ import annotations

from typing import Any

import snowflake.connector
import yaml

from tests.dbt.project import Project, copy_project
from tests.standins.snowflake import SnowflakeStandIn
from tests.tsql_shop import TsqlShop


def test_a_key_in_other_letters_or_with_null_is_the_same_row_on_snowflake(standin_shop: TsqlShop) -> None:
    deletes = "deletes: {by: keys, every: 0s, max_percent: 100}"
    shop = standin_shop.create(
        f"  - {{name: dbo.t, key: [code, region], cursor: changed, {deletes}, model: [current, history]}}",
        "CREATE TABLE dbo.t (code NVARCHAR(10) COLLATE Latin1_General_CI_AS NOT NULL, region INT NULL, "
        "changed BIGINT NOT NULL)",
        "INSERT INTO dbo.t VALUES (N'abc', NULL, 1), (N'ß', 1, 2), (N'gone', NULL, 3)",
    )
    with SnowflakeStandIn() as standin:

        def rows(query: str) -> list[tuple[Any, ...]]:
            with snowflake.connector.connect(**standin.connection_parameters()) as connection:
                return sorted((tuple(row) for row in connection.cursor().execute(query).fetchall()), key=str)

        profiles = yaml.safe_load((shop.path / "profiles.yml").read_text())
        profiles["warehouse"]["outputs"] = {"it": standin.dbt_output()}
        (shop.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
        target = f"{standin.dbt_output()['schema']}_dbo"
        shop.el()
        project = Project(shop.path)
        copy_project(shop.path, generated=False)
        project.el("codegen")
        project.models()
        shop.sql(
            "UPDATE dbo.t SET code = N'ABC ', changed = 4 WHERE code = N'abc'",
            "UPDATE dbo.t SET code = N'SS', changed = 5 WHERE region = 1",
            "DELETE FROM dbo.t WHERE code = N'gone'",
        )
        assert shop.el()["dbo.t"]["deleted"] == 1
        project.dbt("build")
        assert rows(f"SELECT code, region FROM {target}.t") == [("ABC ", None), ("SS", 1)]
        versions = rows(f"SELECT code, _el_valid_to IS NULL FROM {target}.t_history")
        assert versions == [("ABC ", True), ("SS", True), ("abc", False), ("gone", False), ("ß", False)]
