"""A target that loses something cannot be green in this suite."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.sql.select import Statement
from el.errors import ElError
from tests.conformance import mutants, test_targets, test_writing
from tests.conformance.conftest import Place
from tests.conformance.facts import DUCKDB

Check = Callable[[Place, pytest.MonkeyPatch], None]


def added(place: Place, patch: pytest.MonkeyPatch) -> None:
    test_writing.test_append_adds(place)


def value(place: Place, patch: pytest.MonkeyPatch) -> None:
    test_writing.test_a_value_that_the_column_would_change_is_refused_and_changes_nothing(place)


def run(place: Place, patch: pytest.MonkeyPatch) -> None:
    test_writing.test_the_same_run_twice_changes_nothing(place, test_writing.WriteMode.APPEND)


def commit(place: Place, patch: pytest.MonkeyPatch) -> None:
    table = place.plain()
    place.write(table, test_writing.numbered(1), run_id="before")
    check = test_targets.test_a_commit_that_fails_is_an_error_or_an_honest_done
    check(place, table, "before", "rolled back", patch)


@pytest.mark.parametrize(
    ("mutant", "finds"),
    [
        (mutants.NeverCommits, added),
        (mutants.LosesARow, added),
        (mutants.ChangesAValue, value),
        (mutants.ForgetsTheRun, run),
        (mutants.SaysDoneWhereTheCommitFailed, commit),
        (mutants.LeavesAFailedCommitOpen, commit),
    ],
)
def test_a_target_that_loses_something_fails_this_suite(
    mutant: type[DuckDb], finds: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked(kind: type[DuckDb]) -> None:
        schema, output = f"s_{uuid.uuid4().hex[:12]}", {"type": "duckdb", "path": str(tmp_path / "file.duckdb")}
        with DuckDb(DuckDbConfig.model_validate(output)) as plain, kind(plain.config) as connector:
            plain.execute(Statement(f"CREATE SCHEMA {schema}"))
            place = Place(DUCKDB, output, connector, schema)
            try:
                finds(place, monkeypatch)
            finally:
                monkeypatch.undo()
                place.close()

    checked(DuckDb)
    # What pytest.raises finds missing is a failure of its own.
    failures: Any = (AssertionError, ElError, pytest.fail.Exception)
    with pytest.raises(failures):
        checked(mutant)
