"""Sessions of the source are kept from slice to slice, and one in which anything went wrong is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from el.cli.app import main
from el.config.profiles import Output
from el.connectors.duckdb import DuckDb
from el.errors import ReadError
from el.extraction.sessions import Sessions
from tests.shop import Workspace


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


@pytest.fixture
def sessions(shop: Workspace) -> Sessions:
    settings = {"type": "duckdb", "path": str(shop.path / "shop.duckdb"), "read_only": True}
    return Sessions(Output("shop", "local", settings))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[DuckDb]:
    """The sessions to a source that were opened, in their order."""
    found: list[DuckDb] = []
    connect = DuckDb.connect

    def counted(self: DuckDb) -> None:
        if self.config.read_only:
            found.append(self)
        connect(self)

    monkeypatch.setattr(DuckDb, "connect", counted)
    return found


def test_a_session_is_kept_for_the_next_slice_and_each_has_one_of_its_own(sessions: Sessions) -> None:
    with sessions.session() as (first, kept), sessions.session() as (second, _):
        assert first is not second
        assert not kept
    with sessions.session() as (again, kept):
        assert again in (first, second)
        assert kept
    sessions.close()
    assert not first.is_open
    assert not second.is_open


def test_one_in_which_anything_went_wrong_is_closed(sessions: Sessions) -> None:
    with pytest.raises(ReadError), sessions.session() as (first, _):
        raise ReadError("broken")
    assert not first.is_open
    with sessions.session() as (second, kept):
        assert second is not first
        assert not kept
    sessions.close()


def test_a_run_opens_as_many_as_it_reads_at_once_and_leaves_none(shop: Workspace, opened: list[DuckDb]) -> None:
    shop.source("".join(f"CREATE TABLE sales.t{n} AS SELECT 1 AS a;" for n in range(10)))
    assert main(["run", "--progress", "none"]) == 0
    # One plans, two read.
    assert len(opened) <= 3
    assert not any(each.is_open for each in opened)


@pytest.mark.parametrize("retryable", [True, False])
def test_a_kept_session_that_was_ended_meanwhile_is_replaced_without_a_retry(
    shop: Workspace,
    opened: list[DuckDb],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    retryable: bool,
) -> None:
    """`retries: 0`: nothing is tried twice, but for what a server ended while nobody used it."""
    read = DuckDb.read_buffer
    used: set[int] = set()

    def ended(self: DuckDb, request: Any) -> Any:
        if self.config.read_only and request.table is not None:
            if id(self) in used:
                raise ReadError("the server has gone away", retryable=retryable)
            used.add(id(self))
        return read(self, request)

    monkeypatch.setattr(DuckDb, "read_buffer", ended)
    assert main(["run", "--progress", "none", "--workers", "1"]) == (0 if retryable else 1)
    said = capsys.readouterr().out
    assert ("the server has gone away" in said) is not retryable
    if retryable:
        assert "12,000 rows" in said
        assert len(opened) == 4, "one plans; each of three tables read over one of its own"
