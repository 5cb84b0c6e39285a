"""What `check` says of a server beside rights: its certificate, its log of changes, what turning it on would give."""

from __future__ import annotations

import json
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from el.checking import certificate as checked
from el.cli.app import main
from el.connectors.base import Connector
from el.connectors.check import Level
from el.connectors.mysql.log_server import ServerLog
from el.connectors.redis import Redis
from el.connectors.redis.config import RedisConfig
from tests.connectors.mysql.conftest import MySqlShop, output, shop
from tests.servers import postgres as servers
from tests.servers.certificate import signed_by_itself
from tests.tsql_shop import TsqlShop

__all__ = ["output", "shop"]


def source_says(capsys: pytest.CaptureFixture[str], subject: str, *, code: int = 0) -> dict[str, Any]:
    """What `check` says of the source under this subject."""
    capsys.readouterr()
    assert main(["check", "--json"]) == code
    checks = json.loads(capsys.readouterr().out)["checks"]
    (one,) = [each for each in checks if each["end"].startswith("source") and each["subject"] == subject]
    return dict(one)


def test_mysqls_certificate_and_log_are_told(shop: MySqlShop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY)")
    shop.configure("orders")
    said = source_says(capsys, "expiry")
    assert "certificate of CN=127.0.0.1, signed by CN=an authority" in said["text"]
    assert "59 days left" in said["text"]
    assert said["level"] == Level.OK
    log = source_says(capsys, "binary log")
    assert log["level"] == Level.OK
    assert "with `strategy: changes` a run reads what changed alone" in log["text"]


@pytest.mark.parametrize(("strategy", "code"), [("auto", 0), ("changes", 3)])
def test_a_log_that_cannot_be_followed_is_an_error_where_it_is_asked_for_and_else_a_hint(
    shop: MySqlShop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, strategy: str, code: int
) -> None:
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY)")
    shop.configure(f"orders, strategy: {strategy}")
    # A setting of the whole server, which other tests follow meanwhile.
    monkeypatch.setattr(ServerLog, "obstacle", lambda log: "SET GLOBAL binlog_format = 'ROW'")
    log = source_says(capsys, "binary log", code=code)
    assert log["level"] == (Level.ERROR if code else Level.OK)
    assert log["remedy"] == "SET GLOBAL binlog_format = 'ROW'"


def test_sql_servers_certificate_and_capture_are_told(
    standin_shop: TsqlShop, capsys: pytest.CaptureFixture[str]
) -> None:
    standin_shop.create("  - {name: dbo.orders}", "CREATE TABLE dbo.orders (id INT NOT NULL PRIMARY KEY)")
    said = source_says(capsys, "expiry")
    assert "days left" in said["text"]
    assert "certificate of CN=" in said["text"]
    assert source_says(capsys, "cdc")["remedy"] == "EXEC sys.sp_cdc_enable_db"
    assert "CHANGE_TRACKING = ON" in source_says(capsys, "change tracking")["remedy"]
    assert "ALLOW_SNAPSHOT_ISOLATION ON" in source_says(capsys, "snapshot isolation")["remedy"]
    standin_shop.sql("EXEC sys.sp_cdc_enable_db")
    assert "on in this database" in source_says(capsys, "cdc")["text"]


class Shows(Redis):
    """A connector whose server shows this certificate."""

    shown: bytes | None = None

    def certificate(self) -> bytes | None:
        return self.shown


@pytest.mark.parametrize(
    ("soon", "later", "level"), [(30, 0, Level.OK), (90, 0, Level.WARNING), (30, 61, Level.ERROR)], ids=str
)
def test_a_certificate_that_ends_soon_is_a_warning_and_one_that_has_ended_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soon: int, later: int, level: Level
) -> None:
    pem = signed_by_itself(tmp_path).read_text()
    server: Connector = Shows(RedisConfig())
    server.shown = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])  # type: ignore[attr-defined]
    now = checked.utc_now()
    monkeypatch.setattr(checked, "SOON", soon)
    monkeypatch.setattr(checked, "utc_now", lambda: now + timedelta(days=later))
    said = checked.expiry(server)
    assert said is not None
    assert said.level is level
    assert bool(said.remedy) is (level is not Level.OK)


def test_a_postgresql_with_tls_shows_its_certificate() -> None:
    if servers.debian() is None:
        pytest.skip("no PostgreSQL with TLS: Debian's postgresql-15")
    from el.connectors.postgres import Postgres
    from el.connectors.postgres.config import PostgresConfig

    said = checked.expiry(Postgres(PostgresConfig.model_validate(servers.shared(15))))
    assert said is not None
    assert "certificate of CN=127.0.0.1" in said.text
