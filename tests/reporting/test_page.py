"""The page of a run: what stands on it, and how a browser shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from el.cli.app import main
from el.reporting.page import LAST_RUNS, charts, page
from el.reporting.record import RunRecord, TableVerified, read_record
from el.reporting.summary import TableReport
from tests.shop import Workspace, inside

LONG = "sales." + "customers_with_a_very_long_name_" * 3
TABLES = (
    TableReport("sales.orders", "shop_sales.orders", "cursor", "loaded", "delta", 12_345, 3, 9_000, 1.5, load_id="1"),
    TableReport(LONG, f"shop_{LONG}", "full", "unchanged"),
    TableReport("sales.<b>odd</b>", "shop_sales.odd", "", "failed", error="its type <i>money</i> changed: exclude it"),
)
VERIFIED = (
    TableVerified(
        "sales.orders",
        "EQUAL",
        "both sides read",
        "shop_sales.orders",
        "cursor",
        through="changed_at 2026-01-01T23:59:59.123456",
        source_rows=12_004,
        raw_rows=12_000,
        compared=12_000,
        equal=12_000,
        late=4,
        not_compared=("photo: excluded", "iban: masked, sha256: what lands is compared, not its value"),
    ),
    TableVerified(
        "sales.lines",
        "DIFFERENT",
        "digest in the warehouse",
        "shop_sales.lines",
        compared=8,
        equal=2,
        missing=1,
        extra=2,
        different=3,
        gone=5,
        columns=("price (3)", "a_column_with_a_name_that_is_as_long_as_names_can_be_at_some_databases (1)"),
        why="load 17: raw has 7 rows, the ledger 8",
        notes=("not repaired: <script>alert(1)</script>",),
        advice="`verify --select sales.lines --repair` loads these rows once more",
        examples=("missing: order_id='7', line_no='1'", f"different: name='{'Llanfair' * 30}': price"),
        again=(
            ("at the source", 'SELECT "order_id", "price" FROM "sales"."lines" WHERE "order_id" IN (7, 8)'),
            ("in raw", f"""SELECT * FROM "shop_sales"."lines" WHERE "name" IN ('{"Llanfair" * 30}')"""),
        ),
    ),
    TableVerified(
        LONG, "UNDECIDED", "both sides read", compared=50, why="50 rows differ: verify again in some minutes"
    ),
    TableVerified(
        "sales.new", "REFUSED", why="sales.new: raw is none to compare with: it was not loaded yet; run first"
    ),
    TableVerified(
        "sales.broken",
        "REFUSED",
        why="ReadError: what it said is elsewhere",
        failed="ReadError",
        error="no such <table>",
    ),
)
RECORD = RunRecord(
    "00000000002a",
    "run",
    "shop.prod",
    "warehouse.prod",
    datetime(2026, 1, 2, 3, tzinfo=UTC),
    seconds=12.5,
    result="failed",
    exit_code=1,
    tables=TABLES,
    verified=VERIFIED,
    versions={"el": "0.9", "dlt": "1.31"},
    os_user="etl",
    host="batch",
)
COMPARED = replace(RECORD, command="verify", result="different", exit_code=4, tables=(), verified=VERIFIED)
HISTORY = [
    replace(
        RECORD,
        run_id=f"{number:012x}",
        started=RECORD.started - timedelta(hours=41 - number),
        tables=(replace(TABLES[0], rows=100 * number),),
        verified=(),
        result="done",
        seconds=float(number),
    )
    for number in range(41)
]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = """<script>
addEventListener("load", () => {
  const all = query => [...document.querySelectorAll(query)];
  const wide = all("main *:not(thead *)").filter(e => e.getBoundingClientRect().right > innerWidth + 1);
  parent.document.title = JSON.stringify({
    width: innerWidth,
    page: document.documentElement.scrollWidth,
    small: all("main *").filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length,
    wide: wide.map(e => e.outerHTML.slice(0, 80)),
    asked: performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("data:")),
  });
});
</script></head>"""


class Text(HTMLParser):
    """The text of a page by its sections' headings, and every tag and attribute of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {"": ""}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "section":
            self.sections[dict(attrs).get("aria-labelledby") or ""] = ""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            name = list(self.sections)[-1]
            self.sections[name] = " ".join(f"{self.sections[name]} {data}".split())


def shown(record: RunRecord = RECORD, history: list[RunRecord] = HISTORY) -> dict[str, str]:
    return Text(page(record, history)).sections


def test_every_table_stands_on_the_page_with_what_happened_to_it() -> None:
    tables = shown()["tables"]
    assert "sales.orders delta loaded, 3 deleted 12,345 9.0 kB 1.5 cursor shop_sales.orders" in tables
    assert f"{LONG} unchanged" in tables
    assert tables.index("sales.<b>odd</b> failed") < tables.index("sales.orders")


def test_what_failed_is_told_with_what_to_do() -> None:
    assert "sales.<b>odd</b>: its type <i>money</i> changed: exclude it" in shown()["failed"]
    nothing = replace(RECORD, tables=(), error="nobody answers at db:1433", advice="Check the firewall.", exit_code=3)
    assert "nobody answers at db:1433 Check the firewall." in shown(nothing)["failed"]
    assert "failed before anything was loaded" in shown(nothing)[""]


def test_of_a_run_in_which_nothing_failed_no_failure_is_told() -> None:
    good = replace(RECORD, tables=TABLES[:2], verified=(), result="done", exit_code=0)
    found = shown(good)
    assert "failed" not in found
    assert "12,345 rows loaded, nothing failed" in found[""]


def test_what_was_verified_is_told_and_how() -> None:
    verified = shown()["verified"].replace(" ,", ",")
    equal = (
        "sales.orders EQUAL 12,000 rows compared, 12,000 equal, 4 late "
        "not compared: photo: excluded; iban: masked, sha256: what lands is compared, not its value "
        "both sides read, up to changed_at 2026-01-01T23:59:59.123456; "
        "12,004 rows at the source, 12,000 in raw; shop_sales.orders, cursor, 0.0 s"
    )
    assert equal in verified
    differing = (
        "sales.lines DIFFERENT load 17: raw has 7 rows, the ledger 8 8 rows compared, 2 equal, 1 missing in raw, "
        "2 in raw alone, 3 different, 5 gone from the source not repaired: <script>alert(1)</script> "
        "columns that differ: price (3), a_column"
    )
    assert differing in verified
    assert "The first rows that differ missing: order_id='7', line_no='1'" in verified
    assert 'SQL that shows them at the source SELECT "order_id", "price"' in verified
    assert "What to do: verify --select sales.lines --repair loads these rows once more" in verified
    assert f"{LONG} UNDECIDED 50 rows differ: verify again in some minutes" in verified
    assert "sales.new REFUSED sales.new: raw is none to compare with" in verified
    assert "sales.broken REFUSED no such <table>" in verified
    assert verified.index("sales.lines") < verified.index("sales.new") < verified.index("sales.orders")
    assert "Nothing was compared" in shown(replace(RECORD, verified=()))["verified"]


def test_the_page_of_what_was_kept_has_no_key_and_says_where_they_stood() -> None:
    verified = shown(read_record(COMPARED.to_json()))["verified"]
    assert "order_id" not in verified
    assert "no key is kept" in verified
    assert "sales.broken REFUSED ReadError: what it said is elsewhere" in verified
    assert "What to do: verify --select sales.lines --repair" in verified


def test_a_comparison_is_told_in_its_own_words() -> None:
    found = shown(COMPARED)
    assert "el verify: 1 table differs, 1 table equal, of 3 tables it is not known" in found[""]
    assert "1 tables equal 1 tables that differ 3 tables not decided 12,058 rows compared" in found[""]
    equal = replace(COMPARED, verified=VERIFIED[:1], result="done", exit_code=0)
    assert "el verify: 1 table equal" in shown(equal)[""]
    assert "at most 12,000 rows" in charts([equal, equal], "")[0].said
    nobody = replace(COMPARED, verified=(), error="nobody answers", exit_code=3, result="failed")
    assert "failed before anything was compared" in shown(nobody)[""]


def test_the_page_names_nothing_that_a_browser_would_fetch() -> None:
    text = page(RECORD, HISTORY)
    found = Text(text)
    assert not [tag for tag, _ in found.tags if tag in ("script", "img", "iframe", "object", "embed")]
    links = [value for _, attributes in found.tags for name, value in attributes.items() if name in ("src", "href")]
    assert links == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text


def test_the_charts_have_a_bar_for_each_of_the_last_runs_and_the_highest_is_full() -> None:
    assert page(RECORD, HISTORY).count("<rect") == 2 * LAST_RUNS
    rows, seconds = charts([*HISTORY[-3:], RECORD], RECORD.run_id)
    assert [bar.height for bar in rows.bars][-1] == 100
    assert max(bar.height for bar in seconds.bars) == 100
    assert [bar.kind for bar in rows.bars] == ["", "", "", "bad now"]
    assert "at most 12,345 rows" in rows.said


def test_a_run_that_failed_with_nothing_can_be_seen_in_the_charts() -> None:
    failed = replace(HISTORY[3], tables=(), result="failed", seconds=0.0)
    for chart in charts([HISTORY[2], failed], ""):
        assert chart.bars[1].height > 0
        assert chart.bars[1].kind == "bad"


def test_without_earlier_runs_there_are_no_charts() -> None:
    assert "<svg" not in page(RECORD, [])


def light(colour: str) -> float:
    """WCAG 2.1, "relative luminance"."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_each_text_stands_out_from_what_is_behind_it(theme: int) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", re.findall(r":root \{(.*?)\}", page(RECORD, []), re.S)[theme]))
    behind = [(text, back) for text in ("text", "soft", "bad") for back in ("page", "card")]
    behind += [(name, f"{name}-back") for name in ("good", "bad", "calm")]
    for text, back in behind:
        low, high = sorted((light(colours[text]), light(colours[back])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, back)


def browse(folder: Path, name: str, text: str, *arguments: str) -> tuple[str, str]:
    """The page as the browser has it at its end, and what the browser said of it."""
    assert BROWSER is not None
    (folder / name).write_text(text)
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
    command += [f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=2000", *arguments, "--dump-dom"]
    done = subprocess.run([*command, (folder / name).as_uri()], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


def measured(folder: Path, width: int, record: RunRecord) -> dict[str, Any]:
    """The page in a frame of this width: a window has a least width of its own."""
    # A script cannot run on the page itself, which allows none.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page(record, HISTORY))
    # All that can be opened is open.
    text = text.replace("<details>", "<details open>")
    framed = escape(text.replace("</head>", SIZES, 1))
    around = f'<title></title><iframe srcdoc="{framed}" style="width: {width}px; height: 900px; border: 0"></iframe>'
    dom, _ = browse(folder, "measured.html", around, "--window-size=1400,1000")
    found = re.search(r"<title>(.*?)</title>", dom)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: the page was read as text")


@needs_a_browser
@pytest.mark.parametrize("record", [RECORD, COMPARED], ids=["run", "verify"])
def test_a_browser_has_nothing_to_say_of_the_page(folder: Path, record: RunRecord) -> None:
    text, said = browse(folder, "page.html", page(record, HISTORY))
    assert "CONSOLE" not in said
    names = [escape(each.table, quote=False) for each in (*record.tables, *record.verified)]
    assert [name for name in names if name not in text] == []


@needs_a_browser
@pytest.mark.parametrize("record", [RECORD, COMPARED], ids=["run", "verify"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_a_telephone_and_a_desk_and_asks_for_nothing(folder: Path, width: int, record: RunRecord) -> None:
    found = measured(folder, width, record)
    assert found["width"] == width
    assert found["page"] <= width
    assert found["asked"] == []
    assert found["small"] == 0
    assert found["wide"] == []


def test_a_run_writes_its_page_and_so_does_one_that_cannot_begin(tmp_path: Path) -> None:
    Workspace(tmp_path).create()
    with inside(tmp_path):
        assert main(["run", "--progress", "none", "--html", "out/run.html"]) == 0
        first = Text(Path("out/run.html").read_text()).sections
        assert "12,000 rows loaded" in first[""]
        assert "sales.lines snapshot loaded 9,000" in first["tables"]
        (tmp_path / "shop.duckdb").rename(tmp_path / "away.duckdb")
        assert main(["run", "--progress", "none", "--html", "out/run.html"]) == 3
        second = Text(Path("out/run.html").read_text()).sections
        assert "shop.duckdb" in second["failed"]
        assert "The last 2 runs" in second["last"]
        assert main(["runs", "show", "--local", "--html", "again.html"]) == 0
        assert Path("again.html").read_text() == Path("out/run.html").read_text()


def test_a_page_that_cannot_be_written_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Workspace(tmp_path).create()
    with inside(tmp_path):
        assert main(["run", "--progress", "none", "--html", "."]) == 2
        assert "--html" in capsys.readouterr().err
        assert not Path("warehouse.duckdb").exists()
