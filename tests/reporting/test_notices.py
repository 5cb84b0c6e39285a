"""Notices: what is posted, to whom, how often; by a server that takes them and by records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from el.cli.app import main
from el.config.telling import NotifySettings
from el.errors import ServerUnreachable
from el.reporting.notices import Notices, form_of, notice
from el.reporting.record import RunRecord, TableVerified
from el.reporting.summary import TableReport
from tests.shop import Workspace, inside

BEGAN = datetime(2026, 1, 10, tzinfo=UTC)
GOOD = TableReport("sales.orders", "raw.orders", "cursor", "loaded", "delta", 7, load_id="1")
QUIET = replace(GOOD, status="nothing new", load_id=None, rows=0)
BAD = TableReport("sales.lines", "raw.lines", "", "failed", error="sales.lines: no right to read it: GRANT SELECT")
DONE = RunRecord("000000000001", "run", "shop.prod", "warehouse.prod", BEGAN, 5, "done", 0, tables=(GOOD, QUIET))
FAILED = replace(DONE, result="failed", exit_code=1, tables=(GOOD, BAD))


@dataclass
class Channel:
    """A server that takes notices. answers: with which code."""

    answers: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    found = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(found.answers)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}/hooks/very-secret-token"
    monkeypatch.setenv("EL_WEBHOOK", found.address)
    Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def notices(folder: Path, *history: RunRecord, **settings: Any) -> Notices:
    made = NotifySettings.model_validate({"webhook": "env:EL_WEBHOOK", **settings})
    return Notices(made, folder / "notices.json", lambda: history)


def told(channel: Channel) -> list[list[tuple[str, str]]]:
    return [[(each["kind"], each["about"]) for each in body["troubles"]] for body in channel.taken]


def test_a_failed_table_is_told_once_and_again_when_it_is_over(channel: Channel, tmp_path: Path) -> None:
    for record in (DONE, FAILED, FAILED, replace(DONE, tables=(GOOD, replace(QUIET, table="sales.lines")))):
        notices(tmp_path).ended(record)
    assert told(channel) == [[("failure", "sales.lines")], []]
    assert "no right to read it: GRANT SELECT" in channel.taken[0]["text"]
    assert "python -m el runs show 000000000001" in channel.taken[0]["text"]
    assert channel.taken[1]["over"] == ["failure sales.lines"]


def test_a_run_that_did_not_come_to_the_table_does_not_say_that_it_is_over(channel: Channel, tmp_path: Path) -> None:
    notices(tmp_path).ended(FAILED)
    notices(tmp_path).ended(replace(DONE, tables=(GOOD,)))
    assert len(channel.taken) == 1


def test_the_same_trouble_is_told_again_after_the_time_that_is_set(channel: Channel, tmp_path: Path) -> None:
    for _ in range(2):
        notices(tmp_path, repeat="0s").ended(FAILED)
    assert told(channel) == [[("failure", "sales.lines")]] * 2


def test_a_run_that_could_do_nothing_is_told_with_what_to_do(channel: Channel, tmp_path: Path) -> None:
    record = replace(FAILED, tables=(), error="nobody answers at db01:1433", advice="Check the firewall.")
    notices(tmp_path).ended(record)
    assert told(channel) == [[("failure", "run")]]
    assert "nobody answers at db01:1433 Check the firewall." in channel.taken[0]["text"]


def test_a_run_that_was_killed_is_told_of_by_the_next_one(channel: Channel, tmp_path: Path) -> None:
    killed = replace(DONE, run_id="000000000000", result="killed", exit_code=None, error="the process was ended")
    for _ in range(2):
        notices(tmp_path, killed).ended(DONE)
    assert told(channel) == [[("failure", "run 000000000000")]]


@pytest.mark.parametrize("result", ["locked", "interrupted", "paused"])
def test_what_someone_meant_to_happen_is_no_failure(channel: Channel, tmp_path: Path, result: str) -> None:
    notices(tmp_path).ended(replace(DONE, result=result, error="another run is at work", tables=()))
    assert channel.taken == []


def test_a_difference_is_told_until_it_is_gone(channel: Channel, tmp_path: Path) -> None:
    differs = (TableVerified("sales.orders", "DIFFERENT", compared=100, missing=1, different=2),)
    equal = (TableVerified("sales.orders", "EQUAL", compared=100),)
    for verified in (differs, (), equal):
        notices(tmp_path).ended(replace(DONE, command="verify", verified=verified))
    assert told(channel) == [[("difference", "sales.orders")], []]
    assert "1 missing, 0 extra, 2 different" in channel.taken[0]["text"]


def compared(*verified: TableVerified, **more: Any) -> RunRecord:
    return replace(DONE, command="verify", tables=(), verified=verified, **more)


def test_a_difference_is_not_over_as_long_as_it_cannot_be_decided(channel: Channel, tmp_path: Path) -> None:
    for verdict in ("DIFFERENT", "UNDECIDED", "REFUSED", "DIFFERENT"):
        notices(tmp_path).ended(compared(TableVerified("sales.orders", verdict)))
    assert told(channel) == [[("difference", "sales.orders")]]


def test_a_difference_in_no_row_is_told_with_its_reason_and_without_a_key(channel: Channel, tmp_path: Path) -> None:
    shown = {"examples": ("missing: id='secret-key'",), "again": (("raw", "SELECT 'secret-key'"),)}
    verified = TableVerified("sales.orders", "DIFFERENT", why="load 7: raw has 8 rows, the ledger 7", **shown)
    notices(tmp_path).ended(compared(verified))
    assert "raw has 8 rows, the ledger 7" in channel.taken[0]["text"]
    assert "secret-key" not in json.dumps(channel.taken)


def test_a_comparison_that_fails_is_told_and_a_run_does_not_say_that_it_is_over(
    channel: Channel, tmp_path: Path
) -> None:
    failed = compared(result="failed", error="nobody answers")
    for record in (failed, DONE, compared(TableVerified("sales.orders", "EQUAL"))):
        notices(tmp_path).ended(record)
    assert told(channel) == [[("failure", "verify")], []]
    assert channel.taken[1]["over"] == ["failure verify"]


def test_a_run_that_failed_is_not_over_by_a_comparison(channel: Channel, tmp_path: Path) -> None:
    notices(tmp_path).ended(replace(FAILED, tables=(), error="nobody answers"))
    notices(tmp_path).ended(compared(TableVerified("sales.orders", "EQUAL")))
    assert told(channel) == [[("failure", "run")]]


def test_a_table_that_could_not_be_compared_for_an_error_is_told_until_it_is(channel: Channel, tmp_path: Path) -> None:
    broken = TableVerified("sales.orders", "REFUSED", why="ReadError: see there", failed="ReadError")
    for record in (compared(broken), DONE, compared(TableVerified("sales.orders", "UNDECIDED"))):
        notices(tmp_path).ended(record)
    assert told(channel) == [[("failure", "verify of sales.orders")], []]


def test_only_what_was_asked_for_is_told(channel: Channel, tmp_path: Path) -> None:
    notices(tmp_path, on=["difference"]).ended(FAILED)
    assert channel.taken == []


def test_a_table_that_was_not_taken_for_longer_than_it_should_is_late(channel: Channel, tmp_path: Path) -> None:
    old = replace(DONE, run_id="000000000000", started=BEGAN - timedelta(days=3), tables=(GOOD, QUIET))
    failing = replace(DONE, result="failed", tables=(replace(BAD, table="sales.orders"),))
    notices(tmp_path, old, on=["late"], late_after="4d").ended(failing)
    assert channel.taken == []
    notices(tmp_path, old, on=["late"], late_after="2d").ended(failing)
    assert told(channel) == [[("late", "sales.orders")]]
    assert "last taken at 2026-01-07 00:00 UTC, allowed are 2d" in channel.taken[0]["text"]


def test_a_table_with_nothing_new_is_not_late(channel: Channel, tmp_path: Path) -> None:
    old = replace(DONE, run_id="000000000000", started=BEGAN - timedelta(days=3))
    notices(tmp_path, old, late_after="2d").ended(DONE)
    assert channel.taken == []


def test_a_run_that_cannot_plan_finds_the_tables_late_that_the_one_before_took(
    channel: Channel, tmp_path: Path
) -> None:
    old = replace(DONE, run_id="000000000000", started=BEGAN - timedelta(days=3), tables=(GOOD,))
    failing = replace(DONE, result="failed", tables=(), error="nobody answers")
    notices(tmp_path, old, on=["late"], late_after={"*": "9d", "sales.*": "1d"}).ended(failing)
    assert told(channel) == [[("late", "sales.orders")]]


def test_what_could_not_be_told_is_told_by_the_next_run_and_the_address_stays_secret(
    channel: Channel, tmp_path: Path
) -> None:
    channel.answers = 500
    with pytest.raises(ServerUnreachable) as raised:
        notices(tmp_path).ended(FAILED)
    assert "it answered 500" in str(raised.value)
    assert "very-secret-token" not in str(raised.value)
    channel.answers = 200
    notices(tmp_path).ended(FAILED)
    notices(tmp_path).ended(FAILED)
    assert len(channel.taken) == 2


def test_nobody_at_the_address_is_said_without_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_WEBHOOK", "http://127.0.0.1:9/hooks/very-secret-token")
    with pytest.raises(ServerUnreachable, match="env:EL_WEBHOOK") as raised:
        notices(tmp_path).ended(FAILED)
    assert "127.0.0.1" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", "teams"),
        ("https://contoso.webhook.office.com/webhookb2/x", "teams"),
        ("https://hooks.slack.com.example.org/x", "json"),
        ("https://mattermost.example.org/hooks/x", "json"),
    ],
)
def test_the_form_is_that_of_the_addresss_host(address: str, form: str) -> None:
    assert form_of(address) == form


def test_a_notice_to_slack_mentions_nobody_by_what_stands_in_an_error() -> None:
    troubles = notices(Path("unused")).troubles(replace(FAILED, tables=(replace(BAD, error="<!channel> & more"),)))
    assert "&lt;!channel&gt; &amp; more" in notice(FAILED, troubles, [], "slack")["text"]


def test_a_notice_to_teams_is_a_card() -> None:
    troubles = notices(Path("unused")).troubles(FAILED)
    (attached,) = notice(FAILED, troubles, [], "teams")["attachments"]
    assert attached["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert any("GRANT SELECT" in block["text"] for block in attached["content"]["body"])


def test_a_run_tells_of_its_failure_and_fails_by_nothing_else(
    channel: Channel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Workspace(tmp_path).create()
    yml = tmp_path / "el.yml"
    yml.write_text(yml.read_text() + "notify: {webhook: 'env:EL_WEBHOOK'}\n")
    channel.answers = 500
    with inside(tmp_path):
        (tmp_path / "shop.duckdb").rename(tmp_path / "away.duckdb")
        assert main(["run", "--progress", "none"]) == 3
        (tmp_path / "away.duckdb").rename(tmp_path / "shop.duckdb")
        assert main(["run", "--progress", "none"]) == 0
    assert "the next run tries again" in capsys.readouterr().err
    assert told(channel) == [[("failure", "run")]]
    assert len(shop.complete("orders")) == 3000
    assert not [path for path in tmp_path.glob(".el/**/*") if path.is_file() and b"secret-token" in path.read_bytes()]


def test_verify_tells_of_a_difference_once_and_when_it_is_over(channel: Channel, tmp_path: Path) -> None:
    shop = Workspace(tmp_path).create()
    yml = tmp_path / "el.yml"
    yml.write_text(yml.read_text() + "notify: {webhook: 'env:EL_WEBHOOK'}\n")
    with inside(tmp_path):
        assert main(["run", "--progress", "none"]) == 0
        shop.warehouse("UPDATE shop_sales.orders SET note = 'other' WHERE id = 7")
        for code in (4, 4):
            assert main(["verify", "--select", "sales.orders"]) == code
        assert main(["run", "--progress", "none"]) == 0
        shop.warehouse("UPDATE shop_sales.orders SET note = 'order 7' WHERE id = 7")
        assert main(["verify", "--select", "sales.orders"]) == 0
    assert told(channel) == [[("difference", "sales.orders")], []]
    assert "1 different" in channel.taken[0]["text"]
    assert channel.taken[1]["over"] == ["difference sales.orders"]


def test_an_address_that_is_not_set_is_said_before_there_is_something_to_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EL_WEBHOOK", raising=False)
    Workspace(tmp_path).create()
    yml = tmp_path / "el.yml"
    yml.write_text(yml.read_text() + "notify: {webhook: 'env:EL_WEBHOOK'}\n")
    with inside(tmp_path):
        assert main(["run", "--progress", "none"]) == 0
    assert "EL_WEBHOOK" in capsys.readouterr().err


def test_an_address_in_el_yml_itself_is_refused_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Workspace(tmp_path).create()
    yml = tmp_path / "el.yml"
    yml.write_text(yml.read_text() + "notify: {webhook: 'https://hooks.slack.com/services/very-secret'}\n")
    with inside(tmp_path):
        assert main(["plan"]) == 2
    said = capsys.readouterr().err
    assert "notify.webhook" in said
    assert "very-secret" not in said
