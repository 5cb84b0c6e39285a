"""What every target owes when something goes wrong at the worst moment: all or nothing, and what it says is so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from el.connectors.catalog import TableName
from el.connectors.sql.target import SqlTarget
from el.errors import WriteError
from tests.conformance.conftest import Place, numbered
from tests.conformance.line import Line
from tests.conformance.test_writing import ids

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(place: Place) -> TableName:
    """A row is there already, and so is the ledger."""
    table = place.plain()
    place.write(table, numbered(1), run_id="before")
    return table


def strike(
    patch: pytest.MonkeyPatch, connector: Any, method: str, when: str, error: Exception, *, times: int = 1
) -> None:
    """So many calls of a connector's method raise, before they are made or after."""
    original, left = getattr(type(connector), method), [True] * times

    def struck(self: Any, *arguments: Any) -> Any:
        fails = bool(left and left.pop())
        if fails and when == "before":
            raise error
        found = original(self, *arguments)
        if fails:
            raise error
        return found

    patch.setattr(type(connector), method, struck)


def is_there(place: Place, table: TableName, said: bool, *, expected: bool | None = None) -> bool:
    """Whether the rows 2 and 3 are there: whole or not at all; where it was said, they are."""
    found = ids(place, table)
    assert found in ([1], [1, 2, 3])
    there = found == [1, 2, 3]
    assert there or not said, "the write was said to be done, and nothing is there"
    assert expected in (None, there)
    return there


def is_there_once(place: Place, table: TableName, said: bool, *, expected: bool | None = None) -> None:
    """As `is_there`; and the same run again, by another session, leaves them there once."""
    there = is_there(place, table, said, expected=expected)
    with place.another() as again:
        assert again.write_buffer(table, numbered(2, 3), run_id="same").already_done is there
    assert ids(place, table) == [1, 2, 3]


def says_done(write: Callable[[], Any]) -> bool:
    try:
        write()
    except WriteError:
        return False
    return True


@pytest.mark.parametrize(
    ("when", "rollback"), [("before", "rolled back"), ("after", "rolled back"), ("before", "no rollback either")]
)
def test_a_commit_that_fails_is_an_error_or_an_honest_done(
    place: Place, table: TableName, when: str, rollback: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = WriteError("the commit broke off")
    strike(monkeypatch, place.connector, "_commit", when, broken)
    if rollback != "rolled back":
        strike(monkeypatch, place.connector, "_rollback", "before", broken)
    said = says_done(lambda: place.write(table, numbered(2, 3), run_id="same"))
    monkeypatch.undo()
    is_there_once(place, table, said, expected=when == "after")


def test_a_commit_that_may_be_tried_again_has_one_effect(
    place: Place, table: TableName, monkeypatch: pytest.MonkeyPatch
) -> None:
    strike(monkeypatch, place.connector, "_commit", "after", WriteError("a deadlock's victim", retryable=True), times=2)
    assert says_done(lambda: place.write(table, numbered(2, 3), run_id="same"))
    monkeypatch.undo()
    is_there_once(place, table, True, expected=True)


def test_a_transaction_that_fails_leaves_none_open(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    table = place.plain()
    strike(monkeypatch, place.connector, "_commit", "before", WriteError("the commit broke off"))
    with pytest.raises(WriteError, match="broke off"), place.connector.transaction():
        place.run(f"INSERT INTO {place.connector.dialect.quote_table(table)} VALUES (1, 'one')")
    place.run(f"INSERT INTO {place.connector.dialect.quote_table(table)} VALUES (2, 'two')")
    assert ids(place, table) == [2]


@pytest.mark.parametrize("at", ["the staging", "the commit"])
def test_a_line_that_is_cut_leaves_all_or_nothing(
    place: Place,
    table: TableName,
    over_a_line: tuple[SqlTarget, Line],
    at: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connector, line = over_a_line
    owner, method = (connector.writer(), "fill") if at == "the staging" else (type(connector), "_commit")
    original, left = getattr(owner, method), [True]

    def struck(self: Any, *arguments: Any) -> Any:
        if left:
            left.pop()
            line.cut()
        return original(self, *arguments)

    monkeypatch.setattr(owner, method, struck)
    said = says_done(lambda: connector.write_buffer(table, numbered(2, 3), run_id="same"))
    monkeypatch.undo()
    assert not left, "the line was cut"
    is_there_once(place, table, said)


def test_a_process_that_is_killed_at_the_commit_leaves_nothing(place: Place, table: TableName) -> None:
    said = {"output": place.output, "table": [table.schema, table.name]}
    # A file may be one process's at a time.
    place.close()
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.killed", json.dumps(said, default=str)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stdout + done.stderr
    if place.facts.detached:
        assert not is_there(place, table, False), place.facts.detached
    else:
        is_there_once(place, table, False, expected=False)
