"""The lines of a run on a terminal: a table waits, is read, is done, or was stopped, and its time is its own."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from el.config.job import Job
from el.config.profiles import load_output
from el.config.settings import load_config
from el.pipeline import run
from el.plan_job import show_plan
from el.reporting.progress import Bars
from tests.shop import Workspace, inside


def job() -> Job:
    profiles = Path("profiles.yml")
    source, warehouse = load_output(profiles, "shop", None), load_output(profiles, "warehouse", None)
    return Job(load_config(Path("el.yml")), source, warehouse)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120, record=True)


def lines(console: Console) -> dict[str, str]:
    """The last line of each table."""
    # A refresh goes back up without a new line of its own.
    found = re.findall(r"[·✓✗⠀-⣿] sales\.[^\n·✓✗⠀-⣿]*", console.export_text())
    return {line.split()[1]: line for line in found}


def test_a_table_that_fails_is_marked_and_an_empty_one_is_done_with_0_rows(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).create()
    shop.source("CREATE VIEW sales.broken AS SELECT CAST(note AS INTEGER) AS n FROM sales.orders")
    with open(tmp_path / "el.yml", "a") as config:
        config.write("  - {name: sales.broken}\n")
    console = terminal()
    with inside(tmp_path):
        bars = Bars(console)
        run(job(), bars)
        bars.close()
    said = lines(console)
    assert said["sales.broken"].startswith("✗")
    assert "failed" in said["sales.broken"]
    assert said["sales.nothing"].startswith("✓")
    assert " 0 rows" in said["sales.nothing"]
    assert said["sales.orders"].startswith("✓")
    assert " 3,000 rows" in said["sales.orders"]


def test_rows_a_second_count_from_when_the_tables_own_read_began(tmp_path: Path) -> None:
    Workspace(tmp_path).create()
    console, now = terminal(), [100.0]
    with inside(tmp_path):
        plan = show_plan(job())
    bars = Bars(console)
    bars._progress.get_time = lambda: now[0]  # type: ignore[method-assign]
    bars.planned(plan)
    now[0] += 60
    bars.progress("sales.orders", 0, 0)
    now[0] += 10
    bars.progress("sales.orders", 1000, 8000)
    bars.close()
    said = lines(console)
    assert "100 rows/s" in said["sales.orders"]
    assert said["sales.lines"].startswith("·"), "it waits for its turn"
