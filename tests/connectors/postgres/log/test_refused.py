"""What strategy `changes` refuses, each with the statement that puts it right; what it says of a lost log."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from el.connectors.postgres import Postgres
from el.connectors.postgres.log.slots import control
from el.connectors.request import Position
from el.errors import PlanError, PositionLost, ReadError, ServerUnreachable
from tests.connectors.postgres.log.shop import Follower, PostgresShop
from tests.servers import postgres

T = "CREATE TABLE t (id int PRIMARY KEY, v int)"
PUBLISHED = "CREATE PUBLICATION el FOR TABLE t"
IDENTITY = 'ALTER TABLE "public"."t" REPLICA IDENTITY FULL'

REFUSED: list[tuple[tuple[str, ...], dict[str, Any], str]] = [
    (
        (T,),
        {},
        'there is no publication el (`publication` in the profile): CREATE PUBLICATION "el" FOR TABLE "public"."t"',
    ),
    ((T, "CREATE PUBLICATION el"), {}, 'ALTER PUBLICATION "el" ADD TABLE "public"."t"'),
    (
        (T, f"{PUBLISHED} WITH (publish = 'insert, update')"),
        {},
        "leaves out delete, truncate: ALTER PUBLICATION \"el\" SET (publish = 'insert, update, delete, truncate')",
    ),
    ((T, f"{PUBLISHED} WHERE (id > 1)"), {}, "has some rows of this table alone"),
    ((T, "CREATE PUBLICATION el FOR TABLE t (id)"), {}, "publication el leaves out v: exclude what is not published"),
    (
        ("CREATE TABLE t (a int)", PUBLISHED),
        {},
        f"it has no replica identity, by which the log tells the rows that are updated or deleted: {IDENTITY}",
    ),
    (
        (T, "ALTER TABLE t REPLICA IDENTITY NOTHING", PUBLISHED),
        {},
        f"no replica identity, by which the log tells the rows that are updated or deleted: {IDENTITY}",
    ),
    (
        ("CREATE TABLE t (id int PRIMARY KEY, v text)", PUBLISHED),
        {},
        f"an update that leaves a large value alone has no value of it in the log (v): {IDENTITY}",
    ),
    (
        (T, PUBLISHED),
        {"key": ("v",), "own_key": True},
        f"`key` is not of the replica identity (id), and the log has no more of a deleted row: {IDENTITY}",
    ),
    ((T, PUBLISHED), {"before_images": True}, f"`images: both` needs the former rows in the log: {IDENTITY}"),
    ((T, PUBLISHED), {"filtered": True}, "of a row that leaves the `filters`, the log does not tell"),
    (
        ("CREATE UNLOGGED TABLE t (id int PRIMARY KEY)", "CREATE PUBLICATION el FOR ALL TABLES"),
        {},
        "an unlogged table is not in the log: ALTER TABLE ... SET LOGGED",
    ),
    (
        ("CREATE TABLE t (id int PRIMARY KEY, v int GENERATED ALWAYS AS (id + 1) STORED)", PUBLISHED),
        {},
        "v: generated, and the log has no value of it: exclude it",
    ),
    ((T, "CREATE TABLE heir () INHERITS (t)", PUBLISHED), {}, "other tables inherit from it"),
    (("CREATE VIEW t AS SELECT 1 AS id",), {}, "a view has no changes of its own in the log"),
    (
        (
            "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id)",
            "CREATE TABLE t1 PARTITION OF t DEFAULT",
            PUBLISHED,
        ),
        {},
        'ALTER PUBLICATION "el" SET (publish_via_partition_root = true)',
    ),
]


@pytest.mark.parametrize(("setup", "asked", "says"), REFUSED, ids=[says[:40] for _, _, says in REFUSED])
def test_a_table_whose_changes_the_log_does_not_all_have_is_refused(
    shop: PostgresShop, setup: tuple[str, ...], asked: dict[str, Any], says: str
) -> None:
    shop.sql(*setup)
    with pytest.raises(PlanError) as refused:
        Follower(shop, **asked).load()
    assert says in str(refused.value)
    assert shop.slots() == []


def test_a_table_of_large_values_is_followed_where_they_are_left_out(shop: PostgresShop) -> None:
    shop.sql("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(12,2))", PUBLISHED)
    follower = Follower(shop, without=("v",))
    follower.load()
    # What comes over the line, though it does not land, is said.
    assert follower.notes[1:] == (
        "v is not taken, and is in the log all the same: it comes over the line, and does not land",
    )
    shop.sql("INSERT INTO t VALUES (1, 'x', 2.50)")
    assert [row[0] for row in follower.load()] == [1]


def test_a_refusal_of_the_plan_names_the_table(shop: PostgresShop) -> None:
    shop.create("  - {name: public.t, strategy: changes}", T)
    assert "public.t: strategy changes: logical_replication: there is no publication el" in shop.plan(code=2)


def test_a_login_that_may_not_use_slots_is_told_the_statement(shop: PostgresShop) -> None:
    shop.sql(T, PUBLISHED, "CREATE ROLE plain_reader LOGIN PASSWORD 'x'", "GRANT SELECT ON t TO plain_reader")
    plain = PostgresShop(shop.path, {**shop.output, "user": "plain_reader", "password": "x"})
    try:
        with pytest.raises(PlanError, match='ALTER ROLE "plain_reader" REPLICATION'):
            Follower(plain).load()
        shop.sql("ALTER ROLE plain_reader REPLICATION")
        shop.sql("INSERT INTO t VALUES (1, 1)")
        follower = Follower(plain)
        assert follower.load() == [(1, 1, "S")]
        shop.sql("INSERT INTO t VALUES (2, 2)")
        # What it needs is REPLICATION, and SELECT for the snapshot.
        assert follower.load() == [(2, 2, "U")]
    finally:
        shop.sql("DROP OWNED BY plain_reader", "DROP ROLE plain_reader")


def followed(shop: PostgresShop) -> Follower:
    shop.sql(T, PUBLISHED, "INSERT INTO t VALUES (1, 1)")
    follower = Follower(shop)
    follower.load()
    shop.sql("INSERT INTO t VALUES (2, 2)")
    return follower


def test_a_slot_that_is_gone_stops_the_table(shop: PostgresShop) -> None:
    follower = followed(shop)
    ((slot, _),) = shop.slots()
    shop.sql(f"SELECT pg_drop_replication_slot('{slot}')")
    with pytest.raises(PositionLost, match=rf"replication slot {slot} is gone, and with it the changes since"):
        follower.load()


def test_a_slot_that_somebody_else_advanced_stops_the_table(shop: PostgresShop) -> None:
    follower = followed(shop)
    ((slot, _),) = shop.slots()
    shop.sql(f"SELECT pg_replication_slot_advance('{slot}', pg_current_wal_flush_lsn())")
    with pytest.raises(PositionLost, match="somebody else uses it"):
        follower.load()


def test_a_slot_that_is_advanced_between_plan_and_read_stops_the_table(shop: PostgresShop) -> None:
    follower = followed(shop)
    ((slot, _),) = shop.slots()
    with pytest.raises(PositionLost, match="was advanced to"):
        follower.load(between=f"SELECT pg_replication_slot_advance('{slot}', pg_current_wal_flush_lsn())")


def test_a_slot_that_the_server_gave_up_stops_the_table(shop: PostgresShop) -> None:
    follower = followed(shop)
    shop.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
    try:
        for _ in range(3):
            shop.sql("INSERT INTO t SELECT g, g FROM generate_series(1000, 1010) AS g", "SELECT pg_switch_wal()")
            shop.sql("CHECKPOINT", "DELETE FROM t WHERE id >= 1000")
        with pytest.raises(PositionLost, match=r"the server gave up replication slot .*max_slot_wal_keep_size"):
            follower.load()
    finally:
        shop.sql("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")


def test_a_slot_of_another_plugin_is_not_read(shop: PostgresShop) -> None:
    shop.sql(T, PUBLISHED, "SELECT pg_create_logical_replication_slot('theirs_of_tests', 'test_decoding')")
    output = {**shop.output, "slot": "theirs_of_tests"}
    with pytest.raises(PositionLost, match=r"is of test_decoding in database .*, not of pgoutput in"):
        Follower(PostgresShop(shop.path, output)).load()


@pytest.mark.parametrize(
    "altered",
    [
        ("ALTER PUBLICATION el DROP TABLE t", "INSERT INTO t VALUES (3, 3)", "ALTER PUBLICATION el ADD TABLE t"),
        (
            "ALTER PUBLICATION el SET (publish = 'insert')",
            "DELETE FROM t",
            "ALTER PUBLICATION el SET (publish = 'insert, update, delete, truncate')",
        ),
        ("DROP PUBLICATION el", "INSERT INTO t VALUES (3, 3)", PUBLISHED),
    ],
)
def test_a_publication_that_left_something_out_for_a_while_stops_the_table(
    shop: PostgresShop, altered: tuple[str, ...]
) -> None:
    follower = followed(shop)
    shop.sql(*altered)
    with pytest.raises(PositionLost, match="publication el was altered, or the table was taken out of it"):
        follower.load()


def test_another_table_in_the_publication_changes_nothing(shop: PostgresShop) -> None:
    follower = followed(shop)
    shop.sql("CREATE TABLE u (id int PRIMARY KEY)", "ALTER PUBLICATION el ADD TABLE u")
    assert follower.load() == [(2, 2, "U")]


@pytest.mark.parametrize(
    ("part", "other", "says"),
    [
        (4, "7000000000000000000/5", "another server, or another database"),
        (5, "00000009", "on timeline 1, and raw's .* on 9: it was restored"),
        (0, "1", "the table was made anew"),
    ],
)
def test_a_position_of_another_log_is_none(shop: PostgresShop, part: int, other: str, says: str) -> None:
    follower = followed(shop)
    assert follower.position is not None
    parts = str(follower.position.log).split(":")
    parts[part] = other
    follower.position = Position(follower.position.text, ":".join(parts))
    with pytest.raises(PositionLost, match=says):
        follower.load()


def test_a_log_that_is_shorter_than_raws_position_was_restored(shop: PostgresShop) -> None:
    follower = followed(shop)
    assert follower.position is not None
    follower.position = Position("0000FFFF/00000000", follower.position.log)
    with pytest.raises(PositionLost, match="before raw's 0000FFFF/00000000: it was restored"):
        follower.load()


def test_a_server_that_keeps_no_logical_log_is_refused_with_what_to_set(tmp_path: Any) -> None:
    programs = postgres.programs_of(postgres.version_of_tests())
    if programs is None:
        pytest.skip("no PostgreSQL")
    with postgres.postgres(programs, wal_level="replica") as output:
        shop = PostgresShop(tmp_path, output)
        shop.sql(T)
        with pytest.raises(PlanError, match="ALTER SYSTEM SET wal_level = 'logical', then restart the server"):
            Follower(shop).load()


def test_a_slot_in_use_by_another_session_is_waited_for(shop: PostgresShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("el.connectors.postgres.log.slots.PATIENCE", 0.5)
    follower = followed(shop)
    ((slot, _),) = shop.slots()
    output = shop.output
    walsender = psycopg.connect(
        host=output["host"],
        port=output["port"],
        user=output["user"],
        password=output["password"],
        dbname=output["dbname"],
        autocommit=True,
        replication="database",
    )
    try:
        sql = f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names 'el')"
        walsender.pgconn.send_query(sql.encode())
        active = f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'"
        until = time.monotonic() + 10
        while not shop.rows(active)[0][0] and time.monotonic() < until:
            time.sleep(0.02)
        with pytest.raises(ReadError, match="is in use by another session"):
            follower.load()
    finally:
        walsender.pgconn.finish()
    assert follower.load() == [(2, 2, "U")]


def test_a_server_that_is_gone_is_told_without_the_password(shop: PostgresShop) -> None:
    config = Postgres.config_type.model_validate({**shop.output, "port": 1})
    with pytest.raises(ServerUnreachable) as refused, control(config, lambda error: ReadError(str(error))):
        pass
    assert shop.output["password"] not in str(refused.value)
    assert refused.value.__context__ is None
