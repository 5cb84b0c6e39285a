"""The page of `plan`: a line a table, what many tables have in common said once, what may be lost always said."""

from __future__ import annotations

import re

import pytest

from el.cli.app import main
from el.errors import of_table
from tests.tsql_shop import TsqlShop

MANY = [f"CREATE TABLE dbo.t{n} (id INT NOT NULL PRIMARY KEY, v INT)" for n in range(6)]
LOCKED = "may be missed or come twice"


def test_a_table_is_one_line_and_what_may_be_lost_of_many_is_said_once_with_their_number(
    standin_shop: TsqlShop,
) -> None:
    off = ("SET READ_COMMITTED_SNAPSHOT OFF", "SET ALLOW_SNAPSHOT_ISOLATION OFF")
    shop = standin_shop.create('  - {name: "dbo.*"}', *MANY, *(f"ALTER DATABASE CURRENT {each}" for each in off))
    for arguments in (["plan"], ["plan", "--why"]):
        assert main(arguments) == 0
        said = shop.capsys.readouterr().out
        assert said.count(LOCKED) == 1
        assert re.search(rf"6 tables: .*{LOCKED}", said)
    main(["plan"])
    said = shop.capsys.readouterr().out
    assert [line.split()[:3] for line in said.splitlines() if line.startswith("! dbo.")] == [
        ["!", f"dbo.t{n}", "full"] for n in range(6)
    ]
    assert "nothing tells what changed" not in said, "the reasons are for who asks"
    main(["plan", "--why"])
    assert shop.capsys.readouterr().out.count("nothing tells what changed") == 6


def test_columns_stand_below_each_other_and_a_bound_is_short_enough_for_100_columns(
    standin_shop: TsqlShop,
) -> None:
    moment = "2024-01-01T00:00:00.0000000"
    shop = standin_shop.create(
        '  - {name: "dbo.*"}\n  - {name: dbo.a_table_with_quite_a_long_name, cursor: c}',
        "CREATE TABLE dbo.a_table_with_quite_a_long_name (id INT NOT NULL PRIMARY KEY, c DATETIME2 NOT NULL)",
        f"INSERT INTO dbo.a_table_with_quite_a_long_name VALUES (1, '{moment}')",
        *MANY[:2],
    )
    shop.el()
    shop.sql("INSERT INTO dbo.a_table_with_quite_a_long_name VALUES (2, '2024-01-02T00:00:00.1234567')")
    assert main(["plan"]) == 0
    lines = shop.capsys.readouterr().out.splitlines()
    head = next(line for line in lines if "takes" in line)
    rows = [line for line in lines if line[2:].startswith("dbo.") and LOCKED not in line]
    assert len(rows) == 3
    assert all(len(line) <= 100 for line in rows)
    assert {line.index(word) for line, word in zip(rows, ("delta from 2023-12-31T2", "snap", "snap"), strict=True)} == {
        head.index("takes")
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dbo.t: dbo.t: no", "dbo.t: no"),
        ("dbo.t: a; dbo.t: b", "dbo.t: a; b"),
        ("no", "dbo.t: no"),
        ("el.yml line 3: dbo.t: dbo.t: no", "el.yml line 3: dbo.t: no"),
        ("my.dbo.t: no", "my.dbo.t: no"),
        ("no table matches 'dbo.t'", "no table matches 'dbo.t'"),
    ],
)
def test_a_message_names_its_table_once(text: str, said: str) -> None:
    assert of_table("dbo.t", text) == said
