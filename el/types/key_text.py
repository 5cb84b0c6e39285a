"""The text of a key in a form in which equal texts are the same bytes, as far as it is sure how a source compares it.

Guarantee: two texts become one only where the source is known to take them for equal. A collation takes more for equal
(æ and ae, characters that it does not know): these stay two. See DECISIONS.md.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

Case = Literal["ascii", "latin1", "turkish", "all"]
_SMALL_I, _DOTTED_CAPITAL, _DOTLESS = "i", "\u0130", "\u0131"
# Latin, Greek, Cyrillic, Armenian, further Latin; letters of full width.
_LETTERS = ((0x41, 0x24F), (0x370, 0x58F), (0x1E00, 0x1EFF), (0xFF21, 0xFF5A))
# Came to Unicode after its small letter, and before the version below: old collations know one of the two alone.
_YOUNG = frozenset("\u0220")
_WIDE, _WIDE_OFFSET = range(0xFF01, 0xFF5F), 0xFEE0
_HIRAGANA, _KATAKANA_OFFSET = range(0x3041, 0x3097), 0x60
_ACCENTED = range(0xC0, 0x180)


@dataclass(frozen=True, slots=True)
class TextRule:
    """What plays no part where text is compared."""

    case: Case | None = None  # of which letters; None: case counts
    accents: bool = False  # of the Latin letters up to U+017F
    width: bool = False  # a letter of full width is as in ASCII
    kana: bool = False  # Hiragana is as Katakana
    sharp_s: bool = False  # ß is as ss
    unsure: str | None = None  # what else the source ignores, in words
    accents_unsure: bool = False  # the source may ignore accents too
    pads: bool = True  # blanks at the end play no part

    def words(self) -> str:
        """What plays no part, for people."""
        parts = {"case": self.case, "accents": self.accents, "width": self.width, "kana": self.kana, "ß": self.sharp_s}
        return ", ".join([*(name for name, ignored in parts.items() if ignored), *["blanks at the end"] * self.pads])


def fold(rule: TextRule, text: pa.Array) -> pa.Array:
    """The canonical text of each value; NULL stays NULL."""
    trimmed = pc.utf8_rtrim(text, characters=" ") if rule.pads else text
    ascii_ = pc.fill_null(pc.string_is_ascii(trimmed), True)
    if rule.case == "turkish":
        # There a capital I has its small letter outside ASCII.
        ascii_ = pc.and_(ascii_, pc.invert(pc.fill_null(pc.match_substring(trimmed, "I"), False)))
    plain = pc.ascii_lower(trimmed) if rule.case else trimmed
    table = _table(rule)
    if not table or pc.all(ascii_, min_count=0).as_py():
        return plain
    # Once for each distinct text: Arrow has no kernel that maps character by character.
    distinct = trimmed.filter(pc.invert(ascii_)).drop_null().unique()
    folded = pa.array([value.translate(table) for value in distinct.to_pylist()], pa.string())
    found = folded.take(pc.index_in(trimmed, value_set=distinct))
    return pc.if_else(ascii_, plain, found)


@lru_cache
def _table(rule: TextRule) -> Mapping[int, str]:
    """Character -> what stands for it."""
    places = {
        *(code for first, last in _LETTERS for code in range(first, last + 1)),
        *(_WIDE if rule.width else ()),
        *(_HIRAGANA if rule.kana else ()),
    }
    found = {code: _folded(rule, chr(code)) for code in sorted(places)}
    return {code: text for code, text in found.items() if text != chr(code)}


def _folded(rule: TextRule, letter: str) -> str:
    code = ord(letter)
    if rule.width and code in _WIDE:
        letter = chr(code - _WIDE_OFFSET)
    if rule.kana and code in _HIRAGANA:
        letter = chr(code + _KATAKANA_OFFSET)
    if rule.sharp_s and letter == "ß":
        return "ss"
    letter = _small(rule.case, letter)
    if rule.accents and ord(letter) in _ACCENTED:
        base = unicodedata.normalize("NFD", letter)
        # Only marks above and below letters come off; what is no letter with marks stays.
        if base[0].isascii() and all(unicodedata.combining(mark) for mark in base[1:]):
            letter = _small(rule.case, base[0])
    return letter


def _small(case: Case | None, letter: str) -> str:
    if case is None or (case == "ascii" and not letter.isascii()) or (case == "latin1" and ord(letter) > 0xFF):
        return letter
    if case == "turkish" and letter in ("I", _DOTTED_CAPITAL):
        return _DOTLESS if letter == "I" else _SMALL_I
    small = letter.lower()
    # Not a pair of letters: K of Kelvin is small k, whose capital is another; İ has no single small letter.
    if len(small) != 1 or small.upper() != letter or letter in _YOUNG:
        return letter
    # Of a pair that is younger than a collation, it may know one letter alone.
    known = all(unicodedata.ucd_3_2_0.category(each) != "Cn" for each in (letter, small))
    return small if known else letter
