"""What el takes for one key, the server takes for equal: it is asked for each letter that el folds."""

from __future__ import annotations

import pyarrow as pa
import pytest

from el.connectors.catalog import Column, SourceType
from el.connectors.mysql.collation import text_rule
from el.connectors.sql.select import Statement
from el.types.key_text import TextRule, fold
from tests.connectors.mysql.conftest import MySqlShop

COLLATIONS = (
    *("utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci", "utf8mb4_bin", "utf8mb3_general_ci"),
    *("utf8mb4_general_nopad_ci", "utf8mb4_unicode_nopad_ci", "utf8mb4_nopad_bin", "utf8mb4_swedish_ci"),
    *("utf8mb4_uca1400_ai_ci", "utf8mb4_uca1400_as_ci", "utf8mb4_uca1400_ai_cs", "utf8mb4_uca1400_nopad_as_cs"),
    *("latin1_swedish_ci", "latin1_general_cs", "latin1_bin", "utf8mb4_turkish_ci", "utf8mb4_german2_ci"),
)
LETTERS = "".join(chr(code) for code in (*range(0x41, 0x250), *range(0x370, 0x590), *range(0x1E00, 0x1F00)))


def rule_of(collation: str) -> TextRule | None:
    return text_rule(Column("v", SourceType("varchar", length=9), collation=collation))


@pytest.mark.parametrize("collation", COLLATIONS)
def test_two_texts_that_are_one_key_are_equal_at_the_source(shop: MySqlShop, collation: str) -> None:
    rule = rule_of(collation)
    texts = [letter for letter in LETTERS if letter.isprintable()]
    if collation.startswith("latin1"):
        texts = [letter for letter in texts if ord(letter) < 0x100]
    texts += [text + end for text in ("a", "ß", "É") for end in (" ", "  ", "\t")] + ["ss", "a b", "æ", "ae"]
    folded = pa.array(texts) if rule is None else fold(rule, pa.array(texts))
    pairs = [(text, one) for text, one in zip(texts, folded.to_pylist(), strict=True) if text != one]
    charset = collation.partition("_")[0]
    shop.sql(
        f"CREATE TABLE {{schema}}.t (a VARCHAR(9) CHARACTER SET {charset} COLLATE {collation}, b VARCHAR(9) "
        f"CHARACTER SET {charset} COLLATE {collation})"
    )
    for start in range(0, len(pairs), 500):
        marks = ", ".join(["(?, ?)"] * len(pairs[start : start + 500]))
        values = tuple(text for pair in pairs[start : start + 500] for text in pair)
        shop.server.execute(Statement(f"INSERT INTO {shop.schema}.t VALUES {marks}", values))
    assert shop.fetch("SELECT a, b FROM {schema}.t WHERE NOT a = b") == []
    if rule is not None:
        assert bool(pairs) is (rule.pads or rule.case is not None)
        assert rule.pads is (shop.fetch(f"SELECT _{charset}'a' = _{charset}'a ' COLLATE {collation}") == [(1,)])


def test_a_collation_of_unicode_9_counts_blanks_at_the_end() -> None:
    found = rule_of("utf8mb4_0900_ai_ci")
    assert found is not None
    assert (found.case, found.accents, found.pads) == ("all", True, False)
    assert rule_of("utf8mb4_0900_bin") is None
    assert (rule_of("utf8mb4_0900_as_cs") or TextRule()).case is None
    assert text_rule(Column("v", SourceType("int"))) is None


def test_keys_that_the_source_takes_for_equal_are_one_row_and_others_are_two(shop: MySqlShop) -> None:
    """A key that changes its case is an update of one row; a blank at the end makes another key without padding."""
    shop.sql(
        "CREATE TABLE {schema}.t (k VARCHAR(9) COLLATE utf8mb4_general_nopad_ci PRIMARY KEY, v INT)",
        "INSERT INTO {schema}.t VALUES ('a', 1), ('a ', 2)",
    )
    shop.run("t, cursor: v, deletes: keys")
    assert shop.raw("SELECT count(DISTINCT _el_key) FROM {raw}.t") == [(2,)]
    shop.sql("UPDATE {schema}.t SET k = 'A', v = 3 WHERE v = 1")
    shop.run("t, cursor: v, deletes: {every: 0s}")
    keys = dict(shop.raw("SELECT v, _el_key FROM {raw}.t WHERE _el_op <> 'D'"))
    assert keys[3] == keys[1]
    assert keys[3] != keys[2]
