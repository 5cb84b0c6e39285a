"""Patterns: every file that is meant is found, no other is, and a name has one reading or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.dumps.file_version import FileVersion
from el.dumps.pattern import Pattern, Value
from el.errors import ConfigError, PlanError


def file(uri: str, member: str | None = None) -> FileVersion:
    return FileVersion(uri, "v", 1, datetime(2024, 1, 1, tzinfo=UTC), member)


def match(pattern: str, uri: str, member: str | None = None) -> dict[str, Value] | None:
    found = Pattern.parse(pattern).match(file(uri, member))
    return None if found is None else dict(found)


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("s3://b/a*.csv", ["a.csv", "a1.csv", "a.b.csv"], ["b.csv", "a/1.csv", "a.csv.gz", "A.csv"]),
        ("s3://b/?.csv", ["a.csv", "é.csv"], [".csv", "ab.csv", "/.csv"]),
        ("s3://b/[a-c!].csv", ["a.csv", "!.csv"], ["d.csv", "/.csv"]),
        ("s3://b/[!a-c].csv", ["d.csv"], ["a.csv", "/.csv"]),
        ("s3://b/[[]x[]].csv", ["[x].csv"], ["x.csv"]),
        ("s3://b/[^a-].csv", ["^.csv", "a.csv", "-.csv"], ["b.csv"]),
        ("s3://b/**/x.csv", ["x.csv", "1/x.csv", "1/2/x.csv", ".h/x.csv"], ["ax.csv", "1/ax.csv"]),
        ("s3://b/x/**", ["x/1.csv", "x/1/2.csv"], ["x", "x1.csv"]),
        ("s3://b/{{a}}.csv", ["{a}.csv"], ["a.csv"]),
        ("s3://b/a+(b) %20#$.csv", ["a+(b) %20#$.csv"], ["aab $.csv"]),
        ("s3://b/a\n*.csv", ["a\n.csv", "a\n\n.csv"], ["a.csv"]),
    ],
)
def test_a_wildcard_means_these_names_and_no_others(pattern: str, meant: list[str], not_meant: list[str]) -> None:
    assert [name for name in meant + not_meant if match(pattern, f"s3://b/{name}") is not None] == meant


def test_captures_are_values_in_the_order_in_which_they_stand() -> None:
    parsed = Pattern.parse("s3://acme/orders/year={year}/orders_{as_of:%Y%m%d}*.csv.gz")
    assert parsed.prefix == "s3://acme/orders/year="
    assert [(capture.name, capture.type) for capture in parsed.captures] == [("year", "text"), ("as_of", "date")]
    found = parsed.match(file("s3://acme/orders/year=2024/orders_20240229_1.csv.gz"))
    assert found == (("year", "2024"), ("as_of", date(2024, 2, 29)))


def test_a_date_may_lie_in_folders_and_a_timestamp_has_its_time() -> None:
    assert match("file:///d/{on:%Y/%m/%d}/a.csv", "file:///d/2024/02/29/a.csv") == {"on": date(2024, 2, 29)}
    assert match("file:///d/a_{at:%Y%m%dT%H%M}.csv", "file:///d/a_20240229T0730.csv") == {
        "at": datetime(2024, 2, 29, 7, 30)
    }


def test_members_of_an_archive_have_captures_of_their_own() -> None:
    parsed = Pattern.parse("file:///d/{month}.zip!/**/{table}_*.csv")
    assert parsed.has_members
    assert parsed.takes("file:///d/may.zip")
    assert parsed.match(file("file:///d/may.zip", "x/orders_1.csv")) == (("month", "may"), ("table", "orders"))
    assert parsed.match(file("file:///d/may.zip", "orders.csv")) is None
    assert parsed.match(file("file:///d/may.zip")) is None
    assert Pattern.parse("file:///d/*.zip").match(file("file:///d/may.zip", "a.csv")) is None


def test_a_pattern_without_a_scheme_begins_in_the_folder_of_the_profile() -> None:
    parsed = Pattern.parse("in/*.csv", under="file:///data [1]/")
    assert parsed.prefix == "file:///data [1]/in/"
    assert parsed.match(file("file:///data [1]/in/a.csv")) == ()


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a.csv", "must begin with a place"),
        ("s3://b*/a.csv", "must begin with a place"),
        ("s3://b/a[.csv", r"\[ without \]"),
        ("s3://b/a[c-a].csv", "smaller one first"),
        ("s3://b/{a.csv", "{ without }"),
        ("s3://b/a}.csv", "} without {"),
        ("s3://b/{}.csv", "a name is letters"),
        ("s3://b/{1a}.csv", "a name is letters"),
        ("s3://b/{a:}.csv", "needs its year"),
        ("s3://b/{a:%d%m}.csv", "needs its year"),
        ("s3://b/{a:%Y%q}.csv", "%q is not known"),
        ("s3://b/{a:%Y%Y}.csv", "stands twice"),
        ("s3://b/{a}/{a}.csv", "{a} stands twice"),
        ("s3://b/{a}.zip!/{a}.csv", "{a} stands twice"),
        ("s3://b/{a}{b}.csv", "where {a} ends"),
        ("s3://b/{a}*.csv", "where {a} ends"),
        ("s3://b/*{a}.csv", "where {a} ends"),
        ("s3://b/a**.csv", "whole folders"),
        ("s3://b/a.csv!/b", "name of an archive"),
        ("s3://b/a.zip!/b.zip!/c", "inside an archive"),
    ],
)
def test_a_pattern_that_says_nothing_clear_is_refused_in_one_line(pattern: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        Pattern.parse(pattern)
    assert str(refused.value).startswith(pattern)


def test_a_name_with_two_readings_is_refused() -> None:
    assert match("s3://b/{region}_{shop}.csv", "s3://b/north_1.csv") == {"region": "north", "shop": "1"}
    with pytest.raises(PlanError, match=r"north_1_x\.csv: {region} could be 'north' or 'north_1'"):
        match("s3://b/{region}_{shop}.csv", "s3://b/north_1_x.csv")


def test_digits_that_are_no_date_are_refused_and_not_left_out_in_silence() -> None:
    with pytest.raises(PlanError, match="'20240230' is no date"):
        match("s3://b/a_{on:%Y%m%d}.csv", "s3://b/a_20240230.csv")


# The reference: all readings, piece by piece, without a regex.
PIECES = ["a", "b", "/", "_", "*", "?", "**/", "[ab]", "[!a]", "{x}", "{y}", "{on:%Y}"]


def spoken(pieces: list[str]) -> list[str]:
    """The pieces as the text says them: two stars beside each other are whole folders, or all that is below."""
    found: list[str] = []
    for piece in pieces:
        joined = "".join(found[-1:]) + piece
        if joined in ("**", "**/"):
            found[-1:] = [joined]
        else:
            found.append(piece)
    return found


def readings(pieces: list[str], text: str) -> Iterator[dict[str, str]]:
    if not pieces:
        if not text:
            yield {}
        return
    piece, rest = pieces[0], pieces[1:]
    for end in range(len(text) + 1):
        taken = text[:end]
        if means(piece, taken):
            for found in readings(rest, text[end:]):
                yield {piece.strip("{}").partition(":")[0]: taken, **found} if piece[0] == "{" else found


def means(piece: str, taken: str) -> bool:
    one = len(taken) == 1 and taken != "/"
    if piece == "**/":
        return taken == "" or taken.endswith("/")
    if piece == "**":
        return True
    if piece == "{on:%Y}":
        return len(taken) == 4 and taken.isdigit()
    return {
        "*": "/" not in taken,
        "?": one,
        "[ab]": one and taken in "ab",
        "[!a]": one and taken != "a",
        "{x}": taken != "" and "/" not in taken,
        "{y}": taken != "" and "/" not in taken,
    }.get(piece, taken == piece)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=6),
    st.lists(st.sampled_from(["a", "b", "/", "_", "c", "2024"]), max_size=6).map("".join),
)
def test_whatever_the_reference_finds_is_found_with_its_values_and_nothing_else_is(
    pieces: list[str], name: str
) -> None:
    try:
        parsed = Pattern.parse("s3://b/" + "".join(pieces))
    except ConfigError:
        return
    uri = f"s3://b/{name}"
    assert parsed.prefix.startswith("s3://b/")
    expected = {tuple(found.items()) for found in readings(["s3://b/", *spoken(pieces)], uri)}
    assert parsed.takes(uri) == bool(expected)
    try:
        found = parsed.match(file(uri))
    except PlanError:
        assert len(expected) > 1
        return
    if found is None:
        assert not expected
        return
    assert uri.startswith(parsed.prefix)
    assert tuple((name, f"{value.year:04d}" if isinstance(value, date) else value) for name, value in found) in expected
