"""Who is told of runs, as el.yml says it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from el.config.settings import load_config
from el.config.telling import NotifySettings
from el.errors import ConfigError

EL_YML = "version: 1\nsource: shop\ndestination: warehouse\ntables: [{name: sales.orders}]\n"


def notify(folder: Path, text: str) -> NotifySettings:
    (folder / "el.yml").write_text(f"{EL_YML}notify: {{webhook: env:EL_WEBHOOK, {text}}}\n")
    found = load_config(folder / "el.yml").notify
    assert found is not None
    return found


def test_a_time_is_for_all_tables_or_for_those_of_a_pattern_and_later_patterns_win(tmp_path: Path) -> None:
    assert notify(tmp_path, "late_after: 2d").allowed("sales.orders") == timedelta(days=2)
    some = notify(tmp_path, 'late_after: {"*": 2d, "Sales.*": 6h}')
    assert some.allowed("sales.orders") == timedelta(hours=6)
    assert some.allowed("hr.people") == timedelta(days=2)
    assert notify(tmp_path, 'late_after: {"sales.*": 6h}').allowed("hr.people") is None


def test_what_is_told_can_be_chosen(tmp_path: Path) -> None:
    assert notify(tmp_path, "on: [failure]").on == ("failure",)
    assert notify(tmp_path, "repeat: 1h").on == ("failure", "difference", "late")


@pytest.mark.parametrize("text", ["on: [success]", "late_after: soon", "form: pigeon", "webhok: x"])
def test_what_is_no_setting_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"el\.yml line 5: notify\."):
        notify(tmp_path, text)


def test_lineage_needs_nothing_more_to_be_said(tmp_path: Path) -> None:
    (tmp_path / "el.yml").write_text(f"{EL_YML}lineage: {{}}\n")
    found = load_config(tmp_path / "el.yml").lineage
    assert found is not None
    assert found.namespace == "el"
