"""`plan`, `state` and what el.yml may say: a run never guesses, a plan proposes."""

from __future__ import annotations

import pytest

from tests.dumps.workspace import EL_YML, PROFILES, Dumps


def test_plan_and_state_count_files_and_load_none(dumps: Dumps) -> None:
    dumps.entry("settle: 10s", "changed: replace")
    dumps.file("a.csv", "id\n1\n")
    dumps.file("b.csv", "id\n2\n")
    assert dumps.run() == 0, dumps.out
    dumps.file("b.csv", "id\n2\n3\n")
    dumps.file("c.csv", "id\n4\n")
    dumps.file("d.csv", "id\n5\n", age=1)
    assert dumps.run(command="plan") == 0, dumps.out
    assert "1 new, 1 changed, 1 waiting, 1 unchanged" in dumps.out
    assert "files/b.csv: it was loaded before, and counts instead if its bytes are others" in dumps.out
    assert dumps.run("--dry-run", command="run") == 0
    assert dumps.run(command="state") == 0, dumps.out
    assert "2 files, 2 rows, 0 rejected records" in dumps.out
    assert "2 files to take, 1 waiting" in dumps.out
    assert dumps.rows("id") == [("1",), ("2",)]


PROPOSED = {
    "a,b\n1,x\n2,y\n3,z\n": "format: {type: csv}",
    "a;b\n1;x\n2;y\n3;z\n": 'format: {type: csv, delimiter: ";"}',
    "a\tb\r\n1\tx\r\n2\ty\r\n": 'format: {type: csv, delimiter: "\\t"',
    '{"a": 1}\n': "format: ndjson",
}


@pytest.mark.parametrize("data", PROPOSED)
def test_a_missing_format_is_proposed_and_never_guessed(dumps: Dumps, data: str) -> None:
    dumps.entry("format: none").file("a.csv", data)
    assert dumps.run(command="plan") == 2
    assert f"`{PROPOSED[data]}" in dumps.out
    assert dumps.run() == 1
    assert dumps.sql("SELECT count(*) FROM information_schema.tables WHERE table_name = 'orders'") == [(0,)]


def test_what_is_proposed_is_what_el_yml_takes(dumps: Dumps) -> None:
    dumps.entry("format: none").file("a.csv", "Größe;Wert\r\n1;2\r\n".encode("cp1252"))
    dumps.run(command="plan")
    proposed = (
        dumps.out.partition("`format: ")[2].partition("`\n")[0].rpartition("`")[0]
        or dumps.out.partition("could be `format: ")[2].partition("`")[0]
    )
    assert "cp1252" in proposed
    dumps.entry(f"format: {proposed}")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("grosse, wert") == [("1", "2")]


WRONG = {
    "format: {type: csv, delimitr: x}": "line 8: dumps[0].format.delimitr: unknown key; did you mean delimiter?",
    "format: {type: excel}": "dumps[0].format: `type` names no format that is known",
    "format: {type: csv, header: false}": "name the `columns` where there is `header: false`",
    'format: {type: csv, delimiter: "||"}': "delimiter: '||' is not one character of ASCII",
    "format: {type: csv, null: NULL}": 'write the word in quotes, as in null: "NULL"',
    "format: {type: csv, encoding: utf-9}": "'utf-9' is no encoding that is known",
}


@pytest.mark.parametrize("entry", WRONG)
def test_a_wrong_setting_is_named_with_its_line(dumps: Dumps, entry: str) -> None:
    dumps.entry(entry)
    assert dumps.run() == 2
    assert WRONG[entry] in dumps.out


def test_into_is_refused_without_history_and_with_the_reason(dumps: Dumps) -> None:
    dumps.entry("into: sales.live").file("a.csv", "id\n1\n")
    assert dumps.run(command="plan") == 2
    assert "into: sales.live needs `history`" in dumps.out
    assert "archive" in dumps.out


def test_selected_entries_alone_are_taken(dumps: Dumps) -> None:
    two = EL_YML.format(entry="format: csv") + '  - {name: sales.lines, files: "files/l*", format: csv}\n'
    dumps.entry(text=two.replace("files/**", "files/o*"))
    dumps.file("o1.csv", "id\n1\n")
    dumps.file("l1.csv", "id\n2\n")
    assert dumps.run("--select", "lines") == 0, dumps.out
    assert dumps.rows("id", "lines") == [("2",)]
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",)]
    assert dumps.rows("id", "lines") == [("2",)]


def test_files_lie_beside_el_yml_or_below_the_profiles_url(dumps: Dumps) -> None:
    (dumps.path / "elsewhere" / "files").mkdir(parents=True)
    (dumps.path / "elsewhere" / "files" / "a.csv").write_text("id\n1\n")
    (dumps.path / "profiles.yml").write_text(PROFILES.replace("url: .", "url: elsewhere"))
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",)]


def test_a_folder_that_is_away_fails_the_entry(dumps: Dumps) -> None:
    (dumps.path / "files").rmdir()
    assert dumps.run() == 1
    assert "no such folder" in dumps.out


def test_purge_leaves_every_file_that_was_taken(dumps: Dumps) -> None:
    """Nothing supersedes a file; and a job of files alone asks no database."""
    text = (dumps.path / "el.yml").read_text()
    dumps.entry(text=text.replace("defaults:", "raw: {keep: 0s}\ndbt: {loads_taken: none}\ndefaults:"))
    dumps.file("a.csv", "id\n1\n")
    for _ in range(2):
        assert dumps.run() == 0, dumps.out
        assert dumps.run("--yes", command="purge") == 0, dumps.out
        dumps.file("b.csv", "id\n2\n")
    assert "nothing was removed" in dumps.out
    assert dumps.rows("id") == [("1",), ("2",)]


@pytest.mark.parametrize("encoding", ["hex", "rot13", "undefined", "unicode_escape", "no-such"])
def test_an_encoding_that_makes_no_text_of_bytes_is_refused_in_el_yml(dumps: Dumps, encoding: str) -> None:
    dumps.entry(f"format: {{type: csv, encoding: {encoding}}}").file("a.csv", "id\n1\n")
    assert dumps.run() == 2
    assert f"'{encoding}' is no encoding that is known" in dumps.out


def test_plan_has_no_queries_to_show_for_files(dumps: Dumps) -> None:
    dumps.file("a.csv", "id\n1\n")
    assert dumps.run("--sql", command="plan") == 0, dumps.out


def test_files_have_no_state_that_could_be_reset(dumps: Dumps) -> None:
    dumps.file("a.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.run("reset", "sales.orders", "--yes", command="state") == 2
    assert "sales.orders is taken from files, each version of each once: there is no bound to reset" in dumps.out
