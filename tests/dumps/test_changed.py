"""A file that is another one than before: changed, only touched, or not done yet."""

from __future__ import annotations

import os

import pytest

from tests.dumps.workspace import Dumps


def test_a_changed_file_is_refused_unless_it_is_said_what_it_means(dumps: Dumps) -> None:
    dumps.file("a.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    dumps.file("a.csv", "id\n1\n2\n")
    dumps.file("b.csv", "id\n3\n")
    assert dumps.run() == 1
    assert "files/a.csv: is another file than the one of this name that was loaded (1 rows)" in dumps.out
    assert "changed: replace" in dumps.out
    assert dumps.rows("id") == [("1",), ("3",)]


@pytest.mark.parametrize("how", ["replace", "append"])
def test_a_changed_file_is_loaded_once_more_as_it_is_said(dumps: Dumps, how: str) -> None:
    """Raw keeps both; the ledger says which of them counts."""
    dumps.entry(f"changed: {how}").file("a.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    for times in ("id\n1\n2\n", "id\n1\n"):
        dumps.file("a.csv", times)
        assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",), ("1",), ("1",), ("2",)]
    counts = dumps.sql(
        "SELECT id FROM old_sales.orders WHERE _el_file NOT IN "
        "(SELECT replaces FROM old_sales._el_files WHERE replaces IS NOT NULL) ORDER BY id"
    )
    assert counts == ([("1",)] if how == "replace" else [("1",), ("1",), ("1",), ("2",)])


@pytest.mark.parametrize("how", ["fail", "replace", "append"])
def test_a_file_that_is_again_what_it_was_counts_as_it_is_said(dumps: Dumps, how: str) -> None:
    """As of a copy that is put back with its time, or an object whose ETag is that of its bytes."""
    first = dumps.entry("changed: replace").file("a.csv", "id\n1\n")
    moment = first.stat().st_mtime_ns
    assert dumps.run() == 0, dumps.out
    dumps.file("a.csv", "id\n22\n")
    assert dumps.run() == 0, dumps.out
    dumps.entry(f"changed: {how}").file("a.csv", "id\n1\n")
    os.utime(first, ns=(moment, moment))
    assert dumps.run() == (1 if how == "fail" else 0), dumps.out
    assert dumps.run() == (1 if how == "fail" else 0), dumps.out
    counts = dumps.sql(
        "SELECT id FROM old_sales.orders WHERE _el_file NOT IN "
        "(SELECT replaces FROM old_sales._el_files WHERE replaces IS NOT NULL)"
    )
    assert counts == ([("1",)] if how == "replace" else [("22",)])


def test_a_file_that_was_only_touched_is_noted_and_not_loaded(dumps: Dumps) -> None:
    dumps.file("a.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    dumps.file("a.csv", "id\n1\n", age=30)
    assert dumps.run() == 0, dumps.out
    assert "unchanged" in dumps.out
    assert dumps.rows("id") == [("1",)]
    statuses = dumps.sql("SELECT status, row_count FROM old_sales._el_files ORDER BY status")
    assert statuses == [("loaded", 1), ("unchanged", 0)]
    dumps.run(command="plan")
    assert "0 new, 0 changed, 0 waiting, 1 unchanged" in dumps.out


def test_a_file_that_is_younger_than_settle_waits_and_is_no_failure(dumps: Dumps) -> None:
    dumps.entry("settle: 10m").file("a.csv", "id\n1\n", age=30)
    dumps.file("b.csv", "id\n2\n", age=3600)
    assert dumps.run() == 0, dumps.out
    assert "waits for a later run" in dumps.out
    assert dumps.rows("id") == [("2",)]
    dumps.file("a.csv", "id\n1\n", age=700)
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",), ("2",)]


def test_a_file_that_is_written_to_while_it_is_read_waits_for_the_next_run(
    dumps: Dumps, monkeypatch: pytest.MonkeyPatch
) -> None:
    from el.dumps.stores.local import LocalStore

    path = dumps.file("a.csv", "id\n1\n")
    fetch = LocalStore.fetch

    def growing(self: LocalStore, *arguments: object) -> object:
        with path.open("a") as file:
            file.write("2\n")
        monkeypatch.setattr(LocalStore, "fetch", fetch)
        return fetch(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalStore, "fetch", growing)
    assert dumps.run() == 0, dumps.out
    assert "waits for the next run" in dumps.out
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",), ("2",)]


def test_files_that_were_read_by_another_format_are_said_and_stay(dumps: Dumps) -> None:
    dumps.file("a.csv", "id|v\n1|x\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.run() == 0
    assert "another `format`" not in dumps.out
    dumps.entry('format: {type: csv, delimiter: "|"}')
    for command in ("plan", "run"):
        assert dumps.run(command=command) == 0
        assert "1 files were loaded by another `format` than el.yml says now, and stay as they are" in dumps.out
    dumps.entry('format: {type: csv, delimiter: "|"}', "rename: orders_anew")
    assert dumps.run() == 0
    assert "another `format`" not in dumps.out
    assert dumps.rows("id, v", "orders_anew") == [("1", "x")]


def test_a_full_refresh_says_that_it_takes_no_file_again(dumps: Dumps) -> None:
    dumps.file("a.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.run("--full-refresh") == 0, dumps.out
    assert "--full-refresh takes no file again: set `rename`" in dumps.out
    assert dumps.rows("id") == [("1",)]
