"""Text of keys, compared as SQL Server is documented to compare it, or as two where that is not sure."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.connectors.catalog import Column, SourceType
from el.connectors.sqlserver.collation import text_rule
from el.planning.keys import KeyPart, KeyRule
from el.types.key_text import TextRule, fold

WINDOWS, SQL = "Latin1_General_CI_AS", "SQL_Latin1_General_CP1_CI_AS"
# Text, text, collation, type: equal at the source. Microsoft Learn, "Collation and Unicode support"; of ß "What is the
# collation used while comparing Unicode string literals" (dba.stackexchange.com 335859), seen on SQL Server 2019.
EQUAL = [
    *[("abc", "ABC", name, type_) for name in (WINDOWS, SQL) for type_ in ("varchar", "nvarchar", "char", "nchar")],
    *[("a", "a  ", name, "varchar") for name in (WINDOWS, SQL, "Latin1_General_BIN2", "Latin1_General_CS_AS", None)],
    ("é", "É", SQL, "varchar"),
    ("é", "É", WINDOWS, "varchar"),
    ("š", "Š", WINDOWS, "nvarchar"),
    ("ж", "Ж", "Cyrillic_General_CI_AS", "varchar"),
    ("ω", "Ω", "Greek_100_CI_AS", "nvarchar"),
    ("é", "e", "Latin1_General_CI_AI", "nvarchar"),
    ("É", "e", "French_100_CI_AI", "nvarchar"),
    ("É", "E", "Latin1_General_CS_AI", "nvarchar"),
    ("é", "e", "SQL_Latin1_General_CP1_CI_AI", "varchar"),
    ("Straße", "STRASSE", WINDOWS, "varchar"),
    ("Straße", "Strasse", "Latin1_General_100_CS_AS", "nvarchar"),
    ("Straße", "Strasse", SQL, "nvarchar"),
    ("Ａｂ", "aB", "Japanese_XJIS_140_CI_AS", "nvarchar"),
    ("ひ", "ヒ", "Japanese_XJIS_140_CI_AS", "nvarchar"),
    ("ıI", "Iı", "Turkish_CI_AS", "nvarchar"),
    ("İi", "iİ", "Turkish_100_CI_AS", "varchar"),
]
DISTINCT = [
    ("abc", "ABC", "Latin1_General_CS_AS", "varchar"),
    ("abc", "ABC", "Latin1_General_BIN2", "nvarchar"),
    ("abc", "ABC", "Latin1_General_100_BIN2_UTF8", "varchar"),
    ("abc", "ABC", None, "varchar"),
    ("é", "e", WINDOWS, "nvarchar"),
    ("é", "e", SQL, "varchar"),
    ("å", "a", "Danish_Norwegian_CI_AI", "nvarchar"),
    ("ä", "a", "Finnish_Swedish_100_CI_AI", "nvarchar"),
    ("Straße", "Strasse", SQL, "varchar"),
    ("İ", "i", WINDOWS, "nvarchar"),
    ("ı", "i", WINDOWS, "nvarchar"),
    ("i", "I", "Turkish_CI_AS", "nvarchar"),
    ("I", "i", "Azeri_Latin_100_CI_AS", "varchar"),
    ("Ａ", "A", "Japanese_XJIS_140_CI_AS_WS", "nvarchar"),
    ("ひ", "ヒ", "Japanese_XJIS_140_CI_AS_KS", "nvarchar"),
    ("a", " a", WINDOWS, "varchar"),
    ("a", "a\t", WINDOWS, "varchar"),
    # Of each pair one letter is younger than old collations, which take it for nothing at all.
    ("Ⱡ", "ⱡ", WINDOWS, "nvarchar"),
    ("Ა", "ა", WINDOWS, "nvarchar"),
    ("Ƀ", "ƀ", WINDOWS, "nvarchar"),
]


def rule(collation: str | None, type_: str = "nvarchar") -> TextRule:
    found = text_rule(Column("code", SourceType(type_, length=20), collation=collation))
    assert found is not None
    return found


def folded(values: list[str | None], by: TextRule) -> list[str | None]:
    found: list[str | None] = fold(by, pa.array(values, pa.string())).to_pylist()
    return found


@pytest.mark.parametrize(("one", "other", "collation", "type_"), EQUAL)
def test_what_the_collation_takes_for_equal_is_one_key(one: str, other: str, collation: str, type_: str) -> None:
    first, second = folded([one, other], rule(collation, type_))
    assert first == second


@pytest.mark.parametrize(("one", "other", "collation", "type_"), DISTINCT)
def test_what_the_collation_tells_apart_or_may_tell_apart_is_two(
    one: str, other: str, collation: str | None, type_: str
) -> None:
    first, second = folded([one, other], rule(collation, type_))
    assert first != second


@given(st.lists(st.none() | st.text(st.sampled_from("aAbéÉßsSıİiIＡあア ~|\\"), max_size=6), max_size=20))
def test_a_column_is_compared_value_by_value_as_each_alone(values: list[str | None]) -> None:
    for name in (WINDOWS, SQL, "Turkish_CI_AS", "Latin1_General_CI_AI", "Latin1_General_BIN2"):
        by = rule(name)
        assert folded(values, by) == [folded([value], by)[0] for value in values]
        assert [value is None for value in folded(values, by)] == [value is None for value in values]


@given(st.text(max_size=8), st.text(max_size=8))
def test_no_two_texts_become_one_that_unicode_itself_tells_apart(one: str, other: str) -> None:
    """Whatever a Windows collation without accents, case, width and kana may be, it is no coarser than this."""
    by = rule(WINDOWS)
    if folded([one], by) == folded([other], by):
        loose = [text.rstrip(" ").casefold() for text in (one, other)]
        wide = [text.translate({c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)}) for text in loose]
        kana = [text.translate({c: c + 0x60 for c in range(0x3041, 0x3097)}).casefold() for text in wide]
        assert kana[0] == kana[1]


texts = st.none() | st.text("ab|\\N", max_size=3)


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_a_key_of_several_columns_is_taken_apart_in_one_way_only(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None]
) -> None:
    by = KeyRule((KeyPart("a", "plain", nullable=True), KeyPart("b", "plain", nullable=True)))
    columns = {"a": pa.array([one[0], other[0]], pa.string()), "b": pa.array([one[1], other[1]], pa.string())}
    first, second = by.of(columns.__getitem__).to_pylist()
    assert (first == second) == (one == other)
    assert first is not None


@pytest.mark.parametrize(
    ("kind", "one", "other", "equal"),
    [
        ("instant", "2024-01-31 12:00:00.1234567 +02:00", "2024-01-31 10:00:00.1234567 +00:00", True),
        ("instant", "2024-01-31 12:00:00.1234567 +02:00", "2024-01-31 12:00:00.1234567 +01:00", False),
        ("instant", "2024-01-31 12:00:00.1234567 -00:30", "2024-01-31 12:30:00.1234567 +00:00", True),
        ("instant", "2024-01-31 12:00:00.1234567 +00:00", "2024-01-31 12:00:00.1234568 +00:00", False),
        ("instant", "0001-01-01 00:00:00 +14:00", "0001-01-01 00:00:00 +13:59", False),
    ],
)
def test_points_in_time_are_compared_whatever_their_offset(kind: str, one: str, other: str, equal: bool) -> None:
    by = KeyRule((KeyPart("at", "instant"),))
    first, second = by.of({"at": pa.array([one, other])}.__getitem__).to_pylist()
    assert (first == second) == equal


def test_bytes_are_compared_without_zeros_at_the_end_and_zero_has_no_sign() -> None:
    zeros, number = KeyRule((KeyPart("v", "zeros"),)), KeyRule((KeyPart("v", "number"),))
    values = pa.array([b"\x01", b"\x01\x00", b"\x10", b"\x01\x00\x01", b"", b"\x00\x00"])
    found = zeros.of({"v": values}.__getitem__).to_pylist()
    assert found == ["01", "01", "10", "010001", "", ""]
    assert zeros.of({"v": values[1:3]}.__getitem__).to_pylist() == found[1:3]
    plus, minus, other = number.of({"v": pa.array([0.0, -0.0, 1e-7])}.__getitem__).to_pylist()
    assert plus == minus != other
