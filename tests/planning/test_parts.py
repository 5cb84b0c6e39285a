"""A large table is divided by itself where that is safe, by the first column of its key; else the plan says why not."""

from __future__ import annotations

import pytest

from el.cli.app import main
from tests.tsql_shop import TsqlShop

SMALL_PARTS = "{workers: 2, retries: 0, partition_rows: 10}"
KEPT = (
    "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)",
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v INT)",
    "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
    "INSERT INTO dbo.t SELECT value, 0 FROM GENERATE_SERIES(1, 40)",
)
PLAIN = (
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v INT)",
    "INSERT INTO dbo.t SELECT value, 0 FROM GENERATE_SERIES(1, 40)",
)


def planned(shop: TsqlShop) -> str:
    assert main(["plan", "--why"]) == 0
    return str(shop.capsys.readouterr().out)


def test_what_a_log_brings_right_is_divided_by_itself(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create("  - {name: dbo.t}", *KEPT, defaults=SMALL_PARTS)
    said = planned(shop)
    assert "  slices    4" in said
    assert (
        "4 partitions are read at slightly different moments: what changes meanwhile comes with the next load" in said
    )
    assert shop.el()["dbo.t"]["rows"] == 40
    assert shop.ledger("strategy, kind, partitions") == [("change_tracking", "snapshot", 4)]
    assert shop.state("t", "id", "id, v") == [(n, 0) for n in range(1, 41)]


@pytest.mark.parametrize("step", ["slice begun", "batch read"])
def test_a_row_that_moves_between_its_parts_comes_right_with_the_next_load(standin_shop: TsqlShop, step: str) -> None:
    """From the first part to the last it comes twice, from the last to the first not at all."""
    shop = standin_shop.create("  - {name: dbo.t}", *KEPT, defaults=SMALL_PARTS.replace("workers: 2", "workers: 1"))
    moved = shop.meanwhile(
        "UPDATE dbo.t SET id = 100 WHERE id = 1",
        "UPDATE dbo.t SET id = -1, v = 7 WHERE id = 40",
        "DELETE FROM dbo.t WHERE id = 20",
        step=step,
    )
    shop.el()
    assert moved
    shop.el()
    assert shop.state("t", "id", "id, v") == [(-1, 7), *((n, 0) for n in range(2, 40) if n != 20), (100, 0)]


@pytest.mark.parametrize(
    ("entry", "setup", "why"),
    [
        ("", PLAIN, "its parts would be of different moments; `partition_by` asks for them by name"),
        (", cursor: id", PLAIN, "its parts would be of different moments; `partition_by` asks for them by name"),
        (
            "",
            (KEPT[0], KEPT[1].replace("KEY", "KEY NONCLUSTERED"), *KEPT[2:]),
            "its rows do not lie in the order of id, so each part would pass over all of them",
        ),
        (
            ", columns: {id: {mask: hmac}}",
            KEPT,
            "it has no key whose first column is taken as it is; `partition_by` names another column",
        ),
        (
            "",
            (
                KEPT[0],
                KEPT[1].replace("id INT", "id FLOAT"),
                *KEPT[2:],
            ),
            "'id' is float, which has no order to cut it by",
        ),
    ],
    ids=["full", "cursor", "heap", "masked", "float"],
)
def test_what_is_not_divided_is_read_as_one_and_the_plan_says_why(
    standin_shop: TsqlShop, entry: str, setup: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_MASK_KEY", "k" * 32)
    shop = standin_shop.create(f"  - {{name: dbo.t{entry}}}", *setup, defaults=SMALL_PARTS)
    if "mask" in entry:
        with (shop.path / "el.yml").open("a") as file:
            file.write("mask_key: env:EL_MASK_KEY\n")
    said = planned(shop)
    assert f"not divided, with about 40 rows: {why}" in said
    assert "slices" not in said
    assert shop.el()["dbo.t"]["rows"] == 40
    assert shop.ledger("kind, partitions") == [("snapshot", 1)]


@pytest.mark.parametrize(
    ("entry", "defaults"),
    [
        (", partitions: 1", SMALL_PARTS),
        ("", "{workers: 2, retries: 0, partition_rows: 40}"),
        ("", "{workers: 2, retries: 0}"),
    ],
    ids=["turned-off", "few-enough", "default"],
)
def test_a_table_of_few_rows_is_read_as_one_without_a_word(standin_shop: TsqlShop, entry: str, defaults: str) -> None:
    shop = standin_shop.create(f"  - {{name: dbo.t{entry}}}", *KEPT, defaults=defaults)
    said = planned(shop)
    assert "divided" not in said
    assert "slices" not in said


def test_partitions_alone_says_in_how_many_parts(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create("  - {name: dbo.t, partitions: 3}", *KEPT)
    assert "  slices    3" in planned(shop)


def test_the_first_column_of_a_longer_key_divides_a_table_where_it_has_values_enough(standin_shop: TsqlShop) -> None:
    keyed = "CREATE TABLE dbo.{} (a INT NOT NULL, b INT NOT NULL, PRIMARY KEY (a, b))"
    shop = standin_shop.create(
        "  - {name: dbo.*}",
        KEPT[0],
        *(keyed.format(name) for name in ("t", "few")),
        *(f"ALTER TABLE dbo.{name} ENABLE CHANGE_TRACKING" for name in ("t", "few")),
        "INSERT INTO dbo.t SELECT value, 0 FROM GENERATE_SERIES(1, 40)",
        "INSERT INTO dbo.few SELECT 1, value FROM GENERATE_SERIES(1, 40)",
        defaults=SMALL_PARTS,
    )
    said = planned(shop)
    assert "not divided, with about 40 rows: the database does not know at which values of a (int) to cut it" in said
    assert said.count("  slices    4") == 1


def test_a_snapshot_that_is_the_same_in_parts_and_as_one_is_not_loaded_again(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create("  - {name: dbo.t, partition_by: id}", *PLAIN, defaults=SMALL_PARTS)
    assert shop.el()["dbo.t"]["status"] == "loaded"
    shop.tables("  - {name: dbo.t}", SMALL_PARTS)
    assert shop.el()["dbo.t"]["status"] == "unchanged"
