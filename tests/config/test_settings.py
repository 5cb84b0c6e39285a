"""el.yml: what is wrong in it is said in one line, with the file, the line, and what to do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from el.config import settings
from el.config.settings import load_config
from el.config.tables import ACCEPTED, StrategyName
from el.config.yaml_file import read_yaml
from el.errors import ConfigError

GOOD = """\
version: 1
source: shop
destination: warehouse
tables:
  - {name: "sales.*"}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "el.yml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert config.defaults.strategy is StrategyName.AUTO
    assert config.raw.naming == "snake_case"
    assert config.raw.schema_ == "{source}_{schema}"


def test_an_unknown_key_names_its_line_and_the_key_that_was_meant(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "  - name: sales.orders\n    stratgy: full\n")
    assert "line 7" in message
    assert "stratgy" in message
    assert "did you mean strategy?" in message


def test_an_unknown_key_at_the_top_names_its_line(tmp_path: Path) -> None:
    assert "line 6: dump: unknown key" in refused(tmp_path, GOOD + "dump: []\n")


def test_a_key_of_an_earlier_version_is_told_what_is_there_instead(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "dbt: {large_rows: 50000000}\n")
    assert "line 6: dbt.large_rows: unknown key" in message
    assert "model: {cluster_by: [column]}" in message


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    assert "destination: this key is required" in refused(tmp_path, "version: 1\nsource: a\ntables: [{name: a.b}]\n")


def test_what_a_table_may_accept_is_one_word_or_a_list_and_an_unknown_word_is_told_the_known_ones(
    tmp_path: Path,
) -> None:
    config = load_config(write(tmp_path, GOOD + "  - {name: sales.a, accept: [masked, row_security]}\n"))
    assert config.tables[1].accept == ("masked", "row_security")
    assert load_config(write(tmp_path, GOOD + "  - {name: sales.a, accept: masked}\n")).tables[1].accept == ("masked",)
    message = refused(tmp_path, GOOD + "  - {name: sales.a, accept: [maskd]}\n")
    assert "line 6" in message
    assert "'maskd'" in message
    assert "known are: " + ", ".join(ACCEPTED) in message


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{name: orders}", "schema.table"),
        ("{name: s.o, strategy: fastest}", "strategy"),
        ("{name: s.o, lag: soon}", "a duration is a number"),
        ("{name: s.o, query: select 1, query_file: q.sql}", "either query or query_file"),
        ("{name: 's.*', query: select 1}", "plain name"),
        ("{name: s.o, columns: {a: {maks: sha256}}}", "did you mean mask?"),
        ("{name: s.o, filters: [{column: a, op: '='}]}", "needs a value"),
        ("{name: s.o, partitions: 0}", "greater than or equal to 1"),
    ],
)
def test_a_bad_table_entry_is_refused_with_its_line(tmp_path: Path, entry: str, says: str) -> None:
    message = refused(tmp_path, GOOD + f"  - {entry}\n")
    assert "line 6" in message
    assert says in message


@pytest.mark.parametrize("section", ["raw", "dbt"])
@pytest.mark.parametrize("template", ["{database}_{schema}", "{", "{0}", "{schema.x}", ""])
def test_a_schema_of_which_no_name_can_be_made_is_refused_with_its_line(
    tmp_path: Path, section: str, template: str
) -> None:
    assert f"line 6: {section}.schema: " in refused(tmp_path, GOOD + f"{section}: {{schema: '{template}'}}\n")


def test_no_yaml_no_file_and_an_empty_file_each_say_so(tmp_path: Path) -> None:
    assert "not valid YAML" in refused(tmp_path, "version: [1\n")
    assert "expected settings" in refused(tmp_path, "")
    with pytest.raises(ConfigError, match="is not there"):
        load_config(tmp_path / "other.yml")


def test_a_lag_is_a_number_or_a_duration(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD + "  - {name: s.a, lag: 30m}\n  - {name: s.b, lag: 100}\n"))
    assert config.tables[1].lag == timedelta(minutes=30)
    assert config.tables[2].lag == 100


def test_the_target_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_TARGET", "prod")
    assert load_config(write(tmp_path, GOOD)).target == "prod"


def test_a_file_is_read_once_for_the_lines_of_all_its_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read again for each, 1,000 entries were 1,000 files of 1,000 entries. Once with its settings, that is."""
    path = tmp_path / "el.yml"
    entries = "".join(f"  - {{name: sales.t{number}}}\n" for number in range(20))
    path.write_text(f"version: 1\nsource: shop\ndestination: warehouse\ntables:\n{entries}")
    read: list[Path] = []
    monkeypatch.setattr(settings, "read_yaml", lambda *given, **named: read.append(path) or read_yaml(*given, **named))
    config = load_config(path)
    assert [config.line_of(number) for number in range(20)] == list(range(5, 25))
    assert len(read) == 1
    path.write_text("# One line more.\n" + path.read_text())
    assert config.line_of(0) == 6
