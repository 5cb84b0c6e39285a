"""Regenerating keeps what people wrote."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from el.codegen.files import GeneratedFile, State, compare, write

PATH = PurePosixPath("models", "sales", "orders.sql")


def generated(body: str = "select 1\n") -> GeneratedFile:
    return GeneratedFile(PATH, body, "sales.orders", "sales.orders")


def state(project: Path, *files: GeneratedFile) -> State:
    (finding,) = compare(project, files)
    return finding.state


@pytest.fixture
def project(tmp_path: Path) -> Path:
    put(tmp_path, generated())
    return tmp_path


def put(project: Path, *files: GeneratedFile) -> None:
    write(project, files, compare(project, files))


def test_what_was_written_is_the_same_at_the_next_time(project: Path) -> None:
    assert state(project, generated()) is State.SAME


def test_an_unedited_file_follows_its_source(project: Path) -> None:
    assert state(project, generated("select 2\n")) is State.CHANGED
    put(project, generated("select 2\n"))
    assert (project / PATH).read_text().endswith("select 2\n")


def test_an_edited_file_is_kept_and_up_to_date_as_long_as_nothing_else_would_be_generated(project: Path) -> None:
    (project / PATH).write_text((project / PATH).read_text() + "-- mine\n")
    assert state(project, generated()) is State.KEPT
    put(project, generated())
    assert (project / PATH).read_text().endswith("-- mine\n")


def test_an_edited_file_is_never_written_over_and_the_new_version_is_shown(project: Path) -> None:
    edited = (project / PATH).read_text() + "-- mine\n"
    (project / PATH).write_text(edited)
    (finding,) = compare(project, [generated("select 2\n")])
    assert finding.state is State.DIFFERS
    assert "-select 1" in finding.diff
    assert "+select 2" in finding.diff
    assert "--- mine" in finding.diff
    put(project, generated("select 2\n"))
    assert (project / PATH).read_text() == edited


def test_an_edit_is_accepted_with_the_hash_of_what_would_be_generated(project: Path) -> None:
    new = generated("select 2\n")
    (project / PATH).write_text(new.text + "-- mine\n")
    assert state(project, new) is State.KEPT


def test_a_file_without_a_marker_is_someones_own(project: Path) -> None:
    (project / PATH).write_text("select 'mine'\n")
    assert state(project, generated("select 2\n")) is State.OWN
    put(project, generated("select 2\n"))
    assert (project / PATH).read_text() == "select 'mine'\n"


def test_what_is_no_longer_generated_is_reported_and_left(project: Path) -> None:
    (project / "models" / "mine.sql").write_text("select 1\n")
    (finding,) = compare(project, [])
    assert (finding.path, finding.state) == (PATH, State.GONE)
    put(project)
    assert (project / PATH).exists()
