"""README is short, its links lead somewhere, and each promise leads to tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

import el

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


def test_every_test_that_the_guarantees_name_is_there() -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", GUARANTEES)
    assert len(named) == len(re.findall("`test_", GUARANTEES)) > 90
    missing = [(name, path) for name, path in named if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")]
    assert not missing


def anchors(page: str) -> set[str]:
    headings = [line.lstrip("# ") for line in page.splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_promise_of_readme_leads_to_its_tests() -> None:
    promises = README.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [line for line in promises.splitlines() if line.startswith("- ")]
    assert len(rows) >= 10
    for row in rows:
        (found,) = re.findall(r"\(docs/guarantees\.md#([\w-]+)\)", row)
        assert found in anchors(GUARANTEES), row


def test_every_link_of_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https:)([^)#]*)#?([^)]*)\)", README)
    assert links
    for place, anchor in links:
        assert (ROOT / place).exists(), place
        assert not anchor or anchor in anchors((ROOT / place).read_text(encoding="utf-8")), f"{place}#{anchor}"


def test_readme_is_read_in_two_minutes() -> None:
    assert len(README.splitlines()) <= 150
    # What is read aloud: no code, no address. 180 words a minute is how English is read.
    said = re.sub(r"```.*?```", "", README, flags=re.S)
    words = re.findall(r"[A-Za-z0-9][\w'.-]*", re.sub(r"\]\([^)]*\)", "]", said))
    assert len(words) <= 2 * 180


def test_no_line_of_readme_is_longer_than_a_reader_in_a_hurry_reads() -> None:
    long = [line for line in README.splitlines() if len(line) > (160 if line.startswith("|") else 120)]
    assert not long, "one idea a line: divide it, or say the rest in a page of docs/"


def test_no_path_of_a_machine_stands_in_what_people_read() -> None:
    for name in ("README.md", "DECISIONS.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|work|opt|tmp)/", text), name


def test_the_python_of_docs_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles.yml").write_text(
        "warehouse: {target: it, outputs: {it: {type: duckdb, path: warehouse.duckdb}}}\n"
    )
    with duckdb.connect("warehouse.duckdb") as connection:
        connection.execute(
            "CREATE SCHEMA shop_main; CREATE SCHEMA analytics;"
            "CREATE TABLE shop_main.orders (order_id BIGINT, note TEXT);"
            "INSERT INTO shop_main.orders VALUES (1, 'a'), (2, 'b');"
            "CREATE TABLE analytics.predictions (order_id BIGINT, score DOUBLE)"
        )
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.S)
    for _ in range(2):
        exec(compile(code, "python.md", "exec"), {})
    with duckdb.connect("warehouse.duckdb") as connection:
        assert connection.execute("FROM analytics.predictions ORDER BY 1").fetchall() == [(1, 0.5), (2, 0.5)]


def test_el_has_what_it_says() -> None:
    assert {name for name in el.__all__ if getattr(el, name) is not None} == set(el.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = el.nothing
